"""Wake-ups: the process's subscription in Redis.

A protocol of our own: the client library takes three times the CPU for each message, and every process hears all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import hiredis
from django.conf import settings
from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

from conferences import delivery

CONNECT_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0

Wake = Callable[[bytes], None]


async def listen(wake: Wake) -> None:
    """Give every wake-up to `wake`, as long as there is a connection. Raises: RedisError, when there is none more."""
    subscription = await _subscribe(wake)
    try:
        await subscription.beat()
    finally:
        subscription.close()


async def _subscribe(wake: Wake) -> _Subscription:
    address = parse_url(settings.REDIS_URL)
    tls = SSLConnection(**address).ssl_context.get() if address.pop("connection_class", None) is SSLConnection else None
    secret = [address[name] for name in ("username", "password") if name in address]
    subscription, loop = _Subscription(wake, secret), asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if "path" in address:
                await loop.create_unix_connection(lambda: subscription, address["path"])
            else:
                where = address.get("host", "localhost"), address.get("port", 6379)
                await loop.create_connection(lambda: subscription, *where, ssl=tls)
    except (OSError, TimeoutError) as error:
        raise Disconnected(f"Redis cannot be reached: {error}") from error
    return subscription


class _Subscription(asyncio.Protocol):
    """One connection that is subscribed to the channel."""

    def __init__(self, wake: Wake, secret: list[str]) -> None:
        self._wake, self._secret = wake, secret
        self._reader = hiredis.Reader()
        self._heard = 0
        self._lost: asyncio.Future[RedisError] = asyncio.get_running_loop().create_future()

    async def beat(self) -> None:
        """Ask from time to time whether Redis is there, until it is not. Raises: RedisError."""
        while True:
            heard = self._heard
            self._transport.write(_command("PING"))
            await asyncio.wait([self._lost], timeout=HEARTBEAT_SECONDS)
            if self._lost.done():
                raise self._lost.result()
            if self._heard == heard:
                raise Disconnected("Redis is silent")

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        if self._secret:
            self._transport.write(_command("AUTH", *self._secret))
        self._transport.write(_command("SUBSCRIBE", delivery.CHANNEL))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._heard += 1
            if isinstance(reply, hiredis.ReplyError):
                self._lose(ResponseError(str(reply)))
            elif isinstance(reply, list) and reply[0] == b"message":
                self._wake(reply[2])

    def connection_lost(self, error: Exception | None) -> None:
        self._lose(Disconnected(str(error or "Redis closed the connection")))

    def _lose(self, error: RedisError) -> None:
        if not self._lost.done():
            self._lost.set_result(error)


def _command(*words: str) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub allows but one word
    return packed
