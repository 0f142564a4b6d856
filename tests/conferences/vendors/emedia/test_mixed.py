"""One conference, several protocols: each sees every event of the others once and in order."""

from __future__ import annotations

import asyncio

from accounts.threads import in_thread
from tests.conferences.vendors.emedia.conftest import Meet, Meeting
from tests.live_client import LiveClient
from tests.web import Web


async def native(meeting: Meeting, web: Web, name: str) -> LiveClient:
    """A member over `/live`, with a ticket of the same conference."""
    issued = await in_thread(meeting.room.ticket, name)
    return await LiveClient.enter(web.live, issued.text, nickName=name.title(), ext="native")


async def test_a_native_member_and_an_emedia_member_see_each_other(meet: Meet, web: Web) -> None:
    meeting = await meet("bob")
    dora = await native(meeting, web, "dora")
    assert [(member["memName"], member["role"]) for member in dora.entered["members"]] == [
        ("alice", 7),
        ("bob", 3),
        ("dora", 3),
    ]
    told = (await meeting.bob.socket.until(300))["mem"]
    assert (told["id"], told["nickName"], told["ext"]) == (dora.entered["memId"], "Dora", "native")
    assert told["name"] == meeting.bob.calls.uid.replace("bob", "dora")
    await dora.close()


async def test_each_sees_every_event_of_the_others_once_and_in_order(meet: Meet, web: Web) -> None:
    meeting = await meet("bob")
    bob = meeting.bob
    dora = await native(meeting, web, "dora")
    await bob.socket.until(300)
    first = len(bob.socket.pushes)

    await in_thread(meeting.room.publish, "dora", "doras")
    await dora.ask("switchStream", streamId="doras__Of_M3", voff=1)
    await dora.ask("setConferenceAttrs", attrs={"topic": "today"})
    await dora.ask("sendCommand", memNames=["bob"], content="psst")
    await dora.ask("sendBroadcast", content="hello")
    await dora.ask("requestRole", role=7, ref="r1")
    await meeting.alice.rtc("chanage/roles", uids=["dora"], role=7)
    await dora.ask("muteMembers", memNames=["bob"], kinds=["audio"])
    await dora.ask("muteAll", kinds=["audio"], muted=True)
    await dora.ask("muteAll", kinds=["audio"], muted=False)
    await dora.ask("grantRole", memNames=["bob"], role=1)
    await dora.ask("exit")
    await bob.socket.until(301)
    assert [push["op"] for push in bob.socket.pushes[first:]] == [
        302, 400, 402, 1003, 1003, 413, 1002, 402, 402, 412, 303, 301,
    ]  # fmt: skip
    hand = await meeting.alice.socket.until(1002)
    assert hand["tsxId"] == "r1"
    assert await dora.closed() == 1000


async def test_the_native_member_sees_the_others_deeds_once_and_in_order(meet: Meet, web: Web) -> None:
    meeting = await meet()
    dora = await native(meeting, web, "dora")
    bob = await meeting.join("bob", ext='{"nickName":"Bobby"}')
    await in_thread(meeting.room.publish, "bob", "bobs")
    await bob.socket.ask(400, rtcId="bobs", voff=1)
    await bob.rtc("confr/attrs/update", cattrs=[{"key": "a", "val": "b", "op": "UPDATE"}])
    await bob.socket.ask(1003, memId=dora.entered["memId"], arg="psst")
    await meeting.alice.rtc("confr/attrs/update", cstate={"muteAll": True})
    await meeting.alice.rtc("chanage/roles", uids=["dora"], role=7)
    await bob.socket.ask(1002, memId=dora.entered["memId"], tsxId="MSG1-1", arg='{"op2":22}')
    await meeting.alice.rtc("kick/member", uids=["bob"])
    await dora.until("onMemberExited")
    assert [event for event in dora.events if event != "onAudienceCount"] == [
        "onMemberJoined",
        "onStreamAdded",
        "onMediaChanaged",
        "onConfrAttrsUpdated",
        "onCommand",
        "onMuteAll",
        "onMediaChanaged",  # bob is muted
        "onMediaChanaged",  # and dora
        "onRoleChanged",
        "onRequestToAdmin",
        "onStreamRemoved",
        "onMemberExited",
    ]
    dora.assert_unbroken()
    await dora.close()


async def test_one_user_is_one_member_whichever_way_it_comes(meet: Meet, web: Web) -> None:
    meeting = await meet("bob")
    again = await native(meeting, web, "bob")
    assert again.entered["memId"] == meeting.bob.mem_id
    assert (await meeting.bob.socket.until(301))["reason"] == 10
    assert meeting.alice.socket.ops == [300]
    back = await meeting.join("bob")
    assert back.mem_id == again.entered["memId"]
    assert await again.closed() == 4409


async def test_the_end_is_told_to_each_in_its_own_way(meet: Meet, web: Web) -> None:
    meeting = await meet("bob")
    dora = await native(meeting, web, "dora")
    await meeting.alice.rtc("disband/conference")
    ended = await dora.until("onConferenceExit")
    assert ended["data"]["reason"] == 11
    assert (await meeting.bob.socket.until(301))["reason"] == 11
    assert set(await asyncio.gather(dora.closed(), meeting.bob.socket.closed())) == {4410}
