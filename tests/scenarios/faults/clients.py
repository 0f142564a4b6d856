"""Clients as real ones behave: they come back by themselves and say what they heard last."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from websockets.exceptions import WebSocketException

from conferences.events import Viewer, view
from conferences.models import Role
from tests.live_client import LiveClient, Refused
from tests.scenarios.stage import Room

AGAIN_SECONDS = 0.1
FOR_NOW = {"unavailable", "busy", "internal_error"}  # refusals that mean: try again
LOST = (OSError, WebSocketException, TimeoutError, EOFError)
CLEANUP_SECONDS = 1.0


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: `wait_for` of Python 3.11 forgets a cancellation that comes with its answer.

    Raises: what the task had failed with.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CLEANUP_SECONDS)
    with suppress(asyncio.CancelledError):
        await task


class Follower:
    """A member's client. `heard` are the numbers of all that it was told, over any number of sockets.

    `began` is where its snapshot stood; `snapshots` counts how often it was given one. `refused` is the code
    with which it was turned away for good, `closed_with` what the last socket was closed with.
    """

    def __init__(self, room: Room, name: str) -> None:
        self.room, self.name = room, name
        self._ticket = room.tickets[name]
        self.heard: list[int] = []
        self.began = 0
        self.snapshots = 0
        self.sockets = 0
        self.refused = ""
        self.closed_with: int | None = None
        self.member = 0
        self.client: LiveClient | None = None
        self.inside = asyncio.Event()
        self._life = asyncio.create_task(self._live())

    @property
    def last(self) -> int:
        return self.heard[-1] if self.heard else self.began

    @property
    def is_over(self) -> bool:
        """Whether it will not come back."""
        return self._life.done()

    async def until_inside(self) -> None:
        """Wait until it is inside, or will never be."""
        inside = asyncio.create_task(self.inside.wait())
        await asyncio.wait([inside, self._life], return_when=asyncio.FIRST_COMPLETED)
        inside.cancel()

    async def until_over(self) -> None:
        """Wait until it was turned away or told that it is over."""
        await asyncio.wait([self._life], timeout=15)
        assert self.is_over

    async def stop(self) -> None:
        """Go without a goodbye, for ever."""
        await end(self._life)
        if self.client is not None:
            self.client.cut()
            self._gather()

    async def _live(self) -> None:
        while not self.refused and not self._knows_the_end():
            try:
                await self._be_inside()
            except Refused as refusal:
                if refusal.code not in FOR_NOW:
                    self.refused = refusal.code
            except LOST:
                pass
            await asyncio.sleep(AGAIN_SECONDS)

    async def _be_inside(self) -> None:
        client = await LiveClient.connect(self._ticket["url"])
        try:
            entered = await client.ask("enter", ticket=self._ticket["ticket"], lastSeq=self.last)
            self._take(client, entered)
            await client.socket.wait_closed()
        finally:
            self.inside.clear()
            client.cut()
            await client.socket.wait_closed()
            self._gather()

    def _take(self, client: LiveClient, entered: dict[str, Any]) -> None:
        self.client, self.sockets = client, self.sockets + 1
        self.member = int(entered["memId"].rpartition("M")[2])
        if not entered["resumed"]:
            self.snapshots += 1
            self.began, self.heard = entered["seq"], []
        self.inside.set()

    def _gather(self) -> None:
        """Add what the socket that is over brought. Each number points at the one before, or something was lost."""
        if self.client is None:
            return
        for push in self.client.pushes:
            if "seq" in push:
                assert push["prev"] == self.last, (self.name, self.heard[-5:], push)
                self.heard.append(push["seq"])
        self.closed_with = self.client.socket.close_code
        self.client = None

    def _knows_the_end(self) -> bool:
        return self.closed_with in {1000, 4401, 4403, 4409, 4410, 4412}

    # What it should know

    def now(self) -> int:
        """The last number that it heard, also on the socket that is open."""
        return self.client.last_seq if self.client and self.client.seqs else self.last

    def should_have_heard(self) -> list[int]:
        """The numbers of everything since its snapshot that its view holds, by the table."""
        viewer = Viewer(self.member, Role.TALKER)
        facts = self.room.facts(self.began)
        ends = [fact["seq"] for fact in facts if self._is_end(fact)]
        return [fact["seq"] for fact in facts if fact["seq"] <= min(ends, default=fact["seq"]) and view(fact, viewer)]

    def _is_end(self, fact: dict[str, Any]) -> bool:
        is_own: bool = fact["data"].get("member") == self.member
        kind: str = fact["type"]
        return kind == "conference.closed" or (kind == "member.exited" and is_own)
