"""Room: one conference as one process tells it. Puts facts in order, once each, and writes them together.

No network and no database: facts come in, bytes go out to the listeners' sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

from conferences import metrics
from conferences.events import Seen, Viewer, view
from conferences.hub.sockets import Batch, Message, Socket
from conferences.models import ExitReason

Fact = dict[str, Any]

# A flush costs one write per listener, however much it tells. So after each a busy room rests, this many times as
# long as it took, and tells what came meanwhile together.
REST = 2
MAX_WINDOW_SECONDS = 0.01
# Facts that were told are kept this long for who is just entering.
RECENT_SECONDS = 5.0


class Ending(IntEnum):
    """Why the hub closes a socket: the close codes of every dialect's transport."""

    LEFT = 1000
    SEAT_LOST = 4401
    OTHER_DEVICE = 4409
    CLOSED = 4410
    KICKED = 4412


ENDINGS = {
    ExitReason.LEFT: Ending.LEFT,
    ExitReason.LOST: Ending.SEAT_LOST,
    ExitReason.OTHER_DEVICE: Ending.OTHER_DEVICE,
    ExitReason.CONFERENCE_CLOSED: Ending.CLOSED,
    ExitReason.KICKED: Ending.KICKED,
}


class Encoder(Protocol):
    """How one dialect says what a member sees. Hashable: equal encoders share what they encoded."""

    def encode(self, seen: Seen, prev: int, *, own: bool) -> Sequence[Message]:
        """The messages for one fact: none, one or several. `seen.seq` 0 is a note, which has no number.

        `prev` is the last number sent to the receiver; `own` says that the fact is about the receiver itself.
        """


@dataclass(slots=True, eq=False)
class Listener:
    """One member's socket in a room.

    `connection` is what the seat knows the socket by. `seated_at` is the number at which the socket took the
    seat: what happened to the seat before that was not done to this socket. `field` is the socket's own part of
    messages, where the dialect has one. `sent` is the last number written, `since` the last one dealt with.
    `ended`: the seat is over, or is another socket's.
    """

    conference_id: int
    connection: str
    viewer: Viewer
    encoder: Encoder
    socket: Socket
    seated_at: int
    field: bytes = b""
    since: int = 0
    sent: int = 0
    ended: bool = False


@dataclass(slots=True)
class Told:
    """What a stretch of facts is for some listeners: bytes, the number after them, and perhaps the end."""

    batch: Batch
    sent: int
    ending: Ending | None


@dataclass(slots=True)
class Room:
    """The listeners of one conference, and the facts on their way to them.

    `seq` is the last number taken in without a gap, None until the first listener says where it stands. `known`
    is the greatest number that is known to exist. `expected` are the sockets that are about to listen.
    """

    conference_id: int
    seq: int | None = None
    known: int = 0
    expected: set[str] = field(default_factory=set)
    listeners: set[Listener] = field(default_factory=set)
    following: set[Listener] = field(default_factory=set)
    told: int = 0
    audience: int | None = None
    _early: dict[int, Fact] = field(default_factory=dict)
    _pending: list[Fact] = field(default_factory=list)
    _recent: deque[tuple[float, Fact]] = field(default_factory=deque)
    _flush: asyncio.Handle | None = None
    _not_before: float = 0.0

    @property
    def connections(self) -> set[str]:
        """The sockets that hold a seat of this conference, or are about to."""
        return self.expected | {listener.connection for listener in self.listeners}

    @property
    def is_behind(self) -> bool:
        """Whether there are facts that this room should have and has not."""
        return self.seq is not None and self.seq < self.known

    # Facts in

    def receive(self, facts: Iterable[Fact]) -> None:
        """Take facts in any order, any number of times; notes are told when they come."""
        for fact in facts:
            seq: int = fact["seq"]
            if seq == 0:
                self._take(fact)
            elif self.seq is None or seq > self.seq:
                self._early[seq] = fact
                self.known = max(self.known, seq)
        self._advance()

    def start(self, seq: int) -> None:
        """The first listener stands at `seq`: what came meanwhile and is newer goes on from there."""
        if self.seq is None:
            self.seq = self.told = seq
            self._early = {number: fact for number, fact in self._early.items() if number > seq}
            self._advance()

    def _advance(self) -> None:
        if self.seq is None:
            return
        while fact := self._early.pop(self.seq + 1, None):
            self.seq += 1
            self._take(fact)

    def _take(self, fact: Fact) -> None:
        if self.seq is None:
            return
        self._pending.append(fact)
        if self._flush is None:
            loop = asyncio.get_running_loop()
            wait = self._not_before - time.monotonic()
            self._flush = loop.call_later(wait, self.flush) if wait > 0 else loop.call_soon(self.flush)

    # Facts out

    def flush(self) -> None:
        """Tell what is pending, and rest."""
        started = time.monotonic()
        self._flush = None
        facts, self._pending = self._pending, []
        self._keep(facts, started)
        telling = _Telling(facts)
        for listener in list(self.following):
            self._tell(listener, telling)
        finished = time.monotonic()
        self._not_before = finished + min(REST * (finished - started), MAX_WINDOW_SECONDS)
        if facts:
            metrics.HUB_LAG.observe(max(0.0, time.time() - facts[0]["at"] / 1000))

    def _keep(self, facts: list[Fact], now: float) -> None:
        for fact in facts:
            if fact["seq"]:
                self._recent.append((now, fact))
                self.told = fact["seq"]
        self.forget(now)

    def forget(self, now: float) -> None:
        """Drop what was told long enough ago."""
        while self._recent and self._recent[0][0] < now - RECENT_SECONDS:
            self._recent.popleft()

    def _tell(self, listener: Listener, telling: _Telling) -> None:
        told = telling.for_listener(listener)
        listener.since, listener.sent = max(listener.since, telling.last), told.sent
        if told.batch.messages:
            listener.socket.write(told.batch, listener.field)
        if told.ending is not None:
            self._end(listener, told.ending)

    def _end(self, listener: Listener, ending: Ending) -> None:
        listener.ended = True
        self.following.discard(listener)
        listener.socket.close(ending, ending.name.lower().replace("_", " "))

    def dismiss(self, listener: Listener, reason: ExitReason) -> None:
        """End a listener whose seat ended, or went to another socket, before it could follow."""
        listener.socket.write(Batch(_farewell(listener, reason)), listener.field)
        self._end(listener, ENDINGS[reason])

    # Listeners

    def missing(self, since: int) -> list[Fact] | None:
        """What was told after `since`, or None when that is no longer kept."""
        if since >= self.told:
            return []
        facts = [fact for _, fact in self._recent if fact["seq"] > since]
        return facts if facts and facts[0]["seq"] == since + 1 else None

    def tell(self, listener: Listener, facts: list[Fact]) -> None:
        """Tell one listener what it missed."""
        if facts:
            self._tell(listener, _Telling(facts))

    def follow(self, listener: Listener) -> None:
        """From now on the listener hears what the others hear, but for what it holds already."""
        if listener.socket.is_open:
            self.following.add(listener)

    def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        self.following.discard(listener)

    def close(self) -> None:
        """Nobody listens any more."""
        if self._flush is not None:
            self._flush.cancel()


