"""The days that filters ask for, as moments. Both are of the day: the last day that there is has an end, too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time


def begin_of(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, UTC)
