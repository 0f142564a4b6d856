"""Refusals, counted: for `/metrics` by cause and transport, and for the samples by cause and application.

Processes count for themselves and hand over to Redis once a second; the job that takes samples collects. What a
process counted in its last second may be lost.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import cast

from redis.exceptions import RedisError

from accounts.errors import DomainError
from accounts.redis import client, key
from conferences import metrics

logger = logging.getLogger(__name__)

HAND_OVER_SECONDS = 1.0
# Who was refused before anybody knew whose they are.
NOBODYS = 0

_lock = threading.Lock()
_counted: Counter[tuple[int, str]] = Counter()


def count(error: DomainError, transport: str, application_id: int | None = None) -> None:
    """Count a refusal. Asks nobody, so that the event loop may do it too."""
    metrics.REFUSALS.labels(error.code, transport).inc()
    whose = application_id or error.application_id or NOBODYS
    with _lock:
        if not _counted:
            timer = threading.Timer(HAND_OVER_SECONDS, hand_over)
            timer.daemon = True
            timer.start()
        _counted[whose, error.code] += 1


def hand_over() -> None:
    """Give Redis what this process has counted."""
    with _lock:
        counted = dict(_counted)
        _counted.clear()
    try:
        with client().pipeline(transaction=False) as pipeline:
            for (whose, code), number in counted.items():
                pipeline.hincrby(key("refusals"), f"{whose}:{code}", number)
            pipeline.execute()
    except RedisError as error:
        logger.warning("%d refusals are in no sample: %s", sum(counted.values()), type(error).__name__)


def collect() -> dict[int, dict[str, int]]:
    """Take what all processes have counted since the last time, by application and cause. Raises: RedisError."""
    with client().pipeline(transaction=True) as pipeline:
        pipeline.hgetall(key("refusals"))
        pipeline.delete(key("refusals"))
        found = cast(dict[bytes, bytes], pipeline.execute()[0])
    collected: dict[int, dict[str, int]] = {}
    for name, number in found.items():
        whose, _, code = name.decode().partition(":")
        collected.setdefault(int(whose), {})[code] = int(number)
    return collected
