"""A session of emedia's mini-program SDK, frame by frame, against real web processes.

Each test is a line of what the vendor's builds were seen to need.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest

from accounts.threads import in_thread
from conferences.models import Conference, Member, Role
from conferences.services import admission, members
from tests.conferences.vendors.emedia.conftest import CREATE, Enter, Meet, Meeting, User
from tests.factories import Publication

# Entering


async def test_the_reply_to_op_200_has_what_the_sdks_wait_for(meet: Meet) -> None:
    meeting = await meet("bob")
    reply = meeting.bob.socket.entered
    assert (reply["op"], reply["result"], reply["role"]) == (1001, 0, 3)
    assert reply["memId"] == f"{meeting.id}M2"
    assert reply["useUrl"].startswith("http")
    assert reply["roleToken"] == meeting.bob.role_token
    assert reply["rtcCfg"] == "{}"
    assert reply["vcodes"] == ["H264", "VP8"]
    assert reply["yourIp"] == "127.0.0.1"
    assert reply["cattrs"] == {}
    assert reply["cstate"] == {"muteAll": False}
    assert reply["streams"] == []
    assert reply["cver"] == (await in_thread(lambda: meeting.room.row)).last_seq
    names = [(member["id"], member["name"], member["role"]) for member in reply["mems"]]
    assert names == [
        (f"{meeting.id}M1", meeting.alice.calls.uid, 7),
        (f"{meeting.id}M2", meeting.bob.calls.uid, 3),
    ]


async def test_the_members_name_is_the_tickets_for_whoever_compares_them(meet: Meet) -> None:
    meeting = await meet("bob")
    ticket = json.loads(meeting.bob.answer["ticket"])
    [own] = [member for member in meeting.bob.socket.entered["mems"] if member["id"] == meeting.bob.mem_id]
    assert own["name"] == own["memName"] == ticket["memName"] == meeting.bob.calls.uid


async def test_role_9_is_no_wish_and_shown_to_nobody(meet: Meet) -> None:
    meeting = await meet("bob")
    assert (meeting.created["role"], meeting.bob.answer["role"]) == (7, 3)
    everything = orjson.dumps([*meeting.alice.socket.frames, *meeting.bob.socket.frames])
    assert b'"role":9' not in everything


async def test_nickname_and_ext_are_told_as_they_were_sent(meet: Meet) -> None:
    meeting = await meet()
    await meeting.join("bob", ext='{"nickName":"Bobby","a":1}')
    told = (await meeting.alice.socket.until(300))["mem"]
    assert (told["nickName"], told["ext"]) == ("Bobby", '{"nickName":"Bobby","a":1}')
    assert told["res"] == {"ops": [1003], "vcodes": ["H264", "VP8"]}


async def test_a_ticket_with_fields_that_are_not_ours_and_in_another_order_is_good(meet: Meet, enter: Enter) -> None:
    meeting = await meet()
    calls = await in_thread(meeting.user, "bob")
    answer = await in_thread(calls.ticket, confrId=meeting.id, password="pw")
    ticket = {"extra": 1, **dict(reversed(json.loads(answer["ticket"]).items()))}
    assert (await enter({"ticket": ticket})).entered["result"] == 0


@pytest.mark.parametrize(
    ("spoil", "result"),
    [
        (lambda ticket: {**ticket, "tkt": ticket["tkt"][:-2] + "AA"}, -500),
        (lambda ticket: {**ticket, "tkt": ""}, -500),
        (lambda ticket: {**ticket, "tkt": 5}, -200),
    ],
)
async def test_a_ticket_that_is_none_is_refused(spoil: Any, result: int, meet: Meet, enter: Enter) -> None:
    meeting = await meet()
    client = await enter({"ticket": spoil(json.loads(meeting.created["ticket"]))})
    assert client.entered["result"] == result
    assert client.entered["msg"]
    assert "memId" not in client.entered


async def test_a_conference_that_is_over_is_refused_with_506(meet: Meet, enter: Enter) -> None:
    meeting = await meet()
    await meeting.alice.rtc("disband/conference")
    assert (await enter(meeting.created)).entered["result"] == -506


async def test_the_talker_too_many_is_refused_with_523_at_both_doors(meet: Meet, enter: Enter) -> None:
    meeting = await meet(confrType=12, maxTalkerCount=2, memDefaultRole=3)
    bob, carol = await in_thread(meeting.user, "bob"), await in_thread(meeting.user, "carol")
    for_carol = await in_thread(carol.ticket, confrId=meeting.id, password="pw", role=3)
    await enter(await in_thread(bob.ticket, confrId=meeting.id, password="pw", role=3))
    assert (await in_thread(carol.ticket, confrId=meeting.id, password="pw", role=3))["error"] == -523
    assert (await enter(for_carol)).entered["result"] == -523
    assert (await in_thread(carol.ticket, confrId=meeting.id, password="pw", role=1))["role"] == 1


async def test_the_member_too_many_of_a_small_circle_is_refused_with_522(meet: Meet, enter: Enter) -> None:
    meeting = await meet(maxTalkerCount=1)
    bob = await in_thread(meeting.user, "bob")
    assert (await in_thread(bob.ticket, confrId=meeting.id, password="pw"))["error"] == -522


# What is told, and in which order


@pytest.mark.parametrize("message", ["", "x", "[]", "5", '{"op": "x"}', '{"op": 1000, "tsxId": 5}', b"\x00\xff"])
async def test_what_is_no_frame_is_refused_in_the_words_of_this_protocol(message: str | bytes, meet: Meet) -> None:
    meeting = await meet()
    bob = await meeting.join("bob", lang="zh-hans")
    alice = meeting.alice.socket
    await alice.until(300)
    before = (await in_thread(meeting.room.types), len(alice.frames))
    refusal = await bob.socket.ask_as_it_is(message)
    assert (refusal["op"], refusal["tsxId"], refusal["result"]) == (1001, "", -200)
    assert refusal["msg"].startswith("无法读取此帧")
    assert refusal["msg"].endswith('{"op": …, "tsxId": "…"}。')
    assert (await alice.ask_as_it_is(message))["msg"].endswith('{"op": …, "tsxId": "…"}.')
    assert (await bob.socket.ask(1000))["result"] == 0
    assert (await in_thread(meeting.room.types), len(alice.frames)) == (before[0], before[1] + 1)


async def test_every_push_has_the_receivers_sess_id(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    await in_thread(meeting.room.publish, "carol")
    await meeting.alice.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b", "op": "UPDATE"}])
    for member in meeting.members.values():
        await member.socket.until(402)
        assert {push["sessId"] for push in member.socket.pushes} == {member.socket.sess_id}
    assert len({member.socket.sess_id for member in meeting.members.values()}) == 3


async def test_a_member_comes_before_its_stream_and_goes_after_it(meet: Meet) -> None:
    meeting = await meet("bob")
    published = await in_thread(meeting.room.publish, "bob", "wx-1-zlz", "")
    added = await meeting.alice.socket.until(302)
    await meeting.bob.socket.ask(201)
    gone = await meeting.alice.socket.until(301)
    assert meeting.alice.socket.ops == [300, 302, 303, 301]
    assert (added["memId"], gone["memId"]) == (meeting.bob.mem_id, meeting.bob.mem_id)
    assert added["pubS"]["id"] == "wx-1-zlz__Of_M2"
    assert added["pubS"]["memName"] == meeting.bob.calls.uid
    assert published.stream.media_name not in orjson.dumps(added).decode()


async def test_who_comes_later_finds_the_streams_in_the_reply(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(meeting.room.publish, "bob")
    await meeting.alice.socket.until(302)
    carol = await meeting.join("carol")
    [stream] = carol.socket.entered["streams"]
    assert (stream["memId"], stream["memName"]) == (meeting.bob.mem_id, meeting.bob.calls.uid)
    assert carol.socket.pushes == []


async def test_nobody_is_told_of_its_own_stream(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(meeting.room.publish, "bob")
    await meeting.alice.socket.until(302)
    await meeting.alice.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b", "op": "UPDATE"}])
    await meeting.bob.socket.until(402)
    assert meeting.bob.socket.ops == [402]


async def test_a_stream_ends_when_the_media_server_says_so(meet: Meet, media: Any) -> None:
    meeting = await meet("bob")
    publication = await in_thread(meeting.room.publish, "bob")
    await meeting.alice.socket.until(302)
    await in_thread(_release, publication)
    assert (await meeting.alice.socket.until(303))["pubSId"] == "camera__Of_M2"


def _release(publication: Publication) -> None:
    admission.release_client(publication.event)


async def test_cver_grows_with_every_push(meet: Meet) -> None:
    meeting = await meet("bob")
    await meeting.bob.socket.ask(201)
    await meeting.join("carol")
    await meeting.alice.socket.until(300, count=2)
    numbers = [push["cver"] for push in meeting.alice.socket.pushes]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > meeting.alice.socket.entered["cver"]


async def test_the_audience_of_live_comes_and_goes_in_silence_and_is_announced_when_it_talks(meet: Meet) -> None:
    meeting = await meet(confrType=12)
    carol = await meeting.join("carol", role=3)
    assert carol.socket.entered["role"] == 1
    assert [member["id"] for member in carol.socket.entered["mems"]] == [meeting.alice.mem_id, carol.mem_id]
    dora = await meeting.join("dora")
    assert carol.mem_id not in [member["id"] for member in dora.socket.entered["mems"]]
    await dora.socket.ask(201)
    await meeting.alice.rtc("chanage/roles", uids=[carol.calls.uid], role=3)
    told = await meeting.alice.socket.until(300)
    assert (told["mem"]["id"], told["mem"]["role"]) == (carol.mem_id, 3)
    await in_thread(meeting.room.publish, "carol")
    await meeting.alice.socket.until(302)
    assert meeting.alice.socket.ops == [300, 302]
    assert carol.socket.ops == [412]


async def test_an_invisible_member_is_507_to_others(meet: Meet) -> None:
    meeting = await meet(confrType=12)
    carol = await meeting.join("carol")
    for op2 in (23, 24):
        frame = {"memId": carol.mem_id, "arg": json.dumps({"op2": op2, "memId": carol.mem_id})}
        assert (await meeting.alice.socket.ask(1002, **frame))["result"] == -507
    assert (await meeting.alice.socket.ask(1003, memId=carol.mem_id, arg="{}"))["result"] == -507
    assert carol.socket.pushes == []


# Ending


async def test_disbanding_is_told_to_each_as_301_on_oneself_with_11(meet: Meet) -> None:
    meeting = await meet("bob")
    assert await meeting.alice.rtc("disband/conference") == {"error": 0}
    for member in (meeting.alice, meeting.bob):
        told = await member.socket.until(301, memId=member.mem_id)
        assert told["reason"] == 11
        await member.socket.closed()
        assert 204 not in member.socket.ops
        assert member.socket.ops.count(301) == 1


async def test_op_204_ends_the_conference_for_an_admin_only(meet: Meet) -> None:
    meeting = await meet("bob")
    assert (await meeting.bob.socket.ask(204, reason=11))["result"] == -101
    assert (await in_thread(lambda: meeting.room.row)).state == Conference.State.LIVE
    assert (await meeting.alice.socket.ask(204, reason=11))["result"] == 0
    assert (await meeting.bob.socket.until(301))["reason"] == 11


async def test_the_kicked_hears_301_with_12_and_stays_out(meet: Meet, enter: Enter) -> None:
    meeting = await meet("bob", "carol")
    bob, url = meeting.bob, meeting.bob.socket.entered["useUrl"]
    assert await meeting.alice.rtc("kick/member", uids=[bob.calls.uid]) == {"error": 0}
    assert (await bob.socket.until(301, memId=bob.mem_id))["reason"] == 12
    assert await bob.socket.closed() == 4412
    assert (await meeting.carol.socket.until(301, memId=bob.mem_id))["reason"] == 12
    assert (await enter(bob.answer)).entered["result"] == -500
    assert (await in_thread(bob.calls.ticket, confrId=meeting.id, password="pw"))["error"] == -701
    assert (await in_thread(bob.calls, url, op="pubS", rtcId="a"))["error"] == -504
    assert (await bob.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b"}]))["error"] == -101


async def test_who_leaves_is_not_told_of_its_own_leave(meet: Meet) -> None:
    meeting = await meet("bob")
    assert (await meeting.bob.socket.ask(201, reason=0))["result"] == 0
    assert await meeting.bob.socket.closed() == 1000
    assert meeting.bob.socket.ops == []
    assert (await meeting.alice.socket.until(301))["reason"] == 0
    assert (await in_thread(lambda: meeting.room.member("bob"))).state == Member.State.EXITED


async def test_whom_the_application_takes_out_is_told(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(_take_out, meeting, "bob")
    assert (await meeting.bob.socket.until(301))["reason"] == 0


def _take_out(meeting: Meeting, name: str) -> None:
    room = meeting.room
    members.leave(actor=room.backend, confr_id=room.id, user_id=room.member(name).user_id)


async def test_another_device_takes_the_place_and_the_first_hears_301_with_10(meet: Meet, enter: Enter) -> None:
    meeting = await meet("bob")
    again = await in_thread(meeting.bob.calls.ticket, confrId=meeting.id, password="pw")
    second = await enter(again)
    assert (await meeting.bob.socket.until(301))["reason"] == 10
    await meeting.bob.socket.closed()
    assert second.entered["memId"] == meeting.bob.mem_id
    assert meeting.alice.socket.ops == [300]
    assert second.pushes == []


# Many, and much


async def test_a_thousand_characters_of_ext_and_a_long_nickname_are_kept_in_bounds(meet: Meet) -> None:
    meeting = await meet()
    bob = await meeting.join("bob", ext=json.dumps({"nickName": "n" * 100, "x": "y" * 1000}))
    [own] = [member for member in bob.socket.entered["mems"] if member["id"] == bob.mem_id]
    assert (len(own["nickName"]), len(own["ext"]) > 1000) == (64, True)


async def test_a_full_room_enters_at_once(user: User, enter: Enter) -> None:
    calls = [await in_thread(user, f"user{number}") for number in range(9)]
    created = await in_thread(calls[0].ticket, **CREATE)
    others = [await in_thread(each.ticket, confrId=created["confrId"], password="pw") for each in calls[1:]]
    sockets = await asyncio.gather(*(enter(answer) for answer in [created, *others]))
    assert {socket.entered["result"] for socket in sockets} == {0}
    everybody = {socket.entered["memId"] for socket in sockets}
    for socket in sockets:
        known = [member["id"] for member in socket.entered["mems"]]
        await socket.until_true(lambda: len(known) + len(socket.pushes) >= len(everybody))  # noqa: B023 at once
        assert sorted(known + [push["mem"]["id"] for push in socket.pushes]) == sorted(everybody)


async def test_a_role_above_the_ceiling_is_granted_at_the_ceiling(meet: Meet) -> None:
    meeting = await meet(memDefaultRole=1)
    bob = await in_thread(meeting.user, "bob")
    assert (await in_thread(bob.ticket, confrId=meeting.id, password="pw", role=7))["role"] == Role.AUDIENCE
