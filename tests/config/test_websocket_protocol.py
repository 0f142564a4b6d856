"""The protocol class at uvicorn: what the application writes past ASGI arrives, and only while it may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from conferences.hub import sockets
from config import websocket_protocol
from config.websocket_protocol import ConfrWebSocketProtocol

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@asynccontextmanager
async def serving(application: Application) -> AsyncIterator[str]:
    config = uvicorn.Config(
        application, port=0, ws=ConfrWebSocketProtocol, ws_per_message_deflate=False, lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 uvicorn tells nobody
            await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        await running


def test_uvicorn_is_the_version_that_the_class_was_made_for() -> None:
    assert uvicorn.__version__.startswith("0.54.")


def test_the_hub_looks_where_the_protocol_puts_itself() -> None:
    assert websocket_protocol.EXTENSION == sockets.EXTENSION


async def test_frames_that_are_pushed_arrive_between_those_of_asgi_in_order() -> None:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        transport = scope["extensions"][sockets.EXTENSION]
        await send({"type": "websocket.send", "text": "one"})
        assert transport.push(sockets.frame(b"two") + sockets.frame(b"three")) >= 0
        await send({"type": "websocket.send", "text": "four"})
        transport.finish(4412, "kicked")
        assert transport.push(sockets.frame(b"never")) == 0
        transport.finish(1000, "twice")
        assert await receive() == {"type": "websocket.disconnect", "code": 4412, "reason": "kicked"}

    async with serving(application) as url, connect(url, proxy=None) as client:
        heard = [await client.recv() for _ in range(4)]
        assert heard == ["one", "two", "three", "four"]
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4412, "kicked")


async def test_nothing_is_written_to_a_client_that_is_gone() -> None:
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        transport = scope["extensions"][sockets.EXTENSION]
        assert (await receive())["type"] == "websocket.disconnect"
        transport.finish(1011, "late")
        done.set_result(transport.push(sockets.frame(b"late")))

    async with serving(application) as url:
        async with connect(url, proxy=None):
            pass
        assert await asyncio.wait_for(done, 10) == 0


async def test_a_client_that_never_reads_is_cut_after_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_SECONDS", 0.1)
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        transport = scope["extensions"][sockets.EXTENSION]
        while transport.push(sockets.frame(b"x" * 60_000)) < sockets.MAX_UNREAD:  # noqa: ASYNC110 fills the buffers
            await asyncio.sleep(0)
        transport.finish(1013, "too slow")
        assert (await receive())["code"] == 1013
        async with asyncio.timeout(10):
            while not transport.disconnected:  # noqa: ASYNC110 uvicorn tells nobody
                await asyncio.sleep(0.01)
        done.set_result(True)

    async with serving(application) as url:
        client = await connect(url, proxy=None, max_queue=1)
        client.transport.pause_reading()
        assert await asyncio.wait_for(done, 10)
        client.transport.abort()
