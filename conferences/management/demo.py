"""The clients of the demo: a backend over REST, members over the WebSocket. They know only the public wire."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Self, TypeVar

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Json = dict[str, Any]
T = TypeVar("T")
TIMEOUT_SECONDS = 10.0


class NotAsPromised(Exception):
    """The server did something else than its documentation says."""


class Refused(Exception):
    """The server said no; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Backend:
    """A mini-program's backend: calls `/api/v1` with an application key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = f"{url}/api/v1"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_key}"

    def call(self, method: str, path: str, **body: Any) -> Json:
        """One call. Raises: Refused."""
        response = self._session.request(method, self._url + path, json=body or None, timeout=TIMEOUT_SECONDS)
        answer: Json = response.json() if response.content else {}
        if not response.ok:
            raise Refused(answer.get("code", str(response.status_code)))
        return answer


class Member:
    """A member's client: enters with a ticket, asks, and keeps what it is told with the time it came."""

    def __init__(self, name: str, url: str, ticket: str) -> None:
        self.name = name
        self._ids = count(1)
        self._replies: dict[int, Json] = {}
        self._told: list[tuple[float, Json]] = []
        self._changed = threading.Condition()
        self._socket = connect(url, open_timeout=TIMEOUT_SECONDS)
        threading.Thread(target=self._listen, daemon=True).start()
        self.snapshot = self.ask("enter", ticket=ticket, nickName=name.title())

    @property
    def closed_with(self) -> int | None:
        """The close code, once the server has closed the socket."""
        return self._socket.close_code

    def ask(self, op: str, **data: Any) -> Json:
        """One operation. Raises: Refused."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "op": op, "data": data}))
        reply = self._wait(lambda: self._replies.get(number), f"a reply to {op}")
        if "error" in reply:
            raise Refused(reply["error"]["code"])
        result: Json = reply["result"]
        return result

    def expect(self, event: str, *, timeout: float = TIMEOUT_SECONDS, **data: Any) -> float:
        """Wait to be told `event` with this data; answers when it came, on the monotonic clock."""

        def find() -> float | None:
            for at, push in self._told:
                if push["event"] == event and data.items() <= push["data"].items():
                    return at
            return None

        return self._wait(find, f"{event} {data}", timeout)

    def expect_close(self) -> int:
        """Wait until the server closes the socket; answers the close code."""
        return self._wait(lambda: self.closed_with, "the end of the socket")

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        try:
            for text in self._socket:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass  # the code is the socket's to tell
        with self._changed:
            self._changed.notify_all()

    def _take(self, frame: Json) -> None:
        with self._changed:
            if "event" in frame:
                self._told.append((time.monotonic(), frame))
            else:
                self._replies[frame["id"]] = frame
            self._changed.notify_all()

    def _wait(self, look: Callable[[], T | None], what: str, timeout: float = TIMEOUT_SECONDS) -> T:
        with self._changed:
            self._changed.wait_for(lambda: look() is not None, timeout)
            found = look()
        if found is None:
            raise NotAsPromised(f"{self.name} waited {timeout} s for {what}")
        return found


class Report:
    """Prints each step with its time, and remembers what was measured."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._started = time.monotonic()
        self.measured: Json = {}

    def step(self, text: str) -> None:
        self._write(f"{time.monotonic() - self._started:7.2f} s  {text}")

    def require(self, true: object, text: str) -> None:
        """Raises: NotAsPromised, unless it is true."""
        if not true:
            raise NotAsPromised(text)
        self.step(text)

    def refused(self, text: str, act: Callable[[], object]) -> None:
        """Raises: NotAsPromised, unless the server refuses the act."""
        try:
            act()
        except Refused as refusal:
            self.step(f"refused, {refusal.code}: {text}")
        else:
            raise NotAsPromised(f"not refused: {text}")
