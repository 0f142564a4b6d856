"""What a media worker can do, and how it holds what it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Protocol

from conferences.models import MediaJob
from conferences.services import media_jobs


class Hold:
    """A job that is ours until it is to stop or the claim is lost. Whoever held it before has a smaller `fence`."""

    def __init__(self, target: int, fence: int) -> None:
        self.target, self.fence = target, fence
        self._stop = Event()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Whether it is to stop, at once or within so many seconds."""
        return self._stop.wait(seconds)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction in which the job is ours. Raises: ClaimLost; it stops then."""
        try:
            with media_jobs.holding(self.fence):
                yield
        except media_jobs.ClaimLost:
            self.stop()
            raise


class Work(Protocol):
    """One kind of work: what there is of it, how much of it one worker takes, and how it is done."""

    kind: MediaJob.Kind
    capacity: int

    def wanted(self) -> set[int]:
        """What should be done now, by the numbers of the targets. What is left out of it is stopped."""

    def run(self, hold: Hold) -> None:
        """Do it in a thread of its own, until `hold` is to stop or nothing is left to do. ffmpeg ends with it."""

    def tidy(self, claimed: set[int]) -> None:
        """What is to be done once nobody works at a target any more; `claimed` are those that somebody works at."""