class _Telling:
    """A stretch of facts on its way out, each encoded once per dialect and per view."""

    def __init__(self, facts: list[Fact]) -> None:
        self._facts = facts
        self._named = {number for fact in facts for number in _named(fact)}
        self._shared: dict[tuple[Encoder, int, int, int], Told] = {}
        self._messages: dict[tuple[object, ...], Sequence[Message]] = {}
        self.last = max((fact["seq"] for fact in facts), default=0)

    def for_listener(self, listener: Listener) -> Told:
        """Listeners whom no fact names, and who stand at the same place, hear the same."""
        if listener.viewer.member in self._named:
            return self._told(listener)
        key = (listener.encoder, listener.viewer.role, listener.since, listener.sent)
        told = self._shared.get(key)
        if told is None:
            told = self._shared[key] = self._told(listener)
        return told

    def _told(self, listener: Listener) -> Told:
        sent, messages, ending = listener.sent, list[Message](), None
        for place, fact in enumerate(self._facts):
            seq = fact["seq"]
            if 0 < seq <= listener.since:
                continue
            own = fact["data"].get("member") == listener.viewer.member
            seen = _seen(fact, listener.viewer, own)
            if seen is not None:
                messages += self._encoded(place, listener, seen, sent, own)
                sent = seq or sent
            ending = _ending(fact, listener, own)
            if ending is Ending.OTHER_DEVICE:  # no fact of the others' room, so the socket gets a note
                messages += _farewell(listener, ExitReason.OTHER_DEVICE)
            if ending is not None:
                break
        return Told(Batch(messages), sent, ending)

    def _encoded(self, place: int, listener: Listener, seen: Seen, prev: int, own: bool) -> Sequence[Message]:
        key = (listener.encoder, place, seen.type, own, prev)
        messages = self._messages.get(key)
        if messages is None:
            messages = self._messages[key] = listener.encoder.encode(seen, prev, own=own)
        return messages


def _farewell(listener: Listener, reason: ExitReason) -> Sequence[Message]:
    """The note by which a socket learns that its seat is not its own any more."""
    exited = {"member": listener.viewer.member, "reason": reason}
    return listener.encoder.encode(Seen(0, "member.exited", int(time.time() * 1000), exited), 0, own=True)


def _named(fact: Fact) -> Iterable[int]:
    """The members to whom the fact may look different than to the others."""
    data = fact["data"]
    return {data.get("member", 0), *data.get("to", ())}


def _seen(fact: Fact, viewer: Viewer, own: bool) -> Seen | None:
    if fact["seq"] == 0:
        return Seen(0, fact["type"], fact["at"], fact["data"])
    seen = view(fact, viewer)
    if own and fact["type"] == "role.changed":
        viewer.role = fact["data"]["role"]
    return seen


def _ending(fact: Fact, listener: Listener, own: bool) -> Ending | None:
    """Whether the fact ends this socket. What is replayed from before it took the seat does not."""
    if fact["seq"] <= listener.seated_at:
        return None
    match fact["type"]:
        case "conference.closed":
            return Ending.CLOSED
        case "member.exited" if own:
            return ENDINGS[ExitReason(fact["data"]["reason"])]
        case "member.returned" if own and fact["data"]["connection"] != listener.connection:
            return Ending.OTHER_DEVICE
        case _:
            return None
