"""What charts are drawn from: the samples of the last hours in as many steps as a screen can show."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from conferences.models import Sample

# By hours: the seconds of a step.
STEPS = {1: 10, 6: 60, 24: 240}


@dataclass(frozen=True, slots=True)
class Span:
    """The last hours, in whole steps; what has only begun is left out."""

    hours: int

    @property
    def step(self) -> int:
        return STEPS[self.hours]

    def times(self) -> range:
        now = int(time.time()) // self.step * self.step
        return range(now - self.hours * 3600, now, self.step)


def series(applications: Collection[int] | None, span: Span) -> dict[str, Any]:
    """One list per line, with None where nobody looked; what happened is told per minute."""
    times = span.times()
    since = datetime.fromtimestamp(times.start, UTC)
    points = {point.at: point for point in Sample.objects.series(applications, since, timedelta(seconds=span.step))}
    found = [points.get(at) for at in times]
    per_minute = 60 / span.step
    return {
        "step": span.step,
        "at": list(times),
        **{name: [point and getattr(point, name) for point in found] for name in ("conferences", "members", "streams")},
        **{
            name: [point and round(getattr(point, name) * per_minute, 1) for point in found]
            for name in ("joins", "refused")
        },
    }
