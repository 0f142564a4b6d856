"""Waiting for what must come true soon."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], seconds: float = 5) -> float:
    """Wait until `condition` holds; returns how long it took. Fails when it never does."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "the condition never held"
        time.sleep(0.01)
    return time.monotonic() - start
