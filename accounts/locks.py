"""Waiting for a lock has an end: the database gives up after its `lock_timeout`, and that is a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError
from psycopg.errors import DeadlockDetected, LockNotAvailable

from accounts.errors import Busy


@contextmanager
def busy_when_locked() -> Iterator[None]:
    """Put it around a transaction, not inside: the transaction is lost. Raises: Busy."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
            raise Busy(retry_after=1) from error
        raise
