"""The process's subscription in Redis: what it hears, and that it says when it hears no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError

from conferences import delivery
from conferences.hub import wakeups
from supervisor import embedded
from tests.factories import until


@pytest.fixture
def redis(settings) -> Iterator[Redis]:
    """A Redis of our own, which a test may stop."""
    with embedded.redis() as url:
        settings.REDIS_URL = url
        client = Redis.from_url(url)
        yield client
        client.close()


async def subscribed(client: Redis, count: int = 1) -> None:
    found = [(delivery.CHANNEL.encode(), count)]
    await asyncio.to_thread(until, lambda: client.pubsub_numsub(delivery.CHANNEL) == found)


async def test_every_wake_up_is_heard_in_order(redis):
    heard: list[bytes] = []
    listening = asyncio.create_task(wakeups.listen(heard.append))
    await subscribed(redis)
    sent = [b"%d" % number + b"x" * 40_000 for number in range(50)]
    for data in sent:
        redis.publish(delivery.CHANNEL, data)
    await asyncio.to_thread(until, lambda: len(heard) == len(sent))
    assert heard == sent
    listening.cancel()
    await asyncio.wait([listening])
    await subscribed(redis, 0)


async def test_a_lost_connection_is_an_error(redis):
    listening = asyncio.create_task(wakeups.listen(lambda _: None))
    await subscribed(redis)
    redis.client_kill_filter(_type="pubsub")
    with pytest.raises(RedisError):
        await asyncio.wait_for(listening, 5)


async def test_a_password_is_said(redis, settings):
    redis.config_set("requirepass", "secret")
    with pytest.raises(RedisError):
        await asyncio.wait_for(wakeups.listen(lambda _: None), 5)
    settings.REDIS_URL = settings.REDIS_URL.replace("unix://", "unix://:secret@")
    listening = asyncio.create_task(wakeups.listen(lambda _: None))
    await subscribed(redis)
    listening.cancel()
    await asyncio.wait([listening])


async def test_a_silent_redis_is_an_error(redis, monkeypatch):
    monkeypatch.setattr(wakeups, "HEARTBEAT_SECONDS", 0.2)
    listening = asyncio.create_task(wakeups.listen(lambda _: None))
    await subscribed(redis)
    redis.client_pause(2000)
    with pytest.raises(RedisError, match="silent"):
        await asyncio.wait_for(listening, 1.5)


async def test_no_redis_is_an_error(settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    with pytest.raises(RedisError, match="cannot be reached"):
        await wakeups.listen(lambda _: None)
