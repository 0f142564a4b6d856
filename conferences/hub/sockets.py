"""Sockets: how bytes leave. Straight to uvicorn's transport where its protocol is ours, by ASGI elsewhere.

Whoever goes past ASGI owns its duties: nothing is written after a close, the order is kept, and a consumer that
reads too slowly is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from conferences import metrics

# What a client may leave unread before it is closed.
MAX_UNREAD = 1 << 20
TOO_SLOW = 1013

EXTENSION = "confr.transport"

# One text message: the same for every receiver, or parts that the receiver's own field comes between.
Message = bytes | tuple[bytes, ...]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Transport(Protocol):
    """What `config.websocket_protocol` puts into the scope. `last_words` are frames for a server that stops."""

    last_words: bytes

    def push(self, data: bytes) -> int:
        """Write frames as they are; answers how many bytes the client has left unread."""

    def finish(self, code: int, reason: str) -> None:
        """Write a close frame and be done with the client soon, whether it reads or not."""


def frame(payload: bytes) -> bytes:
    """A whole text frame of a server: final, not masked, not compressed."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Batch:
    """Messages that are written together. Their frames are built once for all who get the same."""

    __slots__ = ("_frames", "_shared", "messages")

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self._shared = all(isinstance(message, bytes) for message in messages)
        self._frames: bytes | None = None

    def payloads(self, field: bytes) -> list[bytes]:
        """The texts of the messages for a receiver with this field."""
        return [message if isinstance(message, bytes) else field.join(message) for message in self.messages]

    def frames(self, field: bytes) -> bytes:
        """The same, framed and joined."""
        if not self._shared:
            return b"".join(map(frame, self.payloads(field)))
        if self._frames is None:
            self._frames = b"".join(map(frame, self.payloads(b"")))
        return self._frames


class Socket:
    """One client's way out. While a reply is owed, a close waits for it."""

    def __init__(self) -> None:
        self._owes_reply = False
        self._ending: tuple[int, str] | None = None

    @property
    def is_open(self) -> bool:
        return self._ending is None

    def write(self, batch: Batch, field: bytes = b"") -> None:
        if self.is_open and self._write(batch, field) > MAX_UNREAD:
            metrics.SLOW_CONSUMERS.inc()
            self.close(TOO_SLOW, "too slow")

    def close(self, code: int, reason: str = "") -> None:
        """Close; the first call decides, and what is written later is nothing."""
        if self._ending is None:
            self._ending = (code, reason)
            if not self._owes_reply:
                self._finish(code, reason)

    def bequeath(self, batch: Batch, field: bytes = b"") -> None:
        """What to write should the server stop, before it closes the socket. Only where the server offers it."""

    def owe_reply(self) -> None:
        self._owes_reply = True

    def reply(self, payload: bytes | None) -> None:
        """Pay what is owed (None: it was nothing), and then close if somebody asked for it meanwhile."""
        self._owes_reply = False
        batch = Batch([] if payload is None else [payload])
        if self._ending is None:
            self.write(batch)
        else:
            self._write(batch, b"")
            self._finish(*self._ending)

    def release(self, code: int, reason: str) -> None:
        """Nobody is there any more to write: close, if nobody has."""
        if self._owes_reply and self._ending is not None:
            self._finish(*self._ending)
        self._owes_reply = False
        self.close(code, reason)

    def _write(self, batch: Batch, field: bytes) -> int:
        raise NotImplementedError

    def _finish(self, code: int, reason: str) -> None:
        raise NotImplementedError


class DirectSocket(Socket):
    """Writes frames to uvicorn's transport."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def bequeath(self, batch: Batch, field: bytes = b"") -> None:
        self._transport.last_words = batch.frames(field)

    def _write(self, batch: Batch, field: bytes) -> int:
        return self._transport.push(batch.frames(field))

    def _finish(self, code: int, reason: str) -> None:
        self._transport.finish(code, reason)


class QueuedSocket(Socket):
    """Hands messages to ASGI's `send`, one after the other."""

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._unread = 0
        self._pump = asyncio.create_task(self._send_all())

    def _write(self, batch: Batch, field: bytes) -> int:
        for payload in batch.payloads(field):
            self._unread += len(payload)
            self._queue.put_nowait({"type": "websocket.send", "text": payload.decode()})
        return self._unread

    def _finish(self, code: int, reason: str) -> None:
        self._queue.put_nowait({"type": "websocket.close", "code": code, "reason": reason})

    async def _send_all(self) -> None:
        with suppress(OSError):  # what servers raise when the client is gone
            while self._unread or self.is_open or not self._queue.empty():
                message = await self._queue.get()
                await self._send(message)
                self._unread -= len(message.get("text", ""))


def socket_of(scope: dict[str, Any], send: Send) -> Socket:
    """The best way out that the server offers, once the connection is accepted."""
    transport: Transport | None = scope.get("extensions", {}).get(EXTENSION)
    return QueuedSocket(send) if transport is None else DirectSocket(transport)
