"""Sockets that went away: their seats are told, together and however long it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from django.db import connection, transaction

from accounts.threads import in_thread
from conferences.hub import Hub
from conferences.models import Conference, Member
from conferences.services.members import LOSSES_AT_ONCE, Loss
from tests.factories import Room, until


@pytest.fixture
async def hub(committed: None) -> AsyncIterator[Hub]:
    started = Hub()
    await started.start()
    yield started
    await started.stop()


def fill(room: Room, count: int) -> list[Loss]:
    """Members of the conference, and their sockets that will be gone."""
    members = [room.enter(f"user-{number}") for number in range(count)]
    return [Loss(member.pk, member.connection) for member in members]


async def lost(room: Room, count: int) -> None:
    gone = Member.objects.filter(conference=room.conference, state=Member.State.RECONNECTING)
    await in_thread(until, lambda: gone.count() == count, 10)


async def test_sockets_that_go_at_once_are_noted_together(hub: Hub, new_room: Callable[..., Room]) -> None:
    room = await in_thread(new_room, limits={"talkers": 100})
    losses = await in_thread(fill, room, LOSSES_AT_ONCE + 1)
    for loss in losses:
        hub.say_goodbye(room.conference.pk, loss)
    await lost(room, len(losses))
    events = await in_thread(room.events, "member.lost")
    assert [event.data["member"] for event in events] == [*range(1, len(losses) + 1)]
    assert len({event.at for event in events}) == 2  # transactions


async def test_who_waits_for_a_busy_conference_keeps_no_other_waiting(hub: Hub, new_room: Callable[..., Room]) -> None:
    before, busy, after = [await in_thread(new_room) for _ in range(3)]
    gone = [(room, await in_thread(fill, room, 1)) for room in (before, busy, after)]
    locked, free = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        try:
            with transaction.atomic():
                assert Conference.objects.lock_id(busy.conference.pk)
                loop.call_soon_threadsafe(locked.set)
                asyncio.run_coroutine_threadsafe(free.wait(), loop).result(30)
        finally:
            connection.close()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await locked.wait()
    for room, losses in gone:
        hub.say_goodbye(room.conference.pk, *losses)
    await lost(before, 1)
    await lost(after, 1)
    await lost(busy, 0)
    free.set()
    await holding
    await lost(busy, 1)
