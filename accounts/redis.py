"""The synchronous Redis client of everybody: one pool per process, short time-outs, no long retries."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.retry import Retry

TIMEOUT_SECONDS = 0.5


@cache
def client() -> Redis:
    """The process's client. Raises `redis.RedisError` within half a second when Redis is away.

    A lost connection is tried once more, since the pool only learns of a restarted Redis by using it. A
    time-out is not: the server may have done what was asked.
    """
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
    )


def key(*parts: object) -> str:
    """`confr:part:part`: our keys beside those of others in one Redis."""
    return ":".join([settings.REDIS_PREFIX, *map(str, parts)])
