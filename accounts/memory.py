"""What a process may remember for a moment, so that a hot caller costs no query per call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

MOMENT_SECONDS = 1.0
MAX_ENTRIES = 10_000


class Moment(Generic[Key, Value]):
    """Values that are true for at most a second from when they were asked for. Thread-safe.

    Only what `fetch` returns is kept: a refusal that it raises is asked again every time.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, fetch: Callable[[], Value]) -> Value:
        asked_at = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
        if entry and entry[0] > asked_at:
            return entry[1]
        value = fetch()
        with self._lock:
            if len(self._entries) >= MAX_ENTRIES:
                self._entries.clear()
            self._entries[key] = (asked_at + MOMENT_SECONDS, value)
        return value

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
