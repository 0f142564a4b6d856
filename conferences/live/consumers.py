"""One member's socket: it enters with a ticket in the first frame, asks for operations, and is told by the hub.

Dialects subclass it: `decode` and the `encode_…` methods are theirs, the life of the socket is the same for all.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.actors import Actor, ActorKind
from accounts.errors import BadParameters, DomainError, Unavailable
from accounts.proxies import client_address
from accounts.threads import in_thread
from conferences import refusals
from conferences.events import Viewer
from conferences.hub import Admission, Encoder, Listener, hub, socket_of
from conferences.live import frames
from conferences.live.errors import AlreadyEntered, FrameMalformed, NotEntered, OperationUnknown
from conferences.live.operations import OPERATIONS, Seated
from conferences.live.shapes import Field, Shape, one_of, read, text, whole
from conferences.models import ExitReason, Member
from conferences.services import snapshots, tickets
from conferences.services.members import Arrival, Entrance, Loss

ENTER_SECONDS = 10
HEARTBEAT_SECONDS = 25
MAX_FRAME = 64 << 10
FRAMES_PER_SECOND, FRAME_BURST = 20, 40
MAX_BAD_FRAMES = 10
LANGUAGES = [code for code, _ in settings.LANGUAGES]

BAD_FRAMES, TICKET_REFUSED, REFUSED, SILENT, OVER, TOO_FAST = 4400, 4401, 4403, 4408, 4410, 4429
TOO_BIG, FAILED, TRY_LATER = 1009, 1011, 1013
# A close frame that the client sent: it had read what came before. (1005 is also uvicorn's word for a cut.)
WELL_CLOSED = {1000, 1001}
# How a socket is closed after a refusal at the door, by what HTTP would say; other refusals may be corrected.
DOOR_CODES = {401: TICKET_REFUSED, 403: REFUSED, 404: TICKET_REFUSED, 409: REFUSED, 410: OVER, 503: TRY_LATER}

ENTER: Shape = {
    "ticket": Field("ticket", text(200)),
    "nickName": Field("nick_name", text(64, least=0), ""),
    "ext": Field("ext", text(1024, least=0, lines=True), ""),
    "device": Field("device", text(128, least=0), ""),
    "lastSeq": Field("last_seq", whole(0, 2**53), 0),
    "lang": Field("language", one_of(LANGUAGES), settings.LANGUAGE_CODE),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What a client asks; `id` is its own and comes back with the reply."""

    id: str | int
    op: str
    data: object


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client says of itself at the door, and the last number that it heard in an earlier life (0: none)."""

    ticket: str
    nick_name: str = ""
    ext: str = ""
    device: str = ""
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class Missed:
    """The neutral facts that a client goes on with, after number `since`."""

    since: int
    facts: list[dict[str, Any]]


class Allowance:
    """So many frames per second, and a burst."""

    def __init__(self) -> None:
        self._level, self._at = float(FRAME_BURST), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._level = min(FRAME_BURST, self._level + (now - self._at) * FRAMES_PER_SECOND)
        self._at = now
        self._level -= 1
        return self._level >= 0


class ConferenceConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels is not typed
    """Our own protocol; docs/websocket.md describes it."""

    surface = "live"
    # How long a member may say nothing; None: only the pings of the transport count.
    silence_seconds: float | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """The socket's life. There is no channel layer, and whatever happens the seat hears of the end."""
        self.scope, self.base_send = scope, send
        await receive()
        await self.accept()
        self.connection = secrets.token_hex(16)
        self.address = client_address(scope["client"][0], _forwarded(scope), settings.TRUSTED_PROXIES)
        self.socket, self.allowance = socket_of(scope, send), Allowance()
        self.language, self.bad_frames, self.close_code = settings.LANGUAGE_CODE, 0, 0
        self.listener: Listener | None = None
        self.admission: Admission | None = None
        try:
            await self.listen(receive)
        finally:
            self.socket.release(FAILED, "internal error")
            self.leave()

    async def listen(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Take the client's frames until it goes; at the door it has some seconds."""
        clock = asyncio.get_running_loop().time
        deadline: float | None = clock() + ENTER_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                self.socket.close(SILENT if self.admission else TICKET_REFUSED, "too late")
                deadline = None
                continue
            if message["type"] == "websocket.disconnect":
                self.close_code = message.get("code") or 0
                return
            if self.socket.is_open:
                await self.take(message.get("text"))
            if self.admission is not None:
                deadline = clock() + self.silence_seconds if self.silence_seconds else None

    async def take(self, text: str | None) -> None:
        """Answer one frame: exactly one reply, or a close."""
        if not self.allowance.take():
            return self.socket.close(TOO_FAST, "too fast")
        if text is not None and len(text.encode()) > MAX_FRAME:
            return self.socket.close(TOO_BIG, "frame too big")
        self.socket.owe_reply()
        frame = None
        try:
            frame = self.decode(text)
            if frame.op == "enter":
                await self.enter(frame)
            else:
                self.socket.reply(self.encode_result(frame, await self.act(frame)))
        except DomainError as error:
            self.refuse(frame, error)
        except (OperationalError, InterfaceError):
            self.refuse(frame, Unavailable(retry_after=1))

    def refuse(self, frame: Frame | None, error: DomainError) -> None:
        """Reply with a refusal. At the door it is final, unless the frame itself was wrong."""
        refusals.count(error, self.surface, self.admission.application.pk if self.admission else None)
        self.socket.reply(self.encode_refusal(frame, error))
        if isinstance(error, BadParameters | NotEntered):
            self.bad_frames += 1
            if self.bad_frames >= MAX_BAD_FRAMES:
                self.socket.close(BAD_FRAMES, "too many bad frames")
        elif self.admission is None:
            self.socket.close(DOOR_CODES.get(error.http_status, REFUSED), error.code)

    # Entering

    async def enter(self, frame: Frame) -> None:
        """Take the seat while the hub expects us, then the snapshot or what was missed: nothing falls between."""
        if self.admission is not None:
            raise AlreadyEntered()
        wish = self.decode_wish(frame)
        right = tickets.read_ticket(wish.ticket)
        self.role_token = tickets.role_token(right)
        await hub.start()
        entrance = Entrance(
            connection=self.connection,
            process=hub.process,
            nick_name=wish.nick_name,
            ext=wish.ext,
            device=wish.device,
            address=self.address,
            request_id=self.connection,
        )
        with hub.expecting(right.conference_id, self.connection):
            self.admission = await hub.let_in(right.conference_id, Arrival(right.ticket_id, entrance))
            self.listener = self._listener(self.admission)
            hub.register(self.listener)
        await self.begin(frame, self.listener, self.admission, await self.missed(wish, self.admission))

    def _listener(self, admission: Admission) -> Listener:
        member = admission.member
        return Listener(
            conference_id=member.conference_id,
            connection=self.connection,
            viewer=Viewer(member.number, member.role),
            encoder=self.encoder(admission),
            socket=self.socket,
            seated_at=member.conference.last_seq,
            field=self.field(admission),
        )

    async def missed(self, wish: Wish, admission: Admission) -> Missed | None:
        """What a member who is back did not hear; None where it takes the snapshot."""
        if not (admission.returned and wish.last_seq):
            return None
        return await missed_since(admission.member, wish.last_seq)

    async def begin(self, frame: Frame, listener: Listener, admission: Admission, missed: Missed | None) -> None:
        """Reply, and hear what happens from now on: after what was missed, or else after the snapshot."""
        if missed is None:
            await self.begin_anew(frame, listener, admission)
        else:
            self.socket.reply(self.encode_entry(frame, admission, missed))
            await hub.follow(listener, missed.since, missed.facts)

    async def begin_anew(
        self, frame: Frame, listener: Listener, admission: Admission, missed: Missed | None = None
    ) -> None:
        """Reply with the snapshot; should the seat be gone meanwhile, say so."""
        seat = admission.snapshot.seats[listener.viewer.member]
        listener.viewer.role = seat["role"]
        self.socket.reply(self.encode_entry(frame, admission, None))
        if seat["state"] == Member.State.EXITED:
            hub.dismiss(listener, ExitReason(seat["reason"]))
        elif seat["connection"] != self.connection:
            hub.dismiss(listener, ExitReason.OTHER_DEVICE)
        else:
            await self.follow(listener, admission, missed)

    async def follow(self, listener: Listener, admission: Admission, missed: Missed | None) -> None:
        await hub.follow(listener, admission.snapshot.seq)

    def leave(self) -> None:
        """The client is gone: the hub forgets it, and its seat waits."""
        if self.listener is not None:
            hub.leave(self.listener)
        if self.admission is not None and not (self.listener and self.listener.ended):
            member = self.admission.member
            told = self.listener.sent if self.listener and self.close_code in WELL_CLOSED else None
            hub.say_goodbye(member.conference_id, Loss(member.pk, self.connection, told))

    # Operations

    async def act(self, frame: Frame) -> dict[str, Any]:
        """Do what the frame asks. Raises: the refusals of the operation."""
        if self.admission is None or self.listener is None:
            raise NotEntered()
        if frame.op == "ping":
            read({}, frame.data)
            return {"seq": self.listener.sent, "at": int(time.time() * 1000)}
        operation = OPERATIONS.get(frame.op)
        if operation is None:
            raise OperationUnknown(op=frame.op)
        arguments = read(operation.shape, frame.data)
        return await operation.run(self._seated(self.admission.member), arguments)

    def _seated(self, member: Member) -> Seated:
        actor = Actor(
            ActorKind.USER,
            application_id=member.conference.application_id,
            id=str(member.user_id),
            name=member.user.name,
            address=self.address,
            request_id=self.connection,
        )
        return Seated(actor, member.conference_id, member.conference.confr_id, member.user_id, member.number)

    # The dialect

    def decode(self, text: str | None) -> Frame:
        """Read a frame. Raises: FrameMalformed."""
        try:
            given = orjson.loads(text or "")
        except orjson.JSONDecodeError:
            raise FrameMalformed() from None
        if not isinstance(given, dict) or not {"id", "op"} <= given.keys() <= {"id", "op", "data"}:
            raise FrameMalformed()
        frame = Frame(given["id"], given["op"], given.get("data", {}))
        if not isinstance(frame.op, str) or type(frame.id) not in {str, int} or len(str(frame.id)) > 64:
            raise FrameMalformed()
        return frame

    def decode_wish(self, frame: Frame) -> Wish:
        """Read what a client says at the door. Raises: BadParameters."""
        wish = read(ENTER, frame.data)
        self.language = wish.pop("language")
        return Wish(**wish)

    def encoder(self, admission: Admission) -> Encoder:
        return frames.FrameEncoder(admission.member.conference.confr_id)

    def field(self, admission: Admission) -> bytes:
        """The socket's own part of the pushes, where they have one."""
        return b""

    def encode_result(self, frame: Frame, answer: dict[str, Any]) -> bytes | None:
        """The reply; None for a frame that wants none."""
        return frames.result(frame.id, answer)

    def encode_refusal(self, frame: Frame | None, error: DomainError) -> bytes | None:
        return frames.refusal(frame.id if frame else None, error, self.language)

    def encode_entry(self, frame: Frame, admission: Admission, missed: Missed | None) -> bytes:
        """The reply of `enter`: who one is, and the snapshot where nothing follows that was missed."""
        member, snapshot = admission.member, admission.snapshot
        seat = snapshot.seats[member.number]
        own = {
            "memId": member.mem_id,
            "memName": member.user.name,
            "role": seat["role"],
            "muted": seat["muted"],
            "roleToken": self.role_token,
            "resumed": missed is not None,
            "seq": missed.since if missed else snapshot.seq,
            "graceSeconds": admission.application.grace_seconds,
            "heartbeatSeconds": HEARTBEAT_SECONDS,
        }
        return frames.entry(frame.id, own, None if missed else snapshot)


async def missed_since(member: Member, since: int) -> Missed | None:
    """What a member who is back has missed since number `since`, where that can be told."""
    facts = await in_thread(snapshots.missed, member, since)
    return None if facts is None else Missed(since, facts)


def _forwarded(scope: dict[str, Any]) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
