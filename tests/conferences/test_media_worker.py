"""The media worker's loop, with work that only waits; the real work is in the scenarios."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from asgiref.sync import sync_to_async

from accounts.redis import client
from conferences import delivery
from conferences.media_worker.work import Hold
from conferences.media_worker.worker import Worker
from conferences.models import MediaJob
from conferences.services import media_jobs
from conferences.services.media_jobs import ClaimLost

pytestmark = pytest.mark.usefixtures("committed")


class Waiting:
    """Work that waits until it is to stop."""

    kind = MediaJob.Kind.RECORDER
    capacity = 2

    def __init__(self) -> None:
        self.wishes: set[int] = set()
        self.broken: set[int] = set()
        self.doing: dict[int, Hold] = {}
        self.begun: list[int] = []
        self.writing: list[str] = []

    def wanted(self) -> set[int]:
        return set(self.wishes)

    def tidy(self, claimed: set[int]) -> None:
        self.claimed = claimed

    def run(self, hold: Hold) -> None:
        self.begun.append(hold.target)
        if hold.target in self.broken:
            raise ValueError("broken")
        self.doing[hold.target] = hold
        hold.wait(30)
        try:
            with hold.writing():
                self.writing.append("wrote")
        except ClaimLost:
            self.writing.append("lost")
            raise
        finally:
            del self.doing[hold.target]


@asynccontextmanager
async def working(*works: Waiting) -> AsyncIterator[Worker]:
    worker = Worker(works)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker._end()
        await running


async def eventually(true: Callable[[], object], *, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 what it waits for is done by threads
            await asyncio.sleep(0.02)


def listeners() -> int:
    [(_, count)] = cast(list[tuple[bytes, int]], client().pubsub_numsub(delivery.CHANNEL))
    return count


async def test_what_is_wanted_is_done_up_to_what_one_can_take_and_let_go_at_the_end():
    work = Waiting()
    async with working(work):
        work.wishes = {1, 2, 3}
        await eventually(lambda: set(work.doing) == {1, 2})
        await eventually(lambda: work.claimed == {1, 2})

        work.wishes = {2, 3}
        await eventually(lambda: set(work.doing) == {2, 3})

    assert work.doing == {}
    assert work.writing == ["wrote"] * 3
    assert await sync_to_async(MediaJob.objects.count)() == 0


async def test_one_kind_of_work_does_not_wait_for_the_disk_of_another():
    class Diskless(Waiting):
        kind = MediaJob.Kind.MIXER

        def wanted(self) -> set[int]:
            raise OSError("the disk is gone")

    work = Waiting()
    work.wishes = {1}
    async with working(Diskless(), work):
        await eventually(lambda: work.doing)


async def test_a_wake_up_is_heeded_at_once_and_what_is_of_no_concern_is_not(monkeypatch):
    monkeypatch.setattr("conferences.media_worker.worker.SWEEP_SECONDS", 60)
    work = Waiting()
    async with working(work) as worker:
        await eventually(lambda: hasattr(work, "claimed"))
        await eventually(lambda: listeners() > 0)
        work.wishes = {1}
        worker._hear(b'[1,[{"type":"member.joined"}]]')
        await asyncio.sleep(0.3)
        assert work.begun == []

        delivery.publish(1, [{"type": "stream.added"}])

        await eventually(lambda: work.begun == [1], seconds=2)


async def test_a_claim_that_was_lost_is_stopped_and_writes_nothing():
    work = Waiting()
    async with working(work):
        work.wishes = {1}
        await eventually(lambda: work.doing)
        [fence] = [hold.fence for hold in work.doing.values()]
        work.wishes = set()
        await sync_to_async(media_jobs.release)(fence=fence)
        await eventually(lambda: work.writing == ["lost"])


async def test_what_fails_is_tried_again_and_hinders_nobody():
    work = Waiting()
    work.broken = {1}
    async with working(work):
        work.wishes = {1, 2}
        await eventually(lambda: work.begun.count(1) >= 2)
        assert set(work.doing) == {2}
        work.broken = set()
        await eventually(lambda: set(work.doing) == {1, 2})
