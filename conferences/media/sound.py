"""The sound of a mix: what each input brings is buffered, kept in step with the clock, and added up."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

RATE = 48_000
CHANNELS = 2
SAMPLE_BYTES = 2 * CHANNELS
# Beyond the most, an input is ahead of the clock: it goes on with what is newest. Empty, it waits for the least.
LEAST, KEPT, MOST = (int(RATE * seconds) * SAMPLE_BYTES for seconds in (0.1, 0.2, 0.5))

Samples = npt.NDArray[np.int16]


class SoundBuffer:
    """Takes the samples of one input as they come and gives them as the clock asks."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._waits = True
        self._lock = threading.Lock()

    def put(self, data: bytes) -> None:
        with self._lock:
            self._bytes += data
            if len(self._bytes) > MOST:
                del self._bytes[: (len(self._bytes) - KEPT) // SAMPLE_BYTES * SAMPLE_BYTES]

    def take(self, count: int) -> Samples | None:
        """The next `count` samples of each channel, with silence for what is missing; None for silence alone."""
        wanted = count * SAMPLE_BYTES
        with self._lock:
            if self._waits and len(self._bytes) < LEAST:
                return None
            found = bytes(self._bytes[:wanted])
            del self._bytes[:wanted]
            self._waits = len(found) < wanted
        return np.frombuffer(found.ljust(wanted, b"\0"), "<i2")


def mixed(count: int, inputs: Iterable[Samples | None]) -> bytes:
    """The sum of all, `count` samples of each channel, cut where it is too loud."""
    total = np.zeros(count * CHANNELS, np.int32)
    for samples in inputs:
        if samples is not None:
            total += samples
    return np.clip(total, -32768, 32767).astype("<i2").tobytes()
