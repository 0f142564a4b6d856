"""What may break under the sockets: Redis, a worker, the database's connections, the whole server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest
from django.db import connection

from accounts.threads import in_thread
from conferences.models import Lease, Member
from conferences.services import members, messages
from tests.conferences.live.conftest import ticket
from tests.database import end_other_connections
from tests.factories import Room, until
from tests.live_client import LiveClient, Refused, Survivor
from tests.web import OwnRedis, Web, running_web

pytestmark = pytest.mark.slow


@asynccontextmanager
async def meeting(web: Web, room: Room, count: int, prefix: str = "user") -> AsyncIterator[list[Survivor]]:
    """So many members inside, who come back when they are cut."""
    issued = await asyncio.gather(*(ticket(room, f"{prefix}-{number}") for number in range(count)))
    survivors = [Survivor(web.live, text) for text in issued]
    try:
        for survivor in survivors:
            await survivor.inside()
        yield survivors
    finally:
        await asyncio.gather(*(survivor.stop() for survivor in survivors))


async def last_seq(room: Room) -> int:
    """The number of one more fact that everybody sees."""
    return await in_thread(messages.broadcast, actor=room.backend, confr_id=room.id, content="the last")


async def tickets(room: Room, count: int) -> list[str]:
    """So many tickets, issued while everything still works: what breaks is the server's, not the test's."""
    return await asyncio.gather(*(ticket(room, f"newcomer-{number}") for number in range(count)))


async def joins_meanwhile(web: Web, texts: list[str]) -> list[LiveClient]:
    """Others who enter one after the other while something breaks; a refusal for a moment is tried again."""
    newcomers: list[LiveClient] = []
    for text in texts:
        while True:
            try:
                newcomers.append(await LiveClient.enter(web.live, text))
                break
            except (Refused, OSError):
                await asyncio.sleep(0.05)
    return newcomers


async def test_redis_dies_in_the_middle_of_joins_and_nobody_misses_one(tmp_path: Path, new_room) -> None:
    redis = OwnRedis(tmp_path)
    room = await in_thread(new_room, limits={"talkers": 100})
    try:
        with running_web(tmp_path, REDIS_URL=redis.url) as web:
            async with meeting(web, room, 12) as survivors:
                joining = asyncio.create_task(joins_meanwhile(web, await tickets(room, 30)))
                await asyncio.sleep(0.1)
                redis.kill()
                await asyncio.sleep(0.5)
                redis.start()
                newcomers = await joining
                end = await last_seq(room)
                for survivor in survivors:
                    await survivor.until_seq(end)
                    survivor.assert_unbroken()
                    assert survivor.returns == 0
                for newcomer in newcomers:
                    await newcomer.until_seq(end)
                    newcomer.assert_unbroken()
                    await newcomer.close()
    finally:
        redis.kill()


async def test_a_worker_dies_and_its_members_are_back_with_everything(tmp_path: Path, new_room) -> None:
    room = await in_thread(new_room, limits={"talkers": 100})
    with running_web(tmp_path) as web:
        async with meeting(web, room, 16) as survivors:
            # One of them may have accepted every socket: it is the one whose death is felt.
            other, victim = sorted(web.workers(), key=lambda worker: len(worker.net_connections()))
            joining = asyncio.create_task(joins_meanwhile(web, await tickets(room, 20)))
            await asyncio.sleep(0.1)
            victim.kill()
            newcomers = await joining
            await asyncio.gather(*(survivor.inside() for survivor in survivors))
            end = await last_seq(room)
            for survivor in survivors:
                await survivor.until_seq(end)
                survivor.assert_unbroken()
            assert any(survivor.returns for survivor in survivors)
            assert other.is_running()
            for newcomer in newcomers:
                await newcomer.close()
        events = await in_thread(lambda: room.events("member.exited"))
        assert events == []


async def test_members_of_a_dead_worker_who_do_not_come_back_are_lost(tmp_path: Path, new_room) -> None:
    room = await in_thread(new_room, limits={"talkers": 10})
    with running_web(tmp_path, workers=1) as web:
        client = await LiveClient.enter(web.live, await ticket(room, "dora"))
        psutil.Process(web.process.pid).kill()
        assert await client.closed() == 1006
    await in_thread(Lease.objects.update, renewed_at=room.conference.created_at.replace(year=2020))
    assert await in_thread(members.sweep_leases) == 0
    assert await in_thread(members.sweep_leases) == 1
    assert (await in_thread(room.member, "dora")).state == Member.State.RECONNECTING


@contextmanager
def snapshots_fail() -> Iterator[None]:
    """Seats can be taken, but nothing can be told of the conference."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conferences_stream RENAME TO out_of_reach")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE out_of_reach RENAME TO conferences_stream")


