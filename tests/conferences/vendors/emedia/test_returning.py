"""Coming back: the same member with the same ticket, and what happened meanwhile is told.

The mini-program's SDK takes no roster but that of its first entry, so that only pushes repair it.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import orjson
import pytest
from channels.testing import WebsocketCommunicator

from accounts.threads import in_thread
from conferences.models import Member
from conferences.services import streams
from conferences.vendors.emedia.consumer import EmediaConsumer
from config.asgi import application as asgi
from tests.conferences.vendors.emedia.conftest import Enter, Inside, Meet, Meeting
from tests.emedia_client import RESOURCE, Calls, EmediaClient, Json
from tests.factories import until
from tests.web import running_web

WEB = {"type": "WEB", "ver": "3.4.1", "agent": "Mozilla/5.0"}


async def back(member: Inside, enter: Enter, **frame: object) -> EmediaClient:
    """Op 200 as an SDK sends it again: the same ticket, and the old sessId."""
    return await enter(member.answer, sessId=member.socket.sess_id, **frame)


async def gone(meeting: Meeting, name: str, *, well: bool) -> None:
    """The member's socket goes, with a goodbye or without one, and the seat knows."""
    socket = meeting.members[name].socket
    if well:
        await socket.close()
    else:
        socket.cut()
    await in_thread(until, lambda: meeting.room.member(name).state == Member.State.RECONNECTING)


def roster(reply: Json, pushes: list[Json]) -> tuple[set[str], set[str]]:
    """Who and what a mini-program's SDK knows after its first entry and these pushes. Throws where it would."""
    members = {member["id"] for member in reply["mems"]}
    streams = {stream["id"]: stream["memId"] for stream in reply["streams"]}
    for push in pushes:
        match push["op"]:
            case 300:
                members.add(push["mem"]["id"])
            case 301:
                members.discard(push["memId"])
                streams = {stream: owner for stream, owner in streams.items() if owner != push["memId"]}
            case 302:
                assert push["memId"] in members, "a stream of nobody"
                assert push["pubS"]["id"] not in streams, "a stream twice"
                streams[push["pubS"]["id"]] = push["memId"]
            case 303:
                streams.pop(push["pubSId"], None)
            case 400:
                assert push["streamId"] in streams, "an unknown stream"
    return members, set(streams)


async def meanwhile(meeting: Meeting) -> None:
    """While bob is away dora comes with a stream, carol leaves, and alice's stream goes."""
    await meeting.join("dora")
    await in_thread(meeting.room.publish, "dora", "doras")
    await meeting.carol.socket.ask(201)
    await in_thread(_stop, meeting, "alices__Of_M1")
    await meeting.alice.socket.until(301)


def _stop(meeting: Meeting, stream_id: str) -> None:
    streams.stop_stream(actor=meeting.room.backend, confr_id=meeting.id, stream_id=stream_id)


async def staged(meet: Meet) -> Meeting:
    """bob is inside with alice and carol; alice and carol publish."""
    meeting = await meet("bob", "carol")
    for name in ("alice", "carol"):
        await in_thread(meeting.room.publish, name, f"{name}s")
    await meeting.bob.socket.until(302, count=2)
    return meeting


async def test_the_member_its_id_and_its_sess_id_stay(meet: Meet, enter: Enter) -> None:
    meeting = await meet("bob")
    await gone(meeting, "bob", well=True)
    again = await back(meeting.bob, enter)
    for name in ("memId", "sessId", "role", "useUrl"):
        assert again.entered[name] == meeting.bob.socket.entered[name]
    assert meeting.alice.socket.ops == [300]
    assert (await in_thread(lambda: meeting.room.member("bob"))).state == Member.State.PRESENT


