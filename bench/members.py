"""Members as the load tool plays them: each knows who is in the room, and notices what it was not told."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

import orjson

from bench.clients import Refused, WebSocket

DEADLINE = 30
PAGE = 1000

PUSH = re.compile(rb'\{"seq":(\d+),"prev":(\d+),"event":"(\w+)"')
SEQ = re.compile(rb'"seq":(\d+)')
CURSOR = re.compile(rb'"cursor":(\d+)')
NAME = re.compile(rb'"memName":"m(\d+)"')
CONTENT = re.compile(rb'"content":"(\d+)"')


@dataclass(slots=True)
class Broadcast:
    """A message on its way to everybody: how many have it, and how long the last of them waited."""

    needed: int
    started: float
    last: asyncio.Future[float]
    count: int = 0


@dataclass(slots=True)
class Room:
    """A conference as its members see it together.

    `pairs` counts who has heard of whom, oneself included; `gaps` the pushes whose `prev` was not the last number.
    """

    confr_id: str
    size: int
    pairs: int = 0
    notices: int = 0
    roles: int = 0
    gaps: int = 0
    members: dict[int, Member] = field(default_factory=dict)
    asked: dict[int, float] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    broadcasts: dict[int, Broadcast] = field(default_factory=dict)
    exits: dict[int, asyncio.Future[float]] = field(default_factory=dict)
    full: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def holes(self) -> int:
        """How many members do not know of how many others."""
        return sum(self.size - len(member.known) for member in self.members.values())


class Member:
    """One member's socket."""

    def __init__(self, room: Room, index: int, ticket: str) -> None:
        self.room, self.index, self.ticket = room, index, ticket
        self.known: set[int] = set()
        self.kicked: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._last = b""
        self._reply: asyncio.Future[bytes] | None = None
        # Reading the clock for every notice would cost more than the notice: one in eight members does it.
        self._is_clocked = index % 8 == 0
        self._hears = {
            b"onMemberJoined": self._joined,
            b"onMemberExited": self._exited,
            b"onRoleChanged": self._role_changed,
            b"onBroadcast": self._broadcast,
            b"onConferenceExit": self._out,
        }

    # What a member does

    async def enter(self, port: int) -> None:
        """Connect, enter, and read the list of members to its end. Raises: Refused, ConnectionError, TimeoutError."""
        self.room.asked[self.index] = time.perf_counter()
        self.socket = await WebSocket.connect(port, "/live", self._take, self._lost)
        reply = await self.ask("enter", ticket=self.ticket)
        while cursor := CURSOR.search(reply):
            reply = await self.ask("listMembers", cursor=int(cursor[1]), limit=PAGE)
        self.room.members[self.index] = self

    async def ask(self, operation: str, **data: object) -> bytes:
        """The reply as it came. Raises: Refused, ConnectionError, TimeoutError."""
        self._reply = asyncio.get_running_loop().create_future()
        self.tell(operation, **data)
        reply = await asyncio.wait_for(self._reply, DEADLINE)
        if b'"error"' in reply:
            raise Refused(reply.decode())
        return reply

    def tell(self, operation: str, **data: object) -> None:
        """Ask without waiting for the answer."""
        self.socket.send(orjson.dumps({"id": 1, "op": operation, "data": data}))

    def leave(self) -> None:
        """Give the seat up. A closed socket alone would keep it for the grace time."""
        del self.room.members[self.index]
        self.tell("exit")

    # What a member is told

    def _take(self, text: bytes) -> None:
        push = PUSH.match(text)
        if push is None:
            self._answer(text)
            return
        seq, prev, event = push.groups()
        if prev != self._last:
            self.room.gaps += 1
        self._last = seq
        if hear := self._hears.get(event):
            hear(text)

    def _answer(self, text: bytes) -> None:
        for name in NAME.findall(text):
            self._know(int(name))
        if not self._last and (entered_at := SEQ.search(text)):
            self._last = entered_at[1]
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(text)

    def _joined(self, text: bytes) -> None:
        index = _index(text)
        self.room.notices += 1
        self._know(index)
        if self._is_clocked and index != self.index:
            self.room.delays.append(time.perf_counter() - self.room.asked[index])

    def _know(self, index: int) -> None:
        if index not in self.known:
            self.known.add(index)
            self.room.pairs += 1
            if self.room.pairs == self.room.size**2:
                self.room.full.set()

    def _exited(self, text: bytes) -> None:
        index = _index(text)
        self.room.notices += 1
        self.known.discard(index)
        waiting = self.room.exits.pop(index, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(time.perf_counter())

    def _role_changed(self, text: bytes) -> None:
        self.room.roles += 1

    def _broadcast(self, text: bytes) -> None:
        content = CONTENT.search(text)
        assert content is not None
        broadcast = self.room.broadcasts[int(content[1])]
        broadcast.count += 1
        if broadcast.count == broadcast.needed and not broadcast.last.done():
            broadcast.last.set_result(time.perf_counter() - broadcast.started)

    def _out(self, text: bytes) -> None:
        if not self.kicked.done():
            self.kicked.set_result(time.perf_counter())

    def _lost(self, code: int) -> None:
        self.closed.set_result(code)
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionError(f"closed with {code}"))


def _index(text: bytes) -> int:
    name = NAME.search(text)
    assert name is not None
    return int(name[1])
