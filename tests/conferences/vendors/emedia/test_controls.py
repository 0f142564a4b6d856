"""What emedia's members do to each other and to themselves over the socket, and where it hands out media."""

from __future__ import annotations

import json

import pytest

from accounts.threads import in_thread
from conferences.models import Kind
from conferences.services import messages, moderation
from tests.conferences.vendors.emedia.conftest import Meet, Meeting
from tests.emedia_client import EmediaClient, Json

# Roles


async def test_the_last_admin_goes_the_heir_hears_412_and_all_hear_413(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    await meeting.alice.socket.ask(201)
    bob, carol = meeting.bob.socket, meeting.carol.socket
    told = await bob.until(412)
    assert (told["role"], told["roleToken"]) == (7, meeting.bob.role_token)
    for socket in (bob, carol):
        assert (await socket.until(413))["memberId"] == meeting.bob.mem_id
    assert bob.ops == [300, 301, 412, 413]
    assert carol.ops == [301, 413]


async def test_a_new_admin_acts_with_the_role_token_that_it_has(meet: Meet) -> None:
    """The mini-program's SDK keeps the old one: it says who one is, and the role is looked up."""
    meeting = await meet("bob", "carol")
    assert (await meeting.bob.rtc("kick/member", uids=[meeting.carol.calls.uid]))["error"] == -101
    await meeting.alice.rtc("chanage/roles", uids=[meeting.bob.calls.uid], role=7)
    await meeting.bob.socket.until(412)
    assert (await meeting.bob.rtc("kick/member", uids=[meeting.carol.calls.uid]))["error"] == 0
    assert (await meeting.carol.socket.until(301, memId=meeting.carol.mem_id))["reason"] == 12


async def test_demotion_to_audience_ends_the_streams(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(meeting.room.publish, "bob")
    await meeting.alice.rtc("chanage/roles", uids=[meeting.bob.calls.uid], role=1)
    assert (await meeting.alice.socket.until(303))["memId"] == meeting.bob.mem_id
    assert (await meeting.bob.socket.until(412))["role"] == 1
    assert (await meeting.bob.media(op="pubS", rtcId="again"))["error"] == -101


# Muting, raising a hand, messages


async def test_mute_all_is_told_once_enforced_and_told_to_newcomers(meet: Meet) -> None:
    meeting = await meet("bob")
    assert await meeting.alice.rtc("confr/attrs/update", cstate={"muteAll": True}) == {"error": 0}
    told = await meeting.bob.socket.until(402)
    assert (told["cattrs"], told["cstate"]) == ([], {"muteAll": True})
    carol = await meeting.join("carol")
    assert carol.socket.entered["cstate"] == {"muteAll": True}
    muted = await in_thread(lambda: {name: meeting.room.member(name).muted for name in ("alice", "bob", "carol")})
    assert muted == {"alice": [], "bob": ["audio"], "carol": ["audio"]}
    assert (await carol.media(op="pubS", rtcId="mic", kind="audio"))["error"] == -101
    assert (await meeting.bob.rtc("confr/attrs/update", cstate={"muteAll": False}))["error"] == -101
    await meeting.alice.rtc("confr/attrs/update", cstate={"muteAll": False})
    assert (await carol.socket.until(402))["cstate"] == {"muteAll": False}
    assert meeting.bob.socket.ops == [402, 300, 402]


async def test_one_is_muted_by_an_admin_only_and_the_server_enforces_it(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    bob = meeting.bob
    mute = {"memId": bob.mem_id, "arg": json.dumps({"op2": 23, "memId": bob.mem_id})}
    assert (await meeting.carol.socket.ask(1002, **mute))["result"] == -101
    assert (await in_thread(lambda: meeting.room.member("bob"))).muted == []
    assert (await meeting.alice.socket.ask(1002, **mute))["result"] == 0
    assert json.loads((await bob.socket.until(1002))["arg"])["op2"] == 23
    assert (await bob.media(op="pubS", rtcId="mic", kind="audio"))["error"] == -101
    unmute = {"memId": bob.mem_id, "arg": json.dumps({"op2": 24, "memId": bob.mem_id})}
    assert (await meeting.alice.socket.ask(1002, **unmute))["result"] == 0
    assert json.loads((await bob.socket.until(1002, count=2))["arg"])["op2"] == 24
    assert (await bob.media(op="pubS", rtcId="mic", kind="audio"))["error"] == 0
    assert [1002 in member.socket.ops for member in (meeting.alice, meeting.carol)] == [False, False]


async def test_a_raised_hand_reaches_the_admin_and_the_answer_comes_back(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    alice, carol = meeting.alice, meeting.carol
    arg = {"op2": 21, "memId": alice.mem_id, "memName": alice.calls.uid, "nickName": "the boss"}
    assert (await carol.socket.ask(1002, memId=alice.mem_id, arg=json.dumps(arg)))["result"] == 0
    hand = await alice.socket.until(1002)
    assert json.loads(hand["arg"]) == {
        "op2": 21,
        "memId": carol.mem_id,
        "memName": carol.calls.uid,
        "nickName": "carol",
    }  # whoever asks cannot ask in another name
    answer = {"memId": carol.mem_id, "tsxId": hand["tsxId"], "result": 1, "arg": json.dumps({"op2": 21})}
    await meeting.bob.socket.send(op=1001, **answer)
    await alice.socket.send(op=1001, **answer)
    refused = await carol.socket.until(1001)
    assert (refused["tsxId"], refused["result"], json.loads(refused["arg"])["op2"]) == (hand["tsxId"], 1, 21)
    await alice.rtc("chanage/roles", uids=[carol.calls.uid], role=7)
    await carol.socket.until(412)
    assert carol.socket.ops.count(1001) == 1
    assert 1002 not in meeting.bob.socket.ops


async def test_a_hand_for_who_is_no_admin_is_refused(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    frame = {"memId": meeting.bob.mem_id, "arg": json.dumps({"op2": 21})}
    assert (await meeting.carol.socket.ask(1002, **frame))["result"] == -504
    assert meeting.bob.socket.ops == [300]


async def test_a_refusal_speaks_the_language_that_was_said_at_the_door(meet: Meet) -> None:
    meeting = await meet()
    bob = await meeting.join("bob", lang="zh-hans")
    refused = await bob.socket.ask(1002, memId=meeting.alice.mem_id, arg=json.dumps({"op2": 23}))
    assert (refused["result"], refused["msg"]) == (-101, "您无权执行此操作；请联系具备相应角色的人。")
    unread = await bob.socket.ask(400)
    assert unread["msg"].endswith("(rtcId)")


async def test_messages_pass_through(meet: Meet) -> None:
    meeting = await meet("bob", "carol")
    assert (await meeting.alice.socket.ask(1003, memId=meeting.bob.mem_id, arg='{"x":1}'))["result"] == 0
    told = await meeting.bob.socket.until(1003)
    assert (told["memId"], told["arg"]) == (meeting.alice.mem_id, '{"x":1}')
    await in_thread(_broadcast, meeting, "hello")
    for member in meeting.members.values():
        await member.socket.until(1003, arg="hello")
    assert meeting.carol.socket.ops == [1003]


def _broadcast(meeting: Meeting, content: str) -> None:
    messages.broadcast(actor=meeting.room.backend, confr_id=meeting.id, content=content)


async def test_a_camera_is_switched_off_by_its_owner_and_by_nobody_else(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(meeting.room.publish, "bob", "wx-1-zlz", "")
    await meeting.alice.socket.until(302)
    off = {"rtcId": "wx-1-zlz", "voff": 1, "aoff": 0}
    assert (await meeting.alice.socket.ask(400, **off))["result"] == -507
    assert (await meeting.bob.socket.ask(400, **off))["result"] == 0
    told = await meeting.alice.socket.until(400)
    assert (told["streamId"], told["voff"], told["aoff"]) == ("wx-1-zlz__Of_M2", 1, 0)
    assert 400 not in meeting.bob.socket.ops


async def test_who_is_muted_cannot_switch_its_sound_on(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(meeting.room.publish, "bob", "wx-1-zlz", "")
    await meeting.bob.socket.ask(400, rtcId="wx-1-zlz", aoff=1)
    await in_thread(_mute, meeting, "bob")
    assert (await meeting.bob.socket.ask(400, rtcId="wx-1-zlz", aoff=0))["result"] == -101


def _mute(meeting: Meeting, name: str) -> None:
    moderation.mute_members(
        actor=meeting.room.backend, confr_id=meeting.id, names=[name], kinds=[Kind.AUDIO], muted=True
    )


# What is not offered


@pytest.mark.parametrize("op", [102, 103, 104, 105, 106, 107, 205, 206, 500, 100, 0, 9999])
async def test_what_asks_for_webrtc_is_refused_with_507_and_the_socket_lives(op: int, meet: Meet) -> None:
    meeting = await meet()
    reply = await meeting.alice.socket.ask(op, rtcId="rtc-1", sdp="{}")
    assert (reply["op"], reply["result"]) == (1001, -507)
    assert (await meeting.alice.socket.ask(1000))["result"] == 0


async def test_remote_control_is_refused_with_507(meet: Meet) -> None:
    meeting = await meet("bob")
    for op2 in (20, 30):
        frame = {"memId": meeting.bob.mem_id, "arg": json.dumps({"op2": op2, "streamId": "s"})}
        assert (await meeting.alice.socket.ask(1002, **frame))["result"] == -507
    assert meeting.bob.socket.pushes == []


async def test_what_is_refused_inside_does_not_say_that_the_conference_is_over(meet: Meet) -> None:
    """SDKs leave for -500, -501, -502, -504, -506, -508 and -510, but in a reply to 1002."""
    meeting = await meet("bob")
    replies = [
        await meeting.bob.socket.ask(204),
        await meeting.bob.socket.ask(400, rtcId="none", voff=1),
        await meeting.bob.socket.ask(1003, memId="nobody", arg="{}"),
        await meeting.bob.socket.ask(1003, memId=meeting.alice.mem_id, arg="x" * 9000),
        await meeting.bob.socket.ask(205, subSId="none"),
    ]
    assert not {reply["result"] for reply in replies} & {0, -500, -501, -502, -504, -506, -508, -510}


async def test_before_op_200_there_is_nothing(meet: Meet) -> None:
    meeting = await meet()
    client = await EmediaClient.connect(json.loads(meeting.created["ticket"])["url"])
    assert (await client.ask(1000, cver=1))["result"] == -500
    await client.close()


# Media


async def test_the_members_own_address_hands_out_where_to_push_and_to_play(meet: Meet) -> None:
    meeting = await meet("bob")
    pushed = await meeting.bob.media(op="pubS", rtcId="wx-1-zlz")
    assert (pushed["error"], pushed["streamId"]) == (0, "wx-1-zlz__Of_M2")
    assert pushed["rtmp"].startswith("rtmp://")
    await in_thread(meeting.room.publish, "bob", "wx-1-zlz", "")
    added = await meeting.alice.socket.until(302)
    played = await meeting.alice.media(op="subS", streamId=added["pubS"]["id"])
    assert played["rtmp"].startswith("rtmp://")
    assert played["rtmp"] != pushed["rtmp"]


async def test_a_media_address_is_one_members_and_cannot_be_guessed(meet: Meet) -> None:
    meeting = await meet("bob")
    alices, bobs = (member.socket.entered["useUrl"] for member in (meeting.alice, meeting.bob))
    assert alices != bobs
    head, _, mac = bobs.rpartition(".")
    forged = f"{alices.rpartition('.')[0]}.{mac}"
    for url in (forged, f"{head}.", f"{head}.{'A' * len(mac)}", f"{head}", f"{head}.{mac}x"):
        assert (await in_thread(meeting.bob.calls, url, op="pubS", rtcId="a"))["error"] == -504


async def test_a_media_address_dies_with_the_seat(meet: Meet) -> None:
    meeting = await meet("bob")
    await meeting.bob.socket.ask(201)
    assert (await meeting.bob.media(op="pubS", rtcId="a"))["error"] == -504


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"op": "pubS"}, -200),
        ({"op": "pubS", "rtcId": "../x"}, -200),
        ({"op": "pubS", "rtcId": "a", "kind": "smell"}, -200),
        ({"op": "subS"}, -200),
        ({"op": "subS", "streamId": "none__Of_M2"}, -507),
        ({"op": "stop"}, -200),
        ({}, -200),
    ],
)
async def test_what_cannot_be_published_or_played_is_refused(body: Json, error: int, meet: Meet) -> None:
    meeting = await meet("bob")
    assert (await meeting.bob.media(**body))["error"] == error


async def test_ones_own_stream_is_taken_back(meet: Meet) -> None:
    meeting = await meet("bob")
    await in_thread(meeting.room.publish, "bob", "wx-1-zlz", "")
    assert (await meeting.alice.media(op="unpubS", streamId="wx-1-zlz__Of_M2"))["error"] == -507
    assert (await meeting.bob.media(op="unpubS", streamId="wx-1-zlz__Of_M2"))["error"] == 0
    assert (await meeting.alice.socket.until(303))["pubSId"] == "wx-1-zlz__Of_M2"
