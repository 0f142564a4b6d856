"""uvicorn's WebSocket protocol with a door: the application may write frames to the transport itself.

Made for uvicorn 0.54, whose version is pinned; docs/adr/0004 says why.
"""

from __future__ import annotations

import logging

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "confr.transport"
# How long a client has to read a close frame before the connection is cut.
CLOSE_SECONDS = 5.0

# uvicorn tells of every socket that opens; a thousand of them are no news.
_quiet = logging.getLogger("uvicorn.error.sockets")
_quiet.setLevel(logging.WARNING)


class ConfrWebSocketProtocol(WebSocketsSansIOProtocol):
    """Puts itself into the scope: `push` and `finish` are what `conferences.hub.sockets` asks of a transport."""

    # What the client is told, as frames, before the server that stops closes it.
    last_words = b""

    async def run_asgi(self) -> None:
        self.logger = _quiet
        self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]  # ASGI leaves it to us
        await super().run_asgi()

    def push(self, data: bytes) -> int:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return 0
        self.transport.write(data)
        return self.transport.get_write_buffer_size()

    def shutdown(self) -> None:
        self.push(self.last_words)
        super().shutdown()

    def finish(self, code: int, reason: str) -> None:
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)
