"""emedia's wire for tests, as its SDKs use it: HTTP calls, and a socket that keeps what it was told, in order."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import orjson
import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]

DEADLINE = 10.0
REPLY = 1001


class Calls:
    """The HTTP calls of one user's SDK."""

    def __init__(self, url: str, uid: str, token: str) -> None:
        self.url, self.uid, self.token = url, uid, token

    def __call__(self, path: str, method: str = "POST", **body: Any) -> Json:
        """The answer to one call; the status is 200 whatever it says."""
        url = path if path.startswith("http") else f"{self.url}{path}"
        response = requests.request(
            method, url, data=orjson.dumps(body), headers={"Content-Type": "application/json"}, timeout=DEADLINE
        )
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer

    def ticket(self, **body: Any) -> Json:
        return self("/easemob/rtc/req/ticket", uid=self.uid, token=self.token, **body)

    def room(self, name: str, **config: Any) -> Json:
        org, app = self.uid.partition("_")[0].split("#")
        return self(f"/{org}/{app}/conferences/room", roomName=name, memName=self.uid, token=self.token, **config)

    def rtc(self, path: str, role_token: str | None = None, method: str = "POST", **body: Any) -> Json:
        given = {} if role_token is None else {"roleToken": role_token}
        return self(f"/easemob/rtc/{path}", method, **given, **body)


class EmediaClient:
    """One member's socket. `pushes` holds every frame that was no reply, `code` the close code."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pushes: list[Json] = []
        self.entered: Json = {}
        self.frames: list[Json] = []
        self._ids = itertools.count(1)
        self._replies: dict[str, asyncio.Future[Json]] = {}
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str) -> EmediaClient:
        options: Json = {"compression": None, "ping_interval": None, "open_timeout": DEADLINE, "proxy": None}
        return cls(await connect(url, **options))

    @classmethod
    async def enter(cls, ticket: str | Json, **frame: Any) -> EmediaClient:
        """Connect to where the ticket says and send op 200, as the mini-program's SDK does."""
        document: Json = orjson.loads(ticket) if isinstance(ticket, str) else ticket
        client = await cls.connect(f"{document['url']}?1&{document['confrId']}")
        given = {"res": RESOURCE, "tkt": document, "nickName": document["memName"], "ext": "{}"} | frame
        client.entered = await client.ask(200, **given)
        return client

    @property
    def sess_id(self) -> str:
        found: str = self.entered["sessId"]
        return found

    async def ask(self, op: int, **fields: Any) -> Json:
        """Send a frame and wait for its reply."""
        tsx_id = fields.pop("tsxId", f"MSG1600000000000-{next(self._ids)}")
        reply = self._expect(tsx_id)
        await self.send(op=op, tsxId=tsx_id, **fields)
        async with asyncio.timeout(DEADLINE):
            return await reply

    async def ask_as_it_is(self, message: str | bytes) -> Json:
        """Send what is no frame, and wait for the reply, which can name none."""
        reply = self._expect("")
        await self.socket.send(message)
        async with asyncio.timeout(DEADLINE):
            return await reply

    def _expect(self, tsx_id: str) -> asyncio.Future[Json]:
        self._replies[tsx_id] = asyncio.get_running_loop().create_future()
        return self._replies[tsx_id]

    async def send(self, **frame: Any) -> None:
        if "sessId" in self.entered and "sessId" not in frame:
            frame["sessId"] = self.sess_id
        await self.socket.send(orjson.dumps(frame).decode())

    async def until(self, op: int, count: int = 1, **fields: Any) -> Json:
        """Wait for the `count`-th push of this op that has these fields."""

        def found() -> list[Json]:
            return [push for push in self.pushes if push["op"] == op and fields.items() <= push.items()]

        await self.until_true(lambda: len(found()) >= count)
        return found()[count - 1]

    async def until_true(self, condition: Callable[[], bool]) -> None:
        """Wait until what was told makes it true."""
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(condition), DEADLINE)
            except TimeoutError:
                raise AssertionError(f"not in {self.pushes}") from None

    async def closed(self) -> int:
        await asyncio.wait_for(self.socket.wait_closed(), DEADLINE)
        await self._reader
        code = self.socket.close_code
        assert code is not None
        return code

    def cut(self) -> None:
        """Lose the connection without a goodbye."""
        self.socket.transport.abort()

    async def close(self, code: int = 1000) -> None:
        await self.socket.close(code)
        await self._reader

    @property
    def ops(self) -> list[int]:
        return [push["op"] for push in self.pushes]

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

    async def _take(self, frame: Json) -> None:
        self.frames.append(frame)
        if frame["op"] == REPLY and "arg" not in frame:
            self._replies.pop(frame["tsxId"]).set_result(frame)
            return
        async with self._news:
            self.pushes.append(frame)
            self._news.notify_all()


RESOURCE = {"type": "MINI_PROGRAM", "ver": "3.2.2", "platVersion": "v3.1.6", "agent": "v2.7.0", "ops": [1003]}
