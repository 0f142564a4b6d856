"""HTTP and WebSocket clients that cost a few microseconds per message, so that they are not what is measured.

They speak to one server on loopback and trust it to be ours: no redirects, no chunks, no fragments.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson

HOST = "127.0.0.1"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
HANDSHAKE_SECONDS = 30


class Refused(Exception):
    """An answer that is no success."""


class HttpConnection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self) -> None:
        self.is_open = True
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if len(body) < int(length.partition(b"\r\n")[0]):
            return
        self._received = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def close(self) -> None:
        self._transport.close()


class Http:
    """Calls the API with one key, over as many connections as there are calls at once."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._fixed = f"Host: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        self._idle: list[HttpConnection] = []

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. Raises: Refused, ConnectionError."""
        content = b"" if body is None else orjson.dumps(body)
        head = f"{method} /api/v1{path} HTTP/1.1\r\n{self._fixed}Content-Length: {len(content)}\r\n\r\n"
        connection = await self._connection()
        status, answer = await connection.ask(head.encode() + content)
        self._idle.append(connection)
        if status >= 300:
            raise Refused(f"{method} {path}: {status} {answer[:300]!r}")
        return orjson.loads(answer)

    async def _connection(self) -> HttpConnection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(HttpConnection, HOST, self._port)
        return connection

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


class WebSocket(asyncio.Protocol):
    """One socket. `on_text` gets every message, `on_close` the close code (1006 where there was none)."""

    def __init__(self, on_text: Callable[[bytes], None], on_close: Callable[[int], None]) -> None:
        self.is_open = False
        self._on_text, self._on_close = on_text, on_close
        self._received = b""
        self._code = 1006
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, port: int, path: str, on_text: Callable[[bytes], None], on_close: Callable[[int], None]
    ) -> WebSocket:
        """Raises: ConnectionError, TimeoutError."""
        socket = cls(on_text, on_close)
        await asyncio.get_running_loop().create_connection(lambda: socket, HOST, port)
        key = b64encode(os.urandom(16)).decode()
        socket._transport.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await asyncio.wait_for(socket._opened, HANDSHAKE_SECONDS)
        return socket

    def send(self, text: bytes) -> None:
        self._write(TEXT, text)

    def close(self) -> None:
        if not self._transport.is_closing():
            self._write(CLOSE, b"\x03\xe8")

    def _write(self, kind: int, payload: bytes) -> None:
        """A frame under the mask of four zeros, which leaves the payload as it is."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(bytes((kind,)) + length + bytes(4) + payload)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        if not self._opened.done():
            self._opened.set_exception(ConnectionError("closed in the handshake"))
        self.is_open = False
        self._on_close(self._code)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        position = 0
        if not self.is_open:
            position = self._shake_hands(data)
            if not position:
                self._received = data
                return
        while frame := _frame_at(data, position):
            start, end = frame
            if data[position] == TEXT:
                self._on_text(data[start:end])
            else:
                self._control(data[position], data[start:end])
            position = end
        self._received = data[position:]

    def _shake_hands(self, data: bytes) -> int:
        """Where the frames begin; 0 as long as the server has not answered."""
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return 0
        if not data.startswith(b"HTTP/1.1 101"):
            self._transport.close()
            return 0
        self.is_open = True
        self._opened.set_result(None)
        return head + 4

    def _control(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self._write(PONG, payload)
        elif kind == CLOSE:
            self._code = int.from_bytes(payload[:2], "big")
            self._write(CLOSE, payload[:2])
            self._transport.close()


def _frame_at(data: bytes, position: int) -> tuple[int, int] | None:
    """Where the payload of the (unmasked) frame at `position` starts and ends; None before all of it is there."""
    here = len(data) - position
    if here < 2:
        return None
    length, start = data[position + 1], position + 2
    if length == 126 and here >= 4:
        length, start = data[start] << 8 | data[start + 1], start + 2
    elif length == 127 and here >= 10:
        length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
    elif length > 125:
        return None
    return (start, start + length) if start + length <= len(data) else None
