"""A conference in full swing: people come and go, messages fly, one publishes and one plays, while faults happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count, pairwise

import requests

from conferences.management.demo import Json, Refused
from conferences.media import ffmpeg
from tests.live_client import LiveClient
from tests.live_client import Refused as RefusedOnSocket
from tests.scenarios.faults.clients import FOR_NOW, LOST, Follower, end
from tests.scenarios.stage import Published, Room, Stage, eventually

MOST_FOLLOWERS = 12
SETTLE_SECONDS = 30.0
PAUSE_SECONDS = 0.03


class Storm:
    """anna, ben and chen stay; ben publishes and chen plays; others join all the time, and every other one leaves."""

    def __init__(self, stage: Stage, room: Room) -> None:
        self.stage, self.room = stage, room
        self.followers: dict[str, Follower] = {}
        self.goners: list[LiveClient] = []
        self.said = 0
        self.struck_at = 0.0
        self.pushed = 0
        self._traffic: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        for name in ("anna", "ben", "chen"):
            await self.enter(name)
        self.stream: Published = await asyncio.to_thread(self.room.offer_by_backend, "ben", "camera", "audio")
        self.publisher: ffmpeg.Process = self.stream.start(video=False)
        await asyncio.to_thread(self.stream.until_live)
        self.player: ffmpeg.Player = await asyncio.to_thread(self.room.play_by_backend, "chen", self.stream)
        assert await asyncio.to_thread(self.player.wait_for_packets, 1, kind="audio", timeout=15)
        self._traffic = [asyncio.create_task(work()) for work in (self._talk, self._come_and_go, self._push)]

    async def enter(self, name: str) -> Follower:
        """Somebody comes to stay."""
        if name not in self.room.tickets:
            await asyncio.to_thread(self.room.ticket, name)
        follower = self.followers[name] = Follower(self.room, name)
        await asyncio.wait_for(follower.inside.wait(), 15)
        return follower

    async def enter_goners(self, *, processes: int = 1) -> None:
        """People whose clients will vanish for ever when the fault strikes, on so many web processes."""
        while self._goners("count(DISTINCT process)") < processes:
            assert len(self.goners) < MOST_FOLLOWERS, "the other process takes nobody"
            ticket = await asyncio.to_thread(self.room.ticket, f"goner{len(self.goners)}")
            self.goners.append(await LiveClient.enter(ticket["url"], ticket["ticket"]))

    def strike(self) -> None:
        """The fault happens now: some people vanish with it."""
        self.struck_at = time.monotonic()
        for client in self.goners:
            client.cut()

    async def until_goners_are_out(self, *, seconds: float) -> float:
        """Wait until their seats have ended; answers how long after the fault that was."""
        while self._goners("count(*)"):
            assert time.monotonic() - self.struck_at < seconds, f"ghost members after {seconds} s"
            await asyncio.sleep(0.1)
        return time.monotonic() - self.struck_at

    def _goners(self, what: str) -> int:
        """Something about the seats that they still have."""
        sql = (
            f"SELECT {what} FROM conferences_member m JOIN conferences_conference c ON c.id = m.conference_id "  # noqa: S608 no input
            "JOIN accounts_user u ON u.id = m.user_id "
            "WHERE confr_id = %s AND u.name LIKE 'goner%%' AND m.state <> 'exited'"
        )
        return int(self.stage.value(sql, self.room.confr_id))

    async def rage(self, seconds: float) -> None:
        """Let it go on."""
        said = self.said
        await asyncio.sleep(seconds)
        assert self.said > said, "nobody could say anything"

    async def settle(self) -> None:
        """Stop the traffic, say a last word, and wait until everybody who stays has heard it."""
        for task in self._traffic:
            await end(task)
        await asyncio.to_thread(eventually, lambda: not self.stage.ghosts(), seconds=15, what="no ghost stream")
        last = (await self._until_done(lambda: self.room.call("POST", "/broadcast", content="the last word")))["seq"]
        deadline = time.monotonic() + SETTLE_SECONDS
        for follower in self.followers.values():
            while not follower.is_over and follower.now() < last:
                assert time.monotonic() < deadline, f"{follower.name} heard {follower.now()} of {last}"
                await asyncio.sleep(0.02)

    async def check(self) -> None:
        """Everybody heard everything of its view once and in order; nobody was thrown out; the counters are right."""
        for follower in self.followers.values():
            await follower.stop()
            assert follower.refused == "", (follower.name, follower.refused)
            assert follower.heard == follower.should_have_heard(), follower.name
            assert follower.snapshots == 1, f"{follower.name} needed {follower.snapshots} snapshots"
        assert self.said > 5
        assert self.pushed
        self.room.counters()

    async def abate(self) -> None:
        """Leave nothing that goes on, however it went: the room is closed next."""
        for task in self._traffic:
            await end(task)
        for follower in self.followers.values():
            await follower.stop()

    @property
    def reconnects(self) -> int:
        return sum(max(0, follower.sockets - 1) for follower in self.followers.values())

    def longest_silence(self) -> float:
        """The longest time between two packets that the player got."""
        times = [packet.at for packet in self.player.packets]
        return max(later - earlier for earlier, later in pairwise(times))

    # The traffic

    async def _talk(self) -> None:
        for number in count():
            await self._until_done(lambda: self.room.call("POST", "/broadcast", content=f"message {number}"))  # noqa: B023 awaited
            self.said += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _come_and_go(self) -> None:
        for number in count():
            name = f"guest{number}"
            await self._until_done(lambda: self.room.ticket(name))  # noqa: B023 awaited
            follower = self.followers[name] = Follower(self.room, name)
            await follower.until_inside()
            if number % 2 or len(self.followers) > MOST_FOLLOWERS:
                await self._exit(follower)
            await asyncio.sleep(PAUSE_SECONDS * 3)

    async def _exit(self, follower: Follower) -> None:
        while not follower.is_over:
            await follower.until_inside()
            try:
                if follower.client is not None:
                    await follower.client.ask("exit")
            except (*LOST, RefusedOnSocket):
                pass
            await asyncio.sleep(0.05)

    async def _push(self) -> None:
        """anna's app pushes for a moment, again and again with the same address, whether it is let in or not."""
        pushed = await asyncio.to_thread(self.room.offer_by_backend, "anna", "microphone", "audio")
        while True:
            with pushed.start(video=False) as process:
                await asyncio.to_thread(eventually, lambda: pushed.stat or not process.running)
                self.pushed += process.running
                await asyncio.sleep(0.4)
            await asyncio.sleep(0.3)

    async def _until_done(self, act: Callable[[], Json]) -> Json:
        """Ask until the server says yes, as a backend does that has something to say."""
        while True:
            try:
                return await asyncio.to_thread(act)
            except requests.RequestException:
                pass
            except Refused as refusal:
                if refusal.code not in FOR_NOW:
                    raise
            await asyncio.sleep(0.1)


@asynccontextmanager
async def storm(stage: Stage) -> AsyncIterator[Storm]:
    """The block is where the fault happens; at its end everything must be as if it had not."""
    with stage.empty_room("anna", confr_type=11) as room:
        raging = Storm(stage, room)
        try:
            await raging.begin()
            yield raging
            await raging.settle()
            await raging.check()
        finally:
            await raging.abate()
