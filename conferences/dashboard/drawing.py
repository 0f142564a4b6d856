"""The geometry of pictures: attendance as lanes on an axis of time, days as bars. Pure; templates draw it as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from conferences.dashboard.attendance import Attendance, Span
from conferences.dashboard.history import Day

WIDTH, LABELS, LANE, BAR, TOP = 1000, 200, 22, 12, 24
STEPS = [timedelta(seconds=seconds) for seconds in (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400)]
MOST_TICKS = 8
LABEL_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of one kind: role-7, role-3, role-1, away, published."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    span: Span


@dataclass(frozen=True, slots=True)
class Lane:
    label: str
    y: int
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Tick:
    x: int
    at: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Lanes:
    """Who was there when: a lane per user."""

    width: int
    height: int
    lanes: list[Lane]
    ticks: list[Tick]


def lanes(people: Sequence[Attendance], begin: datetime, end: datetime) -> Lanes:
    """A picture from `begin` to `end`."""
    whole = max(end - begin, timedelta(seconds=1))

    def place(at: datetime) -> int:
        return LABELS + round((WIDTH - LABELS) * ((at - begin) / whole))

    def bar(kind: str, span: Span, y: int, height: int) -> Bar:
        x = place(span.start)
        return Bar(kind, x, y, max(1, place(span.end) - x), height, span)

    found = []
    for index, each in enumerate(people):
        y = TOP + index * LANE
        bars = [bar(f"role-{role}", span, y, BAR) for seat in each.seats for role, span in seat.roles]
        bars += [bar("away", span, y, BAR) for seat in each.seats for span in seat.away]
        bars += [bar("published", span, y + BAR, 3) for seat in each.seats for span in seat.published]
        found.append(Lane(_short(each.user), y + BAR - 2, bars))
    return Lanes(
        WIDTH,
        TOP + len(people) * LANE,
        found,
        [Tick(place(at), at, at.strftime(_clock(whole))) for at in _ticks(begin, whole)],
    )


def _ticks(begin: datetime, whole: timedelta) -> list[datetime]:
    """Round moments, few enough to be read."""
    step = next((step for step in STEPS if whole / step <= MOST_TICKS), whole / MOST_TICKS)
    since_midnight = begin - begin.replace(hour=0, minute=0, second=0, microsecond=0)
    first = begin + (-since_midnight % step)
    return [first + step * number for number in range(int((begin + whole - first) / step) + 1)]


def _clock(whole: timedelta) -> str:
    """As much of a moment as tells the ticks of a picture of this length apart."""
    if whole < timedelta(minutes=10):
        return "%H:%M:%S"
    return "%H:%M" if whole < timedelta(days=1) else "%m-%d %H:%M"


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 1]}…"


@dataclass(frozen=True, slots=True)
class Column:
    x: int
    y: int
    width: int
    height: int
    day: Day


def columns(days: Sequence[Day], first: date, last: date, height: int = 120) -> list[Column]:
    """A bar per day that has any, as tall as its conferences are many, where it is between `first` and `last`."""
    if not days:
        return []
    slot = WIDTH / ((last - first).days + 1)
    most = max(day.conferences for day in days)
    found = []
    for day in days:
        tall = max(1, round(height * day.conferences / most))
        found.append(Column(round((day.day - first).days * slot), height - tall, max(1, round(slot) - 2), tall, day))
    return found
