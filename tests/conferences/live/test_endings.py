"""How a socket ends: who asked for it, what the client is told, and the close code."""

from __future__ import annotations

import pytest

from accounts.threads import in_thread
from conferences import delivery
from conferences.models import ExitReason, Member
from conferences.services import conferences, members, messages
from conferences.services.members import Loss
from tests.conferences.live.conftest import Enter, state_of, ticket
from tests.factories import Room
from tests.live_client import Refused


async def test_a_kicked_member_is_told_and_cut_and_stays_out(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    text = await ticket(room, "dora")
    dora = await enter(text)
    result = await alice.ask("kickMembersById", memNames=["dora", "nobody"], reason="rude")
    assert result == {"members": {"dora": True, "nobody": False}}
    assert await dora.closed() == 4412
    farewell = dora.pushes[-1]
    assert (farewell["event"], farewell["data"]) == ("onConferenceExit", {"reason": ExitReason.KICKED})
    told = await alice.until("onMemberExited")
    assert told["data"] == {"memId": dora.entered["memId"], "memName": "dora", "reason": ExitReason.KICKED}
    again = await enter()
    with pytest.raises(Refused, match="ticket_revoked"):
        await again.ask("enter", ticket=text)
    assert await again.closed() == 4401
    dora.assert_unbroken()


async def test_a_second_device_takes_the_seat_and_the_first_is_told(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    text = await ticket(room, "dora")
    phone = await enter(text)
    tablet = await enter(text)
    assert tablet.entered["memId"] == phone.entered["memId"]
    assert await phone.closed() == 4409
    assert phone.pushes[-1]["event"] == "onConferenceExit"
    assert phone.pushes[-1]["data"] == {"reason": ExitReason.OTHER_DEVICE}
    assert "seq" not in phone.pushes[-1]
    await alice.ask("sendBroadcast", content="still here?")
    await tablet.until("onBroadcast", content="still here?")
    assert (await in_thread(room.member, "dora")).state == Member.State.PRESENT
    assert "onMemberExited" not in alice.events


async def test_a_late_goodbye_of_an_old_socket_hurts_nobody(enter: Enter, room: Room) -> None:
    text = await ticket(room, "dora")
    old = await enter(text)
    before = await in_thread(room.member, "dora")
    new = await enter(text)
    await old.closed()
    losses = [Loss(before.pk, before.connection)]
    await in_thread(members.lose, conference_id=room.conference.pk, losses=losses)
    await new.ask("ping")
    assert (await in_thread(room.member, "dora")).state == Member.State.PRESENT
    assert await in_thread(lambda: room.events("member.lost")) == []


async def test_many_devices_in_turn_leave_exactly_the_last_one(enter: Enter, room: Room) -> None:
    text = await ticket(room, "dora")
    sockets = [await enter(text) for _ in range(6)]
    for old in sockets[:-1]:
        assert await old.closed() == 4409
    assert (await sockets[-1].ask("ping"))["seq"] >= 0


async def test_leaving_is_answered_and_then_closed(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    dora = await enter(await ticket(room, "dora"))
    assert await dora.ask("exit") == {}
    assert await dora.closed() == 1000
    assert dora.pushes[-1]["data"] == {"reason": ExitReason.LEFT}
    assert (await alice.until("onMemberExited"))["data"]["reason"] == ExitReason.LEFT


async def test_the_end_of_the_conference_ends_every_socket(enter: Enter, room: Room) -> None:
    clients = [await enter(await ticket(room, name)) for name in ("alice", "bob", "dora")]
    await in_thread(conferences.destroy_conference, actor=room.backend, confr_id=room.id)
    for client in clients:
        assert await client.closed() == 4410
        farewell = client.pushes[-1]
        assert farewell["event"] == "onConferenceExit"
        assert farewell["data"] == {"reason": ExitReason.CONFERENCE_CLOSED, "cause": "destroyed"}
        client.assert_unbroken()


async def test_a_goodbye_is_a_lost_socket_and_not_an_exit(enter: Enter, room: Room) -> None:
    dora = await enter(await ticket(room, "dora"))
    await dora.close()
    await state_of(room, "dora", Member.State.RECONNECTING)


async def test_a_wake_up_that_redis_lost_is_a_second_late_at_most(
    enter: Enter, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora = await enter(await ticket(room, "dora"))
    monkeypatch.setattr(delivery, "CHANNEL", "a channel that no hub listens to")
    await in_thread(messages.broadcast, actor=room.backend, confr_id=room.id, content="unheard")
    await dora.until("onBroadcast", content="unheard")
    dora.assert_unbroken()
