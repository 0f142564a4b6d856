"""The dashboard's socket: staff watch one conference, or hear that something changed in many. It only tells.

It proves who it is by the session's cookie, so only pages of our own may open it. docs/dashboard.md describes it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError
from django.urls import URLPattern, path

from accounts.errors import ApplicationNotFound, Busy, DomainError
from accounts.models import Application
from accounts.names import plain_text
from accounts.standings import Standing, standings
from accounts.threads import in_thread, out_of_turn
from conferences import refusals
from conferences.dashboard import frames
from conferences.dashboard.scope import ALL
from conferences.events import staff_viewer
from conferences.hub import Batch, Listener, Watch, hub, socket_of
from conferences.models import Conference
from conferences.services import oversight

logger = logging.getLogger("confr.dashboard")

BEGIN_SECONDS = 10
BEAT_SECONDS = 5.0
# A session that ended, and a role that was taken, close sockets within a second.
CHECK_SECONDS = 0.5
MAX_FRAME = 1 << 10
FRAMES_PER_SECOND = 20
# What happens in a conference ends no seat of somebody who has none.
NEVER_SEATED = 1 << 62

APP_ID = re.compile(r"[0-9]{1,18}")
BAD_FRAME, SIGNED_OUT, REFUSED, TOO_LATE, TOO_FAST = 4400, 4401, 4403, 4408, 4429
TOO_BIG, FAILED, TRY_LATER = 1009, 1011, 1013

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wish:
    """The first frame: what to watch, and the last number heard in an earlier life (0: none)."""

    scope: str
    conference: str = ""
    last_seq: int = 0


class FrameMalformed(ValueError):
    """What came is no frame of this socket."""


def wish(given: dict[str, Any]) -> Wish:
    """Raises: FrameMalformed."""
    found = Wish(given.pop("scope", ""), given.pop("conference", ""), given.pop("lastSeq", 0))
    texts = isinstance(found.scope, str) and isinstance(found.conference, str)
    if given or not texts or not found.scope or not plain_text(found.conference):
        raise FrameMalformed
    if type(found.last_seq) is not int or not 0 <= found.last_seq < 1 << 53:
        raise FrameMalformed
    return found


def number(given: dict[str, Any]) -> int:
    """A later frame: the number of the member to go on after. Raises: FrameMalformed."""
    after = given.pop("membersAfter", None)
    if given or type(after) is not int or not 0 <= after < 1 << 31:
        raise FrameMalformed
    return after


def read(text: str | None) -> dict[str, Any]:
    """Raises: FrameMalformed."""
    try:
        given = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        raise FrameMalformed from None
    if not isinstance(given, dict):
        raise FrameMalformed
    return given


class DashboardConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels is not typed
    """One page's socket."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """The socket's life; whatever happens, nobody tells it anything afterwards."""
        self.scope, self.base_send = scope, send
        await receive()
        await self.accept()
        self.socket, self.session = socket_of(scope, send), _session_key(scope)
        self.listener: Listener | None = None
        self.watch: Watch | None = None
        self.standing: Standing | None = None
        self.asked: list[float] = []
        try:
            await self.begin()
            await self.listen(receive)
        finally:
            self.socket.release(FAILED, "internal error")
            self.leave()

    async def begin(self) -> None:
        """Find out who it is: only a page of ours, with a session that stands."""
        if not _is_ours(self.scope):
            logger.warning("a page of %s was refused the dashboard's socket", _header(self.scope, b"origin"))
            self.socket.close(REFUSED, "foreign origin")
            return
        try:
            self.standing = (await in_thread(standings, [self.session])).get(self.session)
        except DatabaseError:
            self.socket.close(TRY_LATER, "the database is away")
        else:
            if self.standing is None:
                self.socket.close(SIGNED_OUT, "not signed in")

    async def listen(self, receive: Receive) -> None:
        """Take the client's frames until it goes; the first comes within some seconds."""
        deadline: float | None = asyncio.get_running_loop().time() + BEGIN_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                self.socket.close(TOO_LATE, "too late")
                deadline = None
                continue
            if message["type"] == "websocket.disconnect":
                return
            if self.socket.is_open and self.standing is not None:
                await self.take(message.get("text"), self.standing)
                deadline = None

    async def take(self, text: str | None, standing: Standing) -> None:
        """Do what one frame asks, or close."""
        if not self._is_slow_enough():
            return self.socket.close(TOO_FAST, "too fast")
        if text is not None and len(text.encode()) > MAX_FRAME:
            return self.socket.close(TOO_BIG, "frame too big")
        try:
            if self.listener is None and self.watch is None:
                await self.start(wish(read(text)), standing)
            else:
                await self.more(number(read(text)))
        except FrameMalformed:
            self.socket.close(BAD_FRAME, "bad frame")
        except DomainError as error:
            logger.warning("staff %s was refused a socket: %s", standing.staff_id, error.code)
            refusals.count(error, "dashboard")
            self.socket.close(REFUSED, error.code)
        except DatabaseError:
            self.socket.close(TRY_LATER, "the database is away")

    def _is_slow_enough(self) -> bool:
        now = time.monotonic()
        self.asked = [at for at in self.asked if at > now - 1] + [now]
        return len(self.asked) <= FRAMES_PER_SECOND

    # Watching

    async def start(self, wish: Wish, standing: Standing) -> None:
        """Begin to watch. Raises: ConferenceNotFound, NotAllowed."""
        await hub.start()
        if wish.conference:
            await self.start_conference(wish, standing)
        else:
            await self.start_scope(wish, standing)

    async def start_scope(self, wish: Wish, standing: Standing) -> None:
        applications = await in_thread(_applications, wish.scope, standing)
        self.watch = Watch(applications, self.tell_changed)
        await hub.changes.watch(self.watch)
        keeper.keep(self, Kept(self.session, standing, applications))
        self.say(frames.watching())

    def tell_changed(self, types: set[str], conferences: set[str]) -> None:
        self.say(frames.changed(types, conferences))

    async def start_conference(self, wish: Wish, standing: Standing) -> None:
        """Listen at the hub first, then read the snapshot or what was missed: nothing falls between."""
        conference = await in_thread(_conference, wish, standing)
        self.listener = listener = Listener(
            conference_id=conference.pk,
            connection=secrets.token_hex(16),
            viewer=staff_viewer(),
            encoder=frames.StaffEncoder(),
            socket=self.socket,
            seated_at=NEVER_SEATED,
        )
        hub.register(listener)
        keeper.keep(self, Kept(self.session, standing, frozenset({conference.application_id})))
        missed = await in_thread(oversight.missed, conference, wish.last_seq) if wish.last_seq else None
        if missed is None:
            whole = await in_thread(oversight.take_whole, conference.pk)
            self.say(frames.snapshot(whole))
            await hub.follow(listener, whole.seq)
        else:
            self.say(frames.resumed(wish.last_seq))
            await hub.follow(listener, wish.last_seq, missed)

    async def more(self, after: int) -> None:
        """The next page of members. Raises: FrameMalformed, where no conference is watched."""
        if self.listener is None:
            raise FrameMalformed
        members, cursor = await in_thread(oversight.members_after, self.listener.conference_id, after)
        self.say(frames.page(members, cursor))

    def say(self, frame: bytes) -> None:
        self.socket.write(Batch([frame]))

    def leave(self) -> None:
        """The client is gone."""
        keeper.forget(self)
        if self.listener is not None:
            hub.leave(self.listener)
        if self.watch is not None:
            hub.changes.leave(self.watch)


