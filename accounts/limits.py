"""How often somebody may ask: token buckets in Redis, one round trip for all that a call has to pass."""

from __future__ import annotations

import logging
import math
import threading
import time
from functools import cache
from typing import NamedTuple, cast

from redis.commands.core import Script
from redis.exceptions import RedisError

from accounts.actors import Actor, ActorKind
from accounts.errors import RateLimited, Unavailable
from accounts.models import Application
from accounts.redis import client, key

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 60
STAFF_PER_MINUTE = 6000
GUESSES_PER_USER = 10
GUESSES_PER_ADDRESS = 60

# A bucket holds `capacity` tokens and fills itself within the period. All pay the cost, or none does; a
# negative cost gives back. Returned: whether it was paid, then what is left in each. Redis's clock, since
# ours differ.
TAKE = """
local period, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local levels, paid = {}, 1
for i, bucket in ipairs(KEYS) do
  local capacity = tonumber(ARGV[i + 2])
  local saved = redis.call('HMGET', bucket, 'level', 'at')
  local level = tonumber(saved[1]) or capacity
  local elapsed = math.max(0, now - (tonumber(saved[2]) or now))
  levels[i] = math.min(capacity, level + elapsed * capacity / period)
  if levels[i] < cost then paid = 0 end
end
local answer = {paid}
for i, bucket in ipairs(KEYS) do
  if paid == 1 then
    levels[i] = math.min(tonumber(ARGV[i + 2]), levels[i] - cost)
    redis.call('HSET', bucket, 'level', levels[i], 'at', now)
    redis.call('EXPIRE', bucket, period)
  end
  answer[i + 1] = string.format('%.6f', levels[i])
end
return answer
"""


class Bucket(NamedTuple):
    """A bucket's name and how many tokens it holds, which is also what it gains per minute."""

    name: str
    capacity: int


class Allowance(NamedTuple):
    """The tightest limit that a call had to pass, as its `RateLimit-*` headers say it; times in seconds.

    `reset` is when the bucket is full again, `retry_after` when the next call will be let through (0: at
    once).
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int


class Outage:
    """Remembers for a second that Redis is away, so that not every call waits; logs it once a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = self._next_report = 0.0
        self._unlimited = 0

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def note(self, error: RedisError) -> None:
        self._until = time.monotonic() + 1
        self.count(type(error).__name__)

    def count(self, cause: str = "out of reach") -> None:
        now = time.monotonic()
        with self._lock:
            self._unlimited += 1
            if now < self._next_report:
                return
            unlimited, self._unlimited = self._unlimited, 0
            self._next_report = now + 60
        logger.warning("Redis is away (%s): %d requests were not limited", cause, unlimited)


_outage = Outage()


def request(actor: Actor, application: Application | None) -> Allowance:
    """Count one request of `actor` against its own limit and its application's.

    While Redis is away everybody is let through: live rooms are worth more than a limit that guards them, and
    whoever is let through is authenticated. The log says so once a minute.
    """
    buckets = _buckets(actor, application)
    if _outage.lasts():
        _outage.count()
        return _unlimited(buckets)
    try:
        paid, levels = _take(buckets)
    except RedisError as error:
        _outage.note(error)
        return _unlimited(buckets)
    return _allowance(buckets, paid, levels)


def guess(application_id: int, conference: int | str, user: str, address: str | None) -> None:
    """Pay for one try at a conference's password, before it is checked; `forgive` it when it was right.

    Unlike requests, guesses are refused while Redis is away: an outage must not open every password to a
    search.

    Raises: RateLimited, Unavailable.
    """
    _pay(_guess_buckets(f"{application_id}:{conference}", user, address))


def forgive(application_id: int, conference: int | str, user: str, address: str | None) -> None:
    """Give back what a right guess paid. When Redis is away the next minute does it."""
    try:
        _take(_guess_buckets(f"{application_id}:{conference}", user, address), cost=-1)
    except RedisError as error:
        logger.warning("a right guess stays counted: %s", type(error).__name__)


def _buckets(actor: Actor, application: Application | None) -> list[Bucket]:
    if actor.kind is ActorKind.STAFF or application is None:
        return [Bucket(key("rate", actor.kind.value, actor.id), STAFF_PER_MINUTE)]
    return [
        Bucket(key("rate", actor.kind.value, actor.id), application.requests_per_minute),
        Bucket(key("rate", "total", application.pk), application.total_requests_per_minute),
    ]


def _guess_buckets(place: str, user: str, address: str | None) -> list[Bucket]:
    buckets = [Bucket(key("guess", place, "user", user), GUESSES_PER_USER)]
    if address is not None:
        buckets.append(Bucket(key("guess", place, "address", address), GUESSES_PER_ADDRESS))
    return buckets


def _pay(buckets: list[Bucket]) -> None:
    try:
        paid, levels = _take(buckets)
    except RedisError as error:
        raise Unavailable(retry_after=1) from error
    if not paid:
        raise RateLimited(retry_after=_allowance(buckets, paid, levels).retry_after)


@cache
def _script() -> Script:
    return client().register_script(TAKE)


def _take(buckets: list[Bucket], cost: int = 1) -> tuple[bool, list[float]]:
    capacities = [bucket.capacity for bucket in buckets]
    answer = _script()(keys=[bucket.name for bucket in buckets], args=[PERIOD_SECONDS, cost, *capacities])
    paid, *levels = cast("list[bytes]", answer)
    return bool(paid), [float(level) for level in levels]


def _allowance(buckets: list[Bucket], paid: bool, levels: list[float]) -> Allowance:
    bucket, level = min(zip(buckets, levels, strict=True), key=lambda pair: pair[1])
    per_second = bucket.capacity / PERIOD_SECONDS
    return Allowance(
        allowed=paid,
        limit=bucket.capacity,
        remaining=int(level),
        reset=math.ceil((bucket.capacity - level) / per_second),
        retry_after=0 if paid else max(1, math.ceil((1 - level) / per_second)),
    )


def _unlimited(buckets: list[Bucket]) -> Allowance:
    limit = min(bucket.capacity for bucket in buckets)
    return Allowance(allowed=True, limit=limit, remaining=limit, reset=0, retry_after=0)