async def test_after_a_goodbye_exactly_what_was_missed_is_pushed(meet: Meet, enter: Enter) -> None:
    meeting = await staged(meet)
    known = meeting.bob.socket
    await gone(meeting, "bob", well=True)
    await meanwhile(meeting)
    again = await back(meeting.bob, enter)
    await again.until(303, pubSId="alices__Of_M1")
    assert again.ops == [300, 302, 303, 301, 303]
    assert roster(known.entered, [*known.pushes, *again.pushes]) == (
        {f"{meeting.id}M{number}" for number in (1, 2, 4)},
        {"doras__Of_M4"},
    )


async def test_after_a_loss_everything_is_pushed_so_that_it_is_right_whatever_was_heard(
    meet: Meet, enter: Enter
) -> None:
    meeting = await staged(meet)
    known = meeting.bob.socket
    await gone(meeting, "bob", well=False)
    await meanwhile(meeting)
    again = await back(meeting.bob, enter)
    await again.until(302, memId=f"{meeting.id}M4")
    expected = ({f"{meeting.id}M{number}" for number in (1, 2, 4)}, {"doras__Of_M4"})
    for heard in range(len(known.pushes) + 1):  # the last frames may never have reached the phone
        assert roster(known.entered, [*known.pushes[:heard], *again.pushes]) == expected


async def test_a_socket_that_is_still_open_is_taken_over(meet: Meet, enter: Enter) -> None:
    """The phone has a new network before the server knows that the old one is gone."""
    meeting = await staged(meet)
    again = await back(meeting.bob, enter)
    assert again.entered["memId"] == meeting.bob.mem_id
    assert roster(meeting.bob.socket.entered, [*meeting.bob.socket.pushes[:3], *again.pushes])[0] == {
        f"{meeting.id}M{number}" for number in (1, 2, 3)
    }
    await meeting.bob.socket.closed()


async def test_the_web_sdk_repairs_itself_by_the_reply_and_is_pushed_nothing(meet: Meet, enter: Enter) -> None:
    meeting = await staged(meet)
    await gone(meeting, "bob", well=True)
    await meanwhile(meeting)
    again = await back(meeting.bob, enter, res=WEB)
    assert {member["id"][-2:] for member in again.entered["mems"]} == {"M1", "M2", "M4"}
    assert [stream["id"] for stream in again.entered["streams"]] == ["doras__Of_M4"]
    await meeting.alice.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b", "op": "UPDATE"}])
    await again.until(402)
    assert again.ops == [402]


async def test_who_says_what_it_heard_last_hears_the_rest_messages_too(meet: Meet, enter: Enter) -> None:
    meeting = await staged(meet)
    last = meeting.bob.socket.pushes[-1]["cver"]
    await gone(meeting, "bob", well=False)
    await meanwhile(meeting)
    await meeting.alice.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b", "op": "UPDATE"}])
    again = await back(meeting.bob, enter, res={"type": "MINI_PROGRAM", "ver": "ours"}, cver=last)
    await again.until(402)
    assert again.ops == [300, 302, 303, 301, 303, 402]
    assert all(push["cver"] > last for push in again.pushes)


async def test_a_seat_that_has_ended_is_not_come_back_to(meet: Meet, enter: Enter) -> None:
    meeting = await meet("bob")
    await meeting.bob.socket.ask(201)
    assert (await back(meeting.bob, enter)).entered["result"] == -502


# The heartbeat


async def test_who_is_up_to_date_gets_a_short_answer(meet: Meet) -> None:
    meeting = await meet("bob")
    alice = meeting.alice.socket
    cver = alice.pushes[-1]["cver"]
    reply = await alice.ask(1000, cver=cver)
    assert reply == {"op": 1001, "tsxId": reply["tsxId"], "sessId": alice.sess_id, "result": 0, "cver": cver}


async def test_who_is_behind_hears_again_what_it_missed_and_gets_the_roster(meet: Meet) -> None:
    meeting = await staged(meet)
    bob = meeting.bob.socket
    first = len(bob.pushes)
    reply = await bob.ask(1000, cver=bob.entered["cver"])
    assert [push["op"] for push in bob.pushes[first:]] == [300, 302, 302]
    assert bob.pushes[first:] == bob.pushes[:first]
    assert len(reply["mems"]) == 3
    assert len(reply["streams"]) == 2
    assert reply["cver"] == bob.pushes[-1]["cver"]
    assert (await bob.ask(1000, cver=reply["cver"])).keys() == {"op", "tsxId", "sessId", "result", "cver"}


