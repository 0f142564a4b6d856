"""A client of our own socket for tests: asks, waits for replies, and keeps what it was told, in order."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

DEADLINE = 10.0


class Refused(Exception):
    """An error reply."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["code"])
        self.error = error
        self.code: str = error["code"]


class LiveClient:
    """One member's socket. `pushes` holds every frame that was no reply; `closed` the close code."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pushes: list[dict[str, Any]] = []
        self.entered: dict[str, Any] = {}
        self._ids = itertools.count(1)
        self._replies: dict[object, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str, **options: Any) -> LiveClient:
        options = {"compression": None, "ping_interval": None, "open_timeout": DEADLINE, "proxy": None} | options
        return cls(await connect(url, **options))

    @classmethod
    async def enter(cls, url: str, ticket: str, **wish: Any) -> LiveClient:
        """Connect and enter. Raises: Refused."""
        client = await cls.connect(url)
        client.entered = await client.ask("enter", ticket=ticket, **wish)
        return client

    async def ask(self, op: str, **data: Any) -> dict[str, Any]:
        """One operation and its result. Raises: Refused."""
        frame_id = next(self._ids)
        reply = self.expect(frame_id)
        await self.send_text(orjson.dumps({"id": frame_id, "op": op, "data": data}).decode())
        async with asyncio.timeout(DEADLINE):  # `wait_for` of Python 3.11 may forget that it was cancelled
            answer = await reply
        if "error" in answer:
            raise Refused(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def expect(self, frame_id: object) -> asyncio.Future[Any]:
        """What the reply to this frame will be."""
        reply = self._replies[frame_id] = asyncio.get_running_loop().create_future()
        return reply

    async def send_text(self, text: str | bytes) -> None:
        await self.socket.send(text)

    async def until(self, event: str, count: int = 1, **data: Any) -> dict[str, Any]:
        """Wait for the `count`-th push of this name whose data has these values."""

        def found() -> list[dict[str, Any]]:
            return [push for push in self.pushes if push.get("event") == event and data.items() <= push["data"].items()]

        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(found()) >= count), DEADLINE)
        return found()[count - 1]

    async def until_pushes(self, count: int) -> None:
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(self.pushes) >= count), DEADLINE)

    async def until_seq(self, seq: int) -> None:
        """Wait until everything up to this number is told; the last fact of it must be one that everybody sees."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: self.last_seq >= seq), DEADLINE)

    async def closed(self) -> int:
        """Wait for the end; the close code."""
        await asyncio.wait_for(self.socket.wait_closed(), DEADLINE)
        await self.finished()
        code = self.socket.close_code
        assert code is not None
        return code

    async def finished(self) -> None:
        """Everything that came is read."""
        await self._reader

    def cut(self) -> None:
        """Lose the connection without a goodbye."""
        self.socket.transport.abort()

    async def close(self) -> None:
        await self.socket.close()
        await self._reader

    @property
    def events(self) -> list[str]:
        return [push["event"] for push in self.pushes]

    @property
    def seqs(self) -> list[int]:
        return [push["seq"] for push in self.pushes if "seq" in push]

    @property
    def last_seq(self) -> int:
        """What a client would say when it comes back."""
        return self.seqs[-1] if self.seqs else self.entered["seq"]

    @property
    def roster(self) -> set[str]:
        """Who is inside, by what this client was told."""
        inside = {member["memName"] for member in self.entered["members"]}
        for push in self.pushes:
            if push["event"] == "onMemberJoined":
                inside.add(push["data"]["memName"])
            elif push["event"] == "onMemberExited":
                inside.discard(push["data"]["memName"])
        return inside

    def assert_unbroken(self) -> None:
        """Every number once, in order, each pointing at the one before."""
        last = self.entered.get("seq")
        for push in self.pushes:
            if "seq" in push:
                assert last is None or push["prev"] == last, (last, push)
                assert push["seq"] > push["prev"], push
                last = push["seq"]

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                await self._take(orjson.loads(text))
        except ConnectionClosed:
            pass
        finally:
            for reply in self._replies.values():
                if not reply.done():
                    reply.set_exception(ConnectionError(f"closed with {self.socket.close_code}"))
            async with self._news:
                self._news.notify_all()

    async def _take(self, frame: dict[str, Any]) -> None:
        if "event" not in frame:
            reply = self._replies.pop(frame["id"], None)
            if reply is not None and not reply.done():  # else it came too late
                reply.set_result(frame)
            return
        async with self._news:
            self.pushes.append(frame)
            self._news.notify_all()


class Survivor:
    """A member as a good client: comes back after every loss, and says what it heard last.

    `pushes` are those of all its sockets together; a snapshot in between is a failure.
    """

    FINAL = frozenset({1000, 4401, 4403, 4409, 4410, 4412})

    def __init__(self, url: str, ticket: str) -> None:
        self.url, self.ticket = url, ticket
        self.client: LiveClient | None = None
        self.entered: dict[str, Any] = {}
        self.returns = 0
        self._before: list[dict[str, Any]] = []
        self._stopping = False
        self._inside = asyncio.Event()
        self._life = asyncio.create_task(self._live())

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return self._before + (self.client.pushes if self.client else [])

    @property
    def last_seq(self) -> int:
        seqs: list[int] = [push["seq"] for push in self.pushes if "seq" in push]
        return seqs[-1] if seqs else int(self.entered.get("seq", 0))

    async def inside(self) -> None:
        await asyncio.wait_for(self._inside.wait(), 4 * DEADLINE)

    async def until_seq(self, seq: int, seconds: float = 4 * DEADLINE) -> None:
        async with asyncio.timeout(seconds):
            while self.last_seq < seq:  # noqa: ASYNC110 over several sockets there is no one event to wait for
                await asyncio.sleep(0.02)

    def assert_unbroken(self) -> None:
        """Every fact after the first snapshot once, in order, over all sockets."""
        last = self.entered["seq"]
        for push in self.pushes:
            if "seq" in push:
                assert push["prev"] == last, (last, push)
                last = push["seq"]

    async def stop(self) -> None:
        self._stopping = True
        if self.client is not None:
            await self.client.close()
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)

    async def _live(self) -> None:
        while not self._stopping:
            try:
                client = await LiveClient.connect(self.url)
                entered = await client.ask("enter", ticket=self.ticket, lastSeq=self.last_seq)
            except Refused as error:
                if error.code not in {"unavailable", "busy"}:
                    raise
                await asyncio.sleep(0.1)
                continue
            except (OSError, EOFError, WebSocketException):
                await asyncio.sleep(0.1)
                continue
            if self.entered:
                assert entered["resumed"], "came back to a snapshot"
                self.returns += 1
            self.entered = self.entered or entered
            self.client = client
            self._inside.set()
            await client.socket.wait_closed()
            await client.finished()
            self._inside.clear()
            self._before, self.client = self.pushes, None
            if client.socket.close_code in self.FINAL:
                return