async def test_a_seat_whose_entry_was_never_answered_is_lost_and_may_be_taken_again(web: Web, new_room) -> None:
    room = await in_thread(new_room)
    dora = await ticket(room, "dora")
    failing = snapshots_fail()
    await in_thread(failing.__enter__)
    try:
        with pytest.raises((Refused, EOFError, OSError)):
            await LiveClient.enter(web.live, dora)
        assert (await in_thread(room.member, "dora")).state == Member.State.PRESENT
    finally:
        await in_thread(failing.__exit__, None, None, None)
    await in_thread(until, lambda: room.member("dora").state == Member.State.RECONNECTING, 30)
    again = await LiveClient.enter(web.live, dora)
    assert (await in_thread(room.member, "dora")).state == Member.State.PRESENT
    await again.close()


@pytest.fixture
def _connect_anew(committed: None) -> Iterator[None]:
    yield
    connection.close()


@pytest.mark.usefixtures("_connect_anew")
async def test_every_connection_to_the_database_dies_and_the_sockets_live(tmp_path: Path, new_room) -> None:
    room = await in_thread(new_room, limits={"talkers": 100})
    with running_web(tmp_path) as web:
        async with meeting(web, room, 12) as survivors:
            joining = asyncio.create_task(joins_meanwhile(web, await tickets(room, 20)))
            for _ in range(3):
                await asyncio.sleep(0.1)
                await in_thread(end_other_connections)
            newcomers = await joining
            end = await last_seq(room)
            for survivor in survivors:
                await survivor.until_seq(end)
                survivor.assert_unbroken()
                assert survivor.returns == 0
            for newcomer in newcomers:
                await newcomer.close()


async def test_a_planned_restart_says_come_back_at_once_and_nothing_is_lost(tmp_path: Path, new_room) -> None:
    room = await in_thread(new_room, limits={"talkers": 100})
    with running_web(tmp_path) as old, running_web(tmp_path) as new:
        clients = [await LiveClient.enter(old.live, await ticket(room, f"user-{number}")) for number in range(8)]
        texts = [await ticket(room, f"user-{number}") for number in range(8)]
        old.process.send_signal(signal.SIGTERM)
        for client in clients:
            assert await client.closed() == 1012
        missed = await last_seq(room)
        back = []
        for client, text in zip(clients, texts, strict=True):
            client.assert_unbroken()
            again = await LiveClient.enter(new.live, text, lastSeq=client.last_seq)
            assert again.entered["resumed"] is True
            await again.until_seq(missed)
            again.assert_unbroken()
            back.append(again)
        await in_thread(until, lambda: old.process.poll() is not None, 15)
        await in_thread(members.sweep_leases)
        states = await in_thread(lambda: set(Member.objects.values_list("state", flat=True)))
        assert states == {Member.State.PRESENT}
        for client in back:
            await client.close()


async def test_the_lease_of_a_server_that_stopped_ends_at_once(tmp_path: Path, new_room) -> None:
    room = await in_thread(new_room)
    with running_web(tmp_path, workers=1) as web:
        await LiveClient.enter(web.live, await ticket(room, "dora"))
        web.terminate()
    await in_thread(members.sweep_leases)
    assert (await in_thread(room.member, "dora")).state == Member.State.RECONNECTING
