"""A client of the dashboard's socket for tests: a staff session, and what its socket was told, in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from accounts.models import Application, Membership, Staff

DEADLINE = 10.0


def staff_member(name: str, **roles: Any) -> Staff:
    """A staff member; `superuser=True`, or `role=…, application=…`."""
    superuser, application = roles.get("superuser", False), roles.get("application")
    person: Staff = Staff.objects.create(
        username=name, is_staff=True, is_superuser=superuser, password=f"!{name}", email=f"{name}@example.com"
    )
    if isinstance(application, Application):
        Membership.objects.create(staff=person, application=application, role=roles["role"])
    return person


def session_of(person: Staff) -> str:
    """The key of a new session in which this person is signed in."""
    store = SessionStore()
    store[SESSION_KEY] = str(person.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    store[HASH_SESSION_KEY] = person.get_session_auth_hash()
    store.save()
    assert store.session_key is not None
    return store.session_key


class DashboardClient:
    """One page's socket. `frames` holds all that came, with `heard`, when it came; signs of life are left out."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, url: str, session: str | None, origin: str | None = "", **wish: Any) -> DashboardClient:
        """`url` is the server's (http). `origin` "" is the server's own, None is none. `wish`: the first frame."""
        own = url if origin == "" else origin
        options: dict[str, Any] = {"compression": None, "ping_interval": None, "proxy": None, "max_size": None}
        socket = await connect(
            f"ws{url.removeprefix('http')}/dashboard/live",
            origin=Origin(own) if own else None,
            additional_headers={"Cookie": f"sessionid={session}"} if session else {},
            open_timeout=2 * DEADLINE,
            **options,
        )
        client = cls(socket)
        if wish:
            with suppress(ConnectionClosed):  # refused already
                await client.send(**wish)
        return client

    async def send(self, **frame: Any) -> None:
        await self.socket.send(orjson.dumps(frame).decode())

    async def until(self, event: str, matches: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """Wait for the first frame of this name that matches."""

        def found() -> dict[str, Any] | None:
            return next((frame for frame in self.frames if frame["event"] == event and matches(frame)), None)

        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), DEADLINE)
        frame = found()
        assert frame is not None
        return frame

    async def closed(self) -> int:
        """Wait for the end; the close code."""
        await asyncio.wait_for(self.socket.wait_closed(), DEADLINE)
        await self._reader
        code = self.socket.close_code
        assert code is not None
        return code

    async def close(self) -> None:
        with suppress(ConnectionClosed):
            await self.socket.close()
        await self._reader

    @property
    def facts(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if "prev" in frame]

    @property
    def last_seq(self) -> int:
        seqs = [frame["seq"] for frame in self.frames if frame.get("seq")]
        return int(seqs[-1]) if seqs else 0

    def assert_unbroken(self, since: int) -> None:
        """Every fact after `since` once, in order, without a gap: the staff sees them all."""
        for fact in self.facts:
            assert (fact["seq"], fact["prev"]) == (since + 1, since), fact
            since = fact["seq"]

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                frame = orjson.loads(text)
                if frame["event"] != "beat":
                    async with self._news:
                        self.frames.append(frame | {"heard": time.time()})
                        self._news.notify_all()
        except ConnectionClosed:
            pass
