"""Coming back over another socket: exactly what was missed, or a snapshot."""

from __future__ import annotations

import pytest

from accounts.threads import in_thread
from conferences.models import Member
from conferences.services import members, messages, snapshots
from tests.conferences.live.conftest import Enter, state_of, ticket
from tests.factories import Room


async def test_a_client_that_comes_back_hears_exactly_what_it_missed(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    dora_ticket = await ticket(room, "dora")
    dora = await enter(dora_ticket)
    await alice.ask("sendBroadcast", content="before")
    await dora.until("onBroadcast", content="before")
    dora.cut()
    await state_of(room, "dora", "reconnecting")
    for content in ("one", "two", "three"):
        await alice.ask("sendBroadcast", content=content)
    await alice.ask("sendCommand", memNames=["bob"], content="not for dora")
    again = await enter(dora_ticket, lastSeq=dora.last_seq)
    assert again.entered["resumed"] is True
    assert again.entered["seq"] == dora.last_seq
    assert again.entered["memId"] == dora.entered["memId"]
    assert "members" not in again.entered
    await alice.ask("sendBroadcast", content="after")
    await again.until("onBroadcast", content="after")
    assert [push["data"]["content"] for push in again.pushes] == ["one", "two", "three", "after"]
    assert again.pushes[0]["prev"] == dora.last_seq
    again.assert_unbroken()
    assert (await state_of(room, "dora", "present")).exited_at is None
    assert "onMemberExited" not in alice.events


async def test_a_client_that_missed_nothing_hears_nothing(enter: Enter, room: Room) -> None:
    text = await ticket(room, "dora")
    dora = await enter(text)
    await dora.ask("sendBroadcast", content="mine")
    await dora.until("onBroadcast")
    again = await enter(text, lastSeq=dora.last_seq)
    assert again.entered["resumed"] is True
    await again.ask("ping")
    assert again.pushes == []


@pytest.mark.parametrize("last_seq", [0, 1, 10_000])
async def test_a_number_that_is_not_of_this_seat_gets_a_snapshot(last_seq: int, enter: Enter, room: Room) -> None:
    text = await ticket(room, "dora")
    await enter(text)
    again = await enter(text, lastSeq=last_seq)
    assert again.entered["resumed"] is False
    assert {member["memName"] for member in again.entered["members"]} == {"alice", "bob", "carol", "dora"}


async def test_a_new_seat_gets_a_snapshot_and_nothing_from_before_it(enter: Enter, room: Room) -> None:
    dora = await enter(await ticket(room, "dora"))
    last_seq = dora.last_seq
    await dora.ask("exit")
    await in_thread(messages.broadcast, actor=room.backend, confr_id=room.id, content="among ourselves")
    text = await ticket(room, "dora")
    again = await enter(text, lastSeq=last_seq)
    assert again.entered["resumed"] is False
    third = await enter(text, lastSeq=last_seq)
    assert third.entered["resumed"] is False
    assert third.pushes == []


async def test_who_is_more_than_a_thousand_facts_behind_gets_a_snapshot(enter: Enter, room: Room) -> None:
    text = await ticket(room, "dora")
    dora = await enter(text)
    await dora.close()
    await state_of(room, "dora", "reconnecting")

    def broadcast(count: int) -> None:
        for _ in range(count):
            messages.broadcast(actor=room.backend, confr_id=room.id, content="x")

    # Coming back is a fact too, and so was going.
    await in_thread(broadcast, snapshots.MAX_REPLAY - 2)
    again = await enter(text, lastSeq=dora.last_seq)
    assert again.entered["resumed"] is True
    await again.until_pushes(snapshots.MAX_REPLAY - 2)
    again.assert_unbroken()
    await again.close()
    late = await enter(text, lastSeq=dora.last_seq)
    assert late.entered["resumed"] is False


async def test_a_lost_socket_keeps_the_seat_and_nobody_is_told(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    dora = await enter(await ticket(room, "dora"))
    await alice.until("onMemberJoined", memName="dora")
    dora.cut()
    member = await state_of(room, "dora", "reconnecting")
    assert await in_thread(members.sweep_lost) == 0
    await in_thread(Member.objects.filter(pk=member.pk).update, lost_at=member.entered_at.replace(year=2020))
    assert await in_thread(members.sweep_lost) == 1
    told = await alice.until("onMemberExited")
    assert told["data"] == {"memId": dora.entered["memId"], "memName": "dora", "reason": 6}
    alice.assert_unbroken()
