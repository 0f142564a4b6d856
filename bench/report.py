"""The table: one row per figure, the median of the runs with the least and the greatest."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from bench.workloads import GAPS, HOLES, LOST


def table(runs: Sequence[dict[str, float]]) -> str:
    """Markdown, in the order of the workloads."""
    names = sorted(runs[0], key=lambda name: (name in {HOLES, GAPS, LOST}, name[:2]))
    lines = [f"| {circumstances()} | {len(runs)} run{'s' * (len(runs) > 1)} |", "|---|---|"]
    lines += [f"| {name} | {_cell([run[name] for run in runs])} |" for name in names]
    return "\n".join(lines)


def circumstances() -> str:
    """Where and when."""
    today = datetime.now(UTC).date().isoformat()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {today}"


def _cell(values: Sequence[float]) -> str:
    if len(values) == 1:
        return _number(values[0])
    return f"{_number(median(values))} [{_number(min(values))}–{_number(max(values))}]"


def _number(value: float) -> str:
    """Three digits are as much as such a figure is worth."""
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:#.3g}"