async def test_what_no_roster_holds_is_not_told_twice(meet: Meet) -> None:
    """SDKs do not count attributes, mutes and messages as changes of the roster."""
    meeting = await meet("bob")
    bob = meeting.bob.socket
    await meeting.alice.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b", "op": "UPDATE"}])
    await bob.until(402)
    cver = bob.entered["cver"]
    assert (await bob.ask(1000, cver=cver))["cver"] == cver
    assert bob.ops == [402]


async def test_after_a_change_of_role_the_roster_says_it(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    cver = meeting.carol.socket.entered["cver"]
    await meeting.alice.rtc("chanage/roles", uids=[meeting.bob.calls.uid], role=1)
    await meeting.bob.socket.until(412)
    reply = await meeting.carol.socket.ask(1000, cver=cver)
    while "mems" not in reply:  # the other process may not have heard of it yet
        reply = await meeting.carol.socket.ask(1000, cver=cver)
    assert {member["id"]: member["role"] for member in reply["mems"]}[meeting.bob.mem_id] == 1
    assert reply["cver"] > cver
    assert meeting.carol.socket.ops == []


async def test_a_heartbeat_without_a_number_is_a_heartbeat(meet: Meet) -> None:
    meeting = await meet("bob")
    assert (await meeting.alice.socket.ask(1000))["result"] == 0
    assert meeting.alice.socket.ops == [300]


async def test_who_says_nothing_for_long_is_closed_and_its_seat_waits(
    meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = await meet()
    monkeypatch.setattr(EmediaConsumer, "silence_seconds", 0.3)
    bob = await in_thread(meeting.user, "bob")
    answer = await in_thread(bob.ticket, confrId=meeting.id, password="pw")
    socket = WebsocketCommunicator(asgi, "/easemob/rtc/ws")
    socket.scope |= {"client": ["127.0.0.1", 1], "headers": []}
    assert (await socket.connect())[0]
    enter = {"op": 200, "tkt": json.loads(answer["ticket"]), "res": RESOURCE, "tsxId": "1"}
    await socket.send_to(orjson.dumps(enter).decode())
    assert orjson.loads(await socket.receive_from())["result"] == 0
    await asyncio.sleep(0.2)
    await socket.send_to('{"op": 1000, "tsxId": "2"}')
    assert orjson.loads(await socket.receive_from())["result"] == 0
    closed = await socket.receive_output(5)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4408)
    await socket.disconnect()
    await in_thread(until, lambda: meeting.room.member("bob").state == Member.State.RECONNECTING)


# A server that stops


async def test_a_server_that_stops_says_so_to_who_would_not_notice(meet: Meet, tmp_path: Path) -> None:
    """The mini-program's SDK does not see that a socket is closed: it hears 301 on itself with 4 before."""
    meeting = await meet()
    with running_web(tmp_path, workers=1) as web:
        socket_url = web.live.replace("/live", "/easemob/rtc/ws")
        clients = []
        for name, resource in (("bob", RESOURCE), ("carol", WEB)):
            calls: Calls = await in_thread(meeting.user, name)
            answer = await in_thread(calls.ticket, confrId=meeting.id, password="pw")
            client = await EmediaClient.connect(socket_url)
            client.entered = await client.ask(200, tkt=json.loads(answer["ticket"]), res=resource)
            clients.append(client)
        await in_thread(web.terminate)
        bob, carol = clients
        assert [await client.closed() for client in clients] == [1012, 1012]
        assert bob.pushes[-1] == {
            "sessId": bob.sess_id,
            "op": 301,
            "memId": bob.entered["memId"],
            "reason": 4,
        }
        assert 301 not in carol.ops
