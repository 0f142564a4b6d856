"""A member's socket in emedia's protocol. The life of the socket, the seat and the hub are those of our own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.errors import BadParameters, DomainError
from accounts.threads import in_thread
from conferences.errors import OperationUnsupported
from conferences.hub import Admission, Batch, Listener, hub
from conferences.live.consumers import LANGUAGES, ConferenceConsumer, Frame, Missed, Wish, missed_since
from conferences.live.errors import FrameMalformed, NotEntered
from conferences.services import members, snapshots
from conferences.services.roles import personal
from conferences.services.snapshots import Snapshot
from conferences.vendors.base import text_of
from conferences.vendors.emedia import codec, rosters, tokens
from conferences.vendors.emedia.codec import FrameEncoder
from conferences.vendors.emedia.commands import COMMANDS
from conferences.vendors.fields import Fields

Json = dict[str, Any]

MINI_PROGRAM = "MINI_PROGRAM"
MAX_NICK_NAME, MAX_EXT = 64, 4096
LEFT = 1000
UNREADABLE = _('The frame cannot be read; send text frames of JSON, {"op": …, "tsxId": "…"}.')


class EmediaConsumer(ConferenceConsumer):
    """Ops in, replies (op 1001) and pushes out; docs/vendors/emedia.md lists them."""

    surface = "emedia"
    silence_seconds = 90.0  # SDKs send op 1000 every 30 s

    # Entering

    def decode_wish(self, frame: Frame) -> Wish:
        """Op 200. Who says `type` and `agent` like that is the vendor's SDK for mini-programs; `lang` is ours."""
        fields = _fields(frame)
        if (language := fields.text_if_any("lang")) in LANGUAGES:
            self.language = language
        client = fields.nested("res") or Fields({})
        self.is_vendors = client.text("type") == MINI_PROGRAM and "agent" in client
        self.comes_back = "sessId" in fields
        ext = fields.json_text("ext", MAX_EXT)
        return Wish(
            ticket=tokens.read_ticket(fields),
            nick_name=_nick_name(fields, ext),
            ext=ext,
            device=" ".join(filter(None, (client.text("type"), client.text("ver"))))[:128],
            last_seq=fields.whole("cver") or 0,
        )

    async def missed(self, wish: Wish, admission: Admission) -> Missed | None:
        """The vendor's SDK for mini-programs does not say what it heard when it comes back."""
        if self.is_vendors and self.comes_back and not wish.last_seq:
            since = await in_thread(snapshots.last_heard, admission.member)
            return None if since is None else await missed_since(admission.member, since)
        return await super().missed(wish, admission)

    async def begin(self, frame: Frame, listener: Listener, admission: Admission, missed: Missed | None) -> None:
        """The reply has a snapshot even where what was missed follows: the web SDK repairs itself by it."""
        if self.is_vendors:
            gone = codec.push({"op": codec.EXITED, "memId": admission.member.mem_id, "reason": codec.FAILED})
            self.socket.bequeath(Batch([gone]), listener.field)  # it does not notice that a socket is closed
        whole = replace(admission, snapshot=await _with_everybody(admission.snapshot))
        await self.begin_anew(frame, listener, whole, missed)

    async def follow(self, listener: Listener, admission: Admission, missed: Missed | None) -> None:
        if missed is not None:
            await hub.follow(listener, missed.since, missed.facts)
            return
        if self.is_vendors and self.comes_back:  # it takes no roster but that of its first entry
            endings = await in_thread(snapshots.endings, admission.member)
            frames = rosters.repair(self.encoder(admission), admission.snapshot, endings, listener.viewer)
            listener.socket.write(Batch(frames), listener.field)
        await super().follow(listener, admission, missed)

    # Operations

    async def act(self, frame: Frame) -> Json:
        if self.admission is None or self.listener is None:
            raise NotEntered()
        fields, seated = _fields(frame), self._seated(self.admission.member)
        op = fields.whole("op") or 0
        if op == codec.COPY:
            return await self.copy(self.listener, self.admission, fields.whole("cver"))
        if op == codec.LEAVE:
            return await self.exit(self.listener, seated.itself)
        if op not in COMMANDS:
            raise OperationUnsupported()
        await in_thread(COMMANDS[op], seated, fields)
        return {}

    async def exit(self, listener: Listener, itself: Json) -> Json:
        """Who leaves hears nothing more: its SDK has told its goodbye already, and would tell it twice."""
        hub.leave(listener)
        self.listener = None
        await in_thread(members.leave, **itself)
        self.socket.close(LEFT, "left")
        return {}

    async def copy(self, listener: Listener, admission: Admission, cver: int | None) -> Json:
        """The heartbeat. What the client has missed is told again, and a whole roster is the reply.

        The mini-program's SDK hears only pushes; of roles the web SDK learns only by the roster, which it takes
        when its `cver` is greater than its own.
        """
        if cver is None or cver >= listener.since:
            return {}
        facts = await in_thread(snapshots.facts_after, listener.conference_id, cver)
        told = [fact for fact in facts if fact["seq"] <= listener.since]
        missed = rosters.missed(self.encoder(admission), told, listener.viewer)
        if missed is None:
            return {"cver": cver}
        listener.socket.write(Batch(missed), listener.field)
        snapshot = await _with_everybody(await hub.snapshots.ask(listener.conference_id, listener.viewer.member))
        await hub.catch_up(listener, snapshot.seq)
        return {"cver": snapshot.seq, "roster": snapshot}

    # The dialect

    def decode(self, text: str | None) -> Frame:
        try:
            fields = Fields.parse(text)
            op, tsx_id = fields.whole("op"), fields.text("tsxId", 64)
        except BadParameters:
            raise FrameMalformed(UNREADABLE) from None
        return Frame(tsx_id, "enter" if op == codec.ENTER else str(op), fields)

    def encoder(self, admission: Admission) -> FrameEncoder:
        confr_id = admission.member.conference.confr_id
        return FrameEncoder(confr_id, admission.application.app_key, self.role_token)

    def field(self, admission: Admission) -> bytes:
        """`sessId`: the member's id, so that a client that comes back has the same."""
        return orjson.dumps(admission.member.mem_id)

    def encode_result(self, frame: Frame, answer: Json) -> bytes | None:
        if _is_reply(frame):
            return None
        head = self._reply(frame, 0)
        if self.listener is not None:
            head["cver"] = self.listener.sent
        snapshot = answer.pop("roster", None)
        head |= answer
        return orjson.dumps(head) if snapshot is None else self._with_roster(head, snapshot)

    def encode_refusal(self, frame: Frame | None, error: DomainError) -> bytes | None:
        if _is_reply(frame):
            return None
        with override(self.language):
            message = text_of(error)
        return orjson.dumps({**self._reply(frame, codec.code_of(error)), "msg": message})

    def encode_entry(self, frame: Frame, admission: Admission, missed: Missed | None) -> bytes:
        """The reply to op 200. `useUrl` is what the mini-program's SDK waits for."""
        member, snapshot = admission.member, admission.snapshot
        head = {
            **self._reply(frame, 0),
            "memId": member.mem_id,
            "role": snapshot.seats[member.number]["role"],
            "roleToken": self.role_token,
            "cver": snapshot.seq,
            "vcodes": codec.VIDEO_CODECS,
            "yourIp": self.address,
            "useUrl": tokens.media_url(member.pk),
            "rtcCfg": "{}",
        }
        return self._with_roster(head, snapshot)

    def _with_roster(self, head: Json, snapshot: Snapshot) -> bytes:
        assert self.admission is not None
        member = self.admission.member
        oneself = {"member": member.number, "role": snapshot.seats[member.number]["role"], **personal(member)}
        return rosters.reply(head, self.encoder(self.admission), snapshot, oneself)

    def _reply(self, frame: Frame | None, result: int) -> Json:
        head: Json = {"op": codec.REPLY, "tsxId": frame.id if frame else "", "result": result}
        if self.admission is not None:
            head["sessId"] = self.admission.member.mem_id
        return head


async def _with_everybody(snapshot: Snapshot) -> Snapshot:
    """A snapshot with every member, however many: the protocol knows no pages."""
    return snapshot if snapshot.page.cursor is None else await in_thread(snapshots.with_everybody, snapshot)


def _fields(frame: Frame) -> Fields:
    assert isinstance(frame.data, Fields)
    return frame.data


def _is_reply(frame: Frame | None) -> bool:
    """A client's op 1001 has the id of somebody else's request: an answer to it could be taken for another."""
    return frame is not None and frame.op == str(codec.REPLY)


def _nick_name(fields: Fields, ext: str) -> str:
    """What the member calls itself. The mini-program's SDK says it in `ext`, and sends the long name beside it."""
    try:
        said = Fields.parse(ext).text("nickName", 200)
    except BadParameters:
        said = ""
    ticket, given = fields.nested("tkt") or Fields({}), fields.text("nickName")
    return (said or ("" if given == ticket.text("memName") else given))[:MAX_NICK_NAME]