def _applications(scope: str, standing: Standing) -> frozenset[int] | None:
    """What a scope is made of (None: all there are). Raises: ApplicationNotFound, also for somebody else's."""
    return standing.applications if scope == ALL else frozenset({_application(scope, standing).pk})


def _application(scope: str, standing: Standing) -> Application:
    """Raises: ApplicationNotFound, also for somebody else's, and for all of them."""
    found = Application.objects.filter(app_id=int(scope)).first() if APP_ID.fullmatch(scope) else None
    if found is None or standing.role_in(found.pk) is None:
        raise ApplicationNotFound
    return found


def _conference(wish: Wish, standing: Standing) -> Conference:
    """Raises: ApplicationNotFound, ConferenceNotFound, NotAllowed."""
    application = _application(wish.scope, standing)
    return oversight.watch(actor=standing.actor(application.pk), confr_id=wish.conference)


@dataclass(frozen=True, slots=True)
class Kept:
    """A socket's session, and what it was worth when the socket began to watch `applications` (None: all)."""

    session: str
    standing: Standing
    applications: frozenset[int] | None

    def is_good(self, now: Standing) -> bool:
        """Whether the session is worth the same still, as far as it matters here."""
        if self.applications is None:
            return now.is_superuser
        return all(now.role_in(pk) is self.standing.role_in(pk) for pk in self.applications)


class Keeper:
    """Looks after all sockets of this process together: asks whether their sessions stand, and lets them hear that
    we live."""

    def __init__(self) -> None:
        self._kept: dict[DashboardConsumer, Kept] = {}
        self._work: asyncio.Task[None] | None = None

    def keep(self, consumer: DashboardConsumer, kept: Kept) -> None:
        self._kept[consumer] = kept
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._look_after())

    def forget(self, consumer: DashboardConsumer) -> None:
        self._kept.pop(consumer, None)

    async def _look_after(self) -> None:
        """As long as there are sockets."""
        next_beat = time.monotonic() + BEAT_SECONDS
        while self._kept:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._check()
            except (DatabaseError, Busy) as error:
                logger.warning("sessions are checked later: %s", type(error).__name__)
            if time.monotonic() >= next_beat:
                next_beat += BEAT_SECONDS
                for consumer in list(self._kept):
                    consumer.say(frames.beat())

    async def _check(self) -> None:
        """Close the sockets whose session is no more, or is worth something else."""
        asked = dict(self._kept)  # who comes while the answer is on its way is not in it
        found = await out_of_turn(standings, {kept.session for kept in asked.values()})
        for consumer, kept in asked.items():
            now = found.get(kept.session)
            if now is None:
                consumer.socket.close(SIGNED_OUT, "signed out")
            elif not kept.is_good(now):
                consumer.socket.close(REFUSED, "another role")


keeper = Keeper()


def _is_ours(scope: dict[str, Any]) -> bool:
    """Whether a page of our own opened the socket: browsers say so, and nobody else has the cookie."""
    host = _header(scope, b"host")
    return _header(scope, b"origin") in {settings.PUBLIC_URL, f"http://{host}", f"https://{host}"}


def _session_key(scope: dict[str, Any]) -> str:
    try:
        cookie = SimpleCookie(_header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return cookie.value if cookie and cookie.value.isalnum() else ""


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


urlpatterns: list[URLPattern] = [path("dashboard/live", DashboardConsumer.as_asgi())]
