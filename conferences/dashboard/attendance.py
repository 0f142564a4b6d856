"""Attendance: who was in a conference, when, and as what, told from its facts alone. Pure: it reads no row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

# The facts that say who is inside and what is published; the others are not asked for.
TOLD = (
    "member.joined",
    "member.lost",
    "member.returned",
    "member.exited",
    "role.changed",
    "stream.added",
    "stream.removed",
    "conference.closed",
)


class Fact(NamedTuple):
    """What of an event decides who is inside."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any]


class Span(NamedTuple):
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(slots=True)
class Seat:
    """One stay in the room. Its spans lie within it: those of the roles fill it, one after the other.

    `left_at` is None while the member is inside; `until` is then the moment up to which the spans were told.
    """

    number: int
    entered_at: datetime
    role: int
    until: datetime
    left_at: datetime | None = None
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)  # live now, by id
    roles: list[tuple[int, Span]] = field(default_factory=list)
    away: list[Span] = field(default_factory=list)  # without a socket, the seat kept
    published: list[Span] = field(default_factory=list)  # at least one stream live
    _role_since: datetime | None = None
    _away_since: datetime | None = None
    _publishing_since: datetime | None = None

    @property
    def length(self) -> timedelta:
        return self.until - self.entered_at

    @property
    def is_away(self) -> bool:
        return self._away_since is not None

    def take_role(self, role: int, at: datetime) -> None:
        self.roles.append((self.role, Span(self._role_since or self.entered_at, at)))
        self.role, self._role_since = role, at

    def lose(self, at: datetime) -> None:
        self._away_since = self._away_since or at

    def come_back(self, at: datetime) -> None:
        if self._away_since:
            self.away.append(Span(self._away_since, at))
        self._away_since = None

    def publish(self, stream: dict[str, Any], at: datetime) -> None:
        self._publishing_since = self._publishing_since or at
        self.streams[stream["id"]] = stream

    def unpublish(self, stream_id: str, at: datetime) -> None:
        self.streams.pop(stream_id, None)
        if not self.streams and self._publishing_since:
            self.published.append(Span(self._publishing_since, at))
            self._publishing_since = None

    def end(self, at: datetime) -> None:
        """Close what is open. The streams that were live stay readable: nothing comes after."""
        self.until = at
        self.roles.append((self.role, Span(self._role_since or self.entered_at, at)))
        self.come_back(at)
        if self._publishing_since:
            self.published.append(Span(self._publishing_since, at))
            self._publishing_since = None


class Replay:
    """A conference, fact after fact. `inside` is who is there after the last one, `seats` who ever was.

    `peak` is how many were inside at most, `peak_seq` the fact after which they first were.
    """

    def __init__(self) -> None:
        self.inside: dict[int, Seat] = {}
        self.seats: list[Seat] = []
        self.peak = self.peak_seq = 0
        self.at: datetime | None = None

    def run(self, facts: Iterable[Fact]) -> Replay:
        """Apply facts in the order of their numbers."""
        for fact in facts:
            self._apply(fact)
        return self

    def finish(self, now: datetime) -> list[Seat]:
        """Everybody's seat; who is inside still is there `now`."""
        now = max(now, self.at or now)
        for seat in self.inside.values():
            seat.end(now)
        self.inside = {}
        return self.seats

    def _apply(self, fact: Fact) -> None:
        at = self.at = max(fact.at, self.at or fact.at)  # a clock that was set back ends no stay before it began
        number: int = fact.data.get("member", 0)
        if fact.type == "conference.closed":
            for each in list(self.inside):
                self._exit(each, at)
        elif fact.type == "member.joined":
            seat = Seat(number, at, fact.data["role"], at)
            self.inside[number] = seat
            self.seats.append(seat)
            if len(self.inside) > self.peak:
                self.peak, self.peak_seq = len(self.inside), fact.seq
        elif fact.type == "member.exited" and number in self.inside:
            self._exit(number, at)
        elif number in self.inside:  # a mix has no seat
            _change(self.inside[number], fact, at)

    def _exit(self, number: int, at: datetime) -> None:
        seat = self.inside.pop(number)
        seat.end(at)
        seat.left_at = at


def _change(seat: Seat, fact: Fact, at: datetime) -> None:
    match fact.type:
        case "member.lost":
            seat.lose(at)
        case "member.returned":
            seat.come_back(at)
        case "role.changed":
            seat.take_role(fact.data["role"], at)
        case "stream.added":
            seat.publish(fact.data["stream"], at)
        case "stream.removed":
            seat.unpublish(fact.data["stream"]["id"], at)


@dataclass(frozen=True, slots=True)
class Attendance:
    """One user's stays, added up. `last_out` is None for who is still inside."""

    user: str
    seats: list[Seat]

    @property
    def first_in(self) -> datetime:
        return self.seats[0].entered_at

    @property
    def last_out(self) -> datetime | None:
        return self.seats[-1].left_at

    @property
    def total(self) -> timedelta:
        return _sum(seat.length for seat in self.seats)

    @property
    def away(self) -> timedelta:
        return _sum(span.length for seat in self.seats for span in seat.away)

    @property
    def published(self) -> timedelta:
        return _sum(span.length for seat in self.seats for span in seat.published)

    @property
    def by_role(self) -> dict[int, timedelta]:
        times: dict[int, timedelta] = defaultdict(timedelta)
        for seat in self.seats:
            for role, span in seat.roles:
                times[role] += span.length
        return dict(times)


def attendance(seats: Iterable[Seat], users: Mapping[int, str]) -> list[Attendance]:
    """Per user, in the order of first entries; `users` names who sat on which number."""
    by_user: dict[str, list[Seat]] = defaultdict(list)
    for seat in seats:
        by_user[users[seat.number]].append(seat)
    return [Attendance(user, theirs) for user, theirs in by_user.items()]


def _sum(lengths: Iterable[timedelta]) -> timedelta:
    return sum(lengths, timedelta())
