"""The process's hub: feeds the rooms from Redis and from the table, and says every few seconds that it lives.

Redis only wakes. What it loses, the table has: once a second the hub asks how far its conferences are.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager

import orjson
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from accounts.errors import Busy
from accounts.threads import in_thread, out_of_turn
from conferences import metrics
from conferences.errors import ConferenceNotFound
from conferences.hub import doors, wakeups
from conferences.hub.changes import Changes
from conferences.hub.doors import Admission
from conferences.hub.room import Fact, Listener, Room
from conferences.hub.shared import Shared
from conferences.models import ExitReason
from conferences.services import members, snapshots
from conferences.services.members import Arrival, Loss
from conferences.services.snapshots import MemberPage, PageQuestion, Snapshot

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
STRAYS_SECONDS = 5.0
# Two commits may be published in the wrong order: a gap is given this long before the table is asked.
PATIENCE_SECONDS = 0.02
REDIS_BACK_OFF_SECONDS = 0.2


class Hub:
    """One per process, in its event loop. `process` is the name under which seats know it."""

    def __init__(self) -> None:
        self.process = ""
        self._rooms: dict[int, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling: set[int] = set()
        self._goodbyes: dict[int, list[Loss]] = {}
        self._gone = asyncio.Event()
        self.doors = Shared[Arrival, Admission](doors.let_in)
        self.snapshots = Shared[int, Snapshot](doors.look_in)
        self.pages = Shared[PageQuestion, MemberPage](snapshots.list_members)
        self.changes = Changes()
        self._starting = asyncio.Lock()

    # Its life

    async def start(self) -> None:
        """Begin, once: the lease is there before the first seat names this process. Raises: DatabaseError."""
        async with self._starting:
            if self.process:
                return
            process = secrets.token_hex(16)
            await in_thread(members.renew_lease, process)
            self.process = process
            self._run(self._keep_lease())
            self._run(self._listen())
            self._run(self._tick())
            self._run(self._say_goodbyes())
            self._run(self._part_from_strays())
            self._run(self.changes.tell())
            self._run(self.changes.sweep())

    async def stop(self) -> None:
        """End. Seats of this process that are not taken up by another are found by the sweep of leases."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        process, self.process = self.process, ""
        self._rooms.clear()
        if process:
            await in_thread(members.end_lease, process)

    # Listeners

    async def let_in(self, conference_id: int, arrival: Arrival) -> Admission:
        """Let a member in. `expecting` the conference, the caller loses nothing of what happens after the snapshot.

        Raises: as `members.enter`.
        """
        return await self.doors.ask(conference_id, arrival)

    async def list_members(self, conference_id: int, question: PageQuestion) -> MemberPage:
        """A page of members, read and encoded once for all who ask for it at one moment.

        Raises: as `snapshots.list_members`.
        """
        return await self.pages.ask(conference_id, question)

    @contextmanager
    def expecting(self, conference_id: int, connection: str) -> Iterator[None]:
        """Facts of this conference are kept for this socket, whose listener will be registered within."""
        room = self._room(conference_id)
        room.expected.add(connection)
        try:
            yield
        finally:
            room.expected.discard(connection)
            self._close_when_empty(room)

    def register(self, listener: Listener) -> None:
        """From now on nothing is lost for `listener`; it hears nothing before it follows."""
        self._room(listener.conference_id).listeners.add(listener)
        metrics.SOCKETS.inc()

    async def follow(self, listener: Listener, since: int, missed: Sequence[Fact] = ()) -> None:
        """Tell `listener` everything after number `since`, once and in order, from now on.

        `missed` is what the caller has read already, from `since` on.
        """
        room = self._rooms[listener.conference_id]
        listener.since = listener.sent = since
        room.start(since)
        room.tell(listener, list(missed))
        while (facts := room.missing(listener.since)) is None:
            facts = await in_thread(snapshots.facts_after, listener.conference_id, listener.since)
            room.tell(listener, facts)
        room.tell(listener, facts)
        room.follow(listener)
        self._fill(room)

    async def catch_up(self, listener: Listener, seq: int) -> None:
        """Tell `listener` at once what it is about to hear, at least up to number `seq`."""
        if listener.since < seq:
            facts = await in_thread(snapshots.facts_after, listener.conference_id, listener.since)
            self._rooms[listener.conference_id].tell(listener, facts)

    def dismiss(self, listener: Listener, reason: ExitReason) -> None:
        """Tell `listener` that its seat is not its own any more, and close it."""
        self._rooms[listener.conference_id].dismiss(listener, reason)

    def leave(self, listener: Listener) -> None:
        """The socket is gone; the hub may be, too."""
        room = self._rooms.get(listener.conference_id)
        if room is None or listener not in room.listeners:
            return
        metrics.SOCKETS.dec()
        room.leave(listener)
        self._close_when_empty(room)

    def _room(self, conference_id: int) -> Room:
        return self._rooms.setdefault(conference_id, Room(conference_id))

    def _close_when_empty(self, room: Room) -> None:
        if not room.listeners and not room.expected:
            room.close()
            del self._rooms[room.conference_id]

    def say_goodbye(self, conference_id: int, *losses: Loss) -> None:
        """Sockets of a conference are gone: tell their seats, as often as it takes."""
        self._goodbyes.setdefault(conference_id, []).extend(losses)
        self._gone.set()

    # Facts in

    async def _listen(self) -> None:
        """Read the wake-ups for ever, over any number of Redis restarts."""
        while True:
            try:
                await wakeups.listen(self._wake)
            except RedisError as error:
                logger.warning("the hub lost Redis (%s); the table is asked until it is back", type(error).__name__)
            await asyncio.sleep(REDIS_BACK_OFF_SECONDS)

    def _wake(self, data: bytes) -> None:
        # `[<conference>,[…` tells whose it is before anything is parsed.
        conference_id = int(data[1 : data.index(b",")])
        room = self._rooms.get(conference_id)
        if room is None and not self.changes.is_watched:
            return
        facts = orjson.loads(data)[1]
        if room is not None:
            room.receive(facts)
            self._fill(room)
        if self.changes.is_watched:
            self.changes.note(conference_id, facts)

    def _fill(self, room: Room) -> None:
        """See to it that a gap is filled: by patience, or else from the table."""
        if room.is_behind and room.conference_id not in self._filling:
            self._filling.add(room.conference_id)
            self._run(self._fill_gap(room))

    async def _fill_gap(self, room: Room) -> None:
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
            while room.is_behind and room.seq is not None:
                facts = await in_thread(snapshots.facts_after, room.conference_id, room.seq)
                if not facts:
                    break
                room.receive(facts)
        except DatabaseError as error:
            logger.warning("a gap in conference %s stays open: %s", room.conference_id, type(error).__name__)
        finally:
            self._filling.discard(room.conference_id)

    # Every few seconds

    async def _keep_lease(self) -> None:
        """Say that this process lives, also while every thread is busy with requests."""
        while True:
            await asyncio.sleep(members.LEASE_SECONDS)
            try:
                if not await out_of_turn(members.renew_lease, self.process):
                    await self._take_back()
            except (DatabaseError, Busy) as error:
                logger.warning("the lease of this process is late: %s", type(error).__name__)

    async def _take_back(self) -> None:
        """We were taken for dead: who is here was not away."""
        count = await out_of_turn(members.take_back, self.process, self._connections())
        logger.warning("this process was taken for dead; %d members are back", count)

    def _connections(self) -> list[str]:
        """The sockets that hold a seat, or are about to."""
        return [connection for room in self._rooms.values() for connection in room.connections]

    async def _part_from_strays(self) -> None:
        """Say goodbye to seats of this process that no socket holds, once they were found so twice."""
        before: set[tuple[int, Loss]] = set()
        while True:
            await asyncio.sleep(STRAYS_SECONDS)
            try:
                strays = set(await in_thread(members.strays, self.process, self._connections()))
            except DatabaseError as error:
                logger.warning("seats without a socket were not looked for: %s", type(error).__name__)
                continue
            for conference_id, loss in strays & before:
                self.say_goodbye(conference_id, loss)
            before = strays

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._catch_up()
            except DatabaseError as error:
                logger.warning("the hub lost the database: %s", type(error).__name__)

    async def _catch_up(self) -> None:
        """Ask how far every conference is: what Redis lost is a second late at most."""
        if not self._rooms:
            return
        reached = await in_thread(snapshots.progress, list(self._rooms))
        for conference_id, progress in reached.items():
            if room := self._rooms.get(conference_id):
                room.known = max(room.known, progress.seq)
                self._fill(room)
                room.forget(time.monotonic())
                if progress.hides_audience and room.audience != progress.audience:
                    room.audience = progress.audience
                    room.receive([_audience_note(progress)])

    async def _say_goodbyes(self) -> None:
        """For one conference after the other, so that a thousand sockets that go at once leave threads for others."""
        while True:
            await self._gone.wait()
            self._gone.clear()
            while self._goodbyes:
                conference_id = next(iter(self._goodbyes))
                losses = self._goodbyes.pop(conference_id)
                await self._say_goodbye(conference_id, losses)

    async def _say_goodbye(self, conference_id: int, losses: list[Loss]) -> None:
        try:
            await in_thread(members.lose, conference_id=conference_id, losses=losses)
        except ConferenceNotFound:
            pass  # purged meanwhile, and the seats with it
        except (DatabaseError, Busy):
            self.say_goodbye(conference_id, *losses)
            await asyncio.sleep(TICK_SECONDS)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.critical("a part of the hub failed", exc_info=error)


def _audience_note(progress: snapshots.Progress) -> Fact:
    counts = {"talkers": progress.talkers, "audience": progress.audience}
    return {"seq": 0, "type": "audience.counted", "at": int(time.time() * 1000), "data": counts}


hub = Hub()
