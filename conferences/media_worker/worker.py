"""The loop of the media worker: see what is wanted, claim it, do each in a thread, let go of what is not wanted."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from conferences import health, metrics
from conferences.hub.wakeups import listen
from conferences.media_worker.work import Hold, Work
from conferences.services import media_jobs

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
REST_SECONDS = 0.05  # between turns, however much happens
STOP_SECONDS = 8.0
# What may change what is wanted, as it stands in a wake-up. Most wake-ups are about something else.
CONCERNS = (b'"stream.', b'"recording.', b'"mix.')

Companion = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Running:
    work: Work
    hold: Hold
    thread: Thread


class Worker:
    """One process. A turn comes once a second, and at once when something changed.

    `companions` are threads of the same process that need no claim; each is given the event at which it ends.
    """

    def __init__(self, works: Sequence[Work], companions: Sequence[Companion] = ()) -> None:
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(6)}"
        self._works, self._companions = works, companions
        self._running: dict[tuple[str, int], _Running] = {}
        self._stop = Event()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; then finish what is being written, and give up the claims."""
        self._loop, self._wake, self._ended = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._end)
        companions = [Thread(target=each, args=[self._stop], name=each.__name__) for each in self._companions]
        for companion in companions:
            companion.start()
        listening = asyncio.create_task(self._listen())
        with ThreadPoolExecutor(1, "turns") as turns:
            while not self._ended.is_set():
                self._wake.clear()
                await self._loop.run_in_executor(turns, self._turn)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), SWEEP_SECONDS)
                await asyncio.sleep(REST_SECONDS)
            listening.cancel()
            await self._loop.run_in_executor(turns, self._let_go)
        for companion in companions:
            companion.join(STOP_SECONDS)

    def _end(self) -> None:
        self._stop.set()
        self._ended.set()
        self._wake.set()

    async def _listen(self) -> None:
        while True:
            with suppress(RedisError):
                await listen(self._hear)
            await asyncio.sleep(SWEEP_SECONDS)

    def _hear(self, message: bytes) -> None:
        if any(concern in message for concern in CONCERNS):
            self._wake.set()

    def _turn(self) -> None:
        try:
            held = media_jobs.renew(owner=self.owner)
            for running in self._running.values():
                if running.hold.fence not in held:
                    running.hold.stop()
            self._forget_the_done()
            for work in self._works:
                self._try_to_look_after(work)
        except DatabaseError as error:  # what runs goes on: a lease is lost only when another takes it
            logger.warning("no turn: %s", type(error).__name__)
            connection.close()
        except Exception:  # what runs must not end because something else cannot begin
            logger.exception("a turn failed")
            metrics.JOB_FAILURES.labels("media_worker").inc()
        health.beat("media_worker")

    def _forget_the_done(self) -> None:
        self._running = {key: running for key, running in self._running.items() if running.thread.is_alive()}

    def _try_to_look_after(self, work: Work) -> None:
        """Mixes do not wait for the disk of the recordings, nor the other way round."""
        try:
            self._look_after(work)
        except OSError as error:
            logger.error("a turn of the %s failed: %s", work.kind, error)
            metrics.JOB_FAILURES.labels(f"media_{work.kind}").inc()

    def _look_after(self, work: Work) -> None:
        mine = {target for kind, target in self._running if kind == work.kind}
        wanted = work.wanted()
        for target in mine - wanted:
            self._running[work.kind, target].hold.stop()
        missing = sorted(wanted - mine)
        claims = media_jobs.claim(kind=work.kind, targets=missing, owner=self.owner, most=work.capacity - len(mine))
        for target, fence in claims.items():
            self._begin(work, Hold(target, fence))
        claimed = media_jobs.claimed(kind=work.kind)
        work.tidy(claimed)
        metrics.MEDIA_JOBS.labels(work.kind).set(len(mine) + len(claims))
        metrics.MEDIA_JOBS_WAITING.labels(work.kind).set(len(wanted - claimed))

    def _begin(self, work: Work, hold: Hold) -> None:
        thread = Thread(target=self._do, args=[work, hold], name=f"{work.kind}-{hold.target}")
        self._running[work.kind, hold.target] = _Running(work, hold, thread)
        thread.start()

    def _do(self, work: Work, hold: Hold) -> None:
        try:
            work.run(hold)
            media_jobs.release(fence=hold.fence)
            self._loop.call_soon_threadsafe(self._wake.set)
        except media_jobs.ClaimLost:
            logger.warning("%s %s was taken over by another worker", work.kind, hold.target)
        except Exception:  # no turn at once: what fails again and again must not keep us busy
            logger.exception("%s %s failed", work.kind, hold.target)
            metrics.JOB_FAILURES.labels(f"media_{work.kind}").inc()
            with suppress(DatabaseError):
                media_jobs.release(fence=hold.fence)
        finally:
            connection.close()

    def _let_go(self) -> None:
        for running in self._running.values():
            running.hold.stop()
        for running in self._running.values():
            running.thread.join(STOP_SECONDS)
        connection.close()
