"""emedia's wire as tables: facts as its pushes, refusals as its codes. Pure: dictionaries in, dictionaries out.

`cver` is the number of the fact. Pushes begin with the receiver's own `sessId`, which the hub fills in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from accounts.errors import DomainError, NotAllowed
from conferences.events import Seen
from conferences.hub import Message
from conferences.live.frames import mem_id as known_mem_id
from conferences.models import ExitReason, Kind, Role
from conferences.permissions import Action
from conferences.services.questions import Glance

Json = dict[str, Any]

DOMAIN = "easemob.com"
ENTER, LEAVE, CLOSE, STREAM_CONTROL = 200, 201, 204, 400
COPY, REPLY, REMOTE_CONTROL, PASS_THROUGH = 1000, 1001, 1002, 1003
TERMINATE, ENTERED, EXITED, PUBLISHED, UNPUBLISHED = 107, 300, 301, 302, 303
CONFERENCE_UPDATED, ROLE_UPDATED, ADMIN_CHANGED = 402, 412, 413
ASK_TO_TALK, ASK_TO_BE_ADMIN, MUTE, UNMUTE = 21, 22, 23, 24
FAILED = 4  # a reason to leave that is none of the conference's

# What the SDKs keep in their rosters, and ask to be repaired by op 1000.
ROSTER = frozenset({ENTERED, EXITED, PUBLISHED, UNPUBLISHED, STREAM_CONTROL})
ROLE_ASKED_BY = {ASK_TO_TALK: Role.TALKER, ASK_TO_BE_ADMIN: Role.ADMIN}
ASKED_BY_ROLE = {int(role): op2 for op2, role in ROLE_ASKED_BY.items()}
VIDEO_CODECS = ["H264", "VP8"]
ABILITIES = {"ops": [PASS_THROUGH], "vcodes": VIDEO_CODECS}
TOO_MANY = {"videos_full": 23, "desktops_full": 24}


def mem_name(app_key: str, name: str) -> str:
    """The long form of a user's name, the same for every member: SDKs find themselves by comparing it."""
    return f"{app_key}_{name}@{DOMAIN}"


def mem_id(confr_id: str, number: int) -> str:
    """`<confrId>M<n>`; "" for who is no member: the application, the staff, Confr itself."""
    return known_mem_id(confr_id, number) or ""


# Pushes


@dataclass(frozen=True, slots=True)
class FrameEncoder:
    """Turns what a member sees into pushes. Equal for all members of one conference, but for what only the
    member's own pushes hold."""

    confr_id: str
    app_key: str
    role_token: str = field(default="", compare=False)

    def encode(self, seen: Seen, prev: int, *, own: bool) -> Sequence[Message]:
        if seen.type == "conference.closed":
            return [_FAREWELL]
        return [push(frame) for frame in self.frames(seen, own=own)]

    def frames(self, seen: Seen, *, own: bool) -> list[Json]:
        """The frames for one fact, without `sessId`."""
        numbered = {"cver": seen.seq} if seen.seq else {}
        return [{**frame, **numbered} for frame in EVENTS[seen.type](self, seen.data, own)]


def push(frame: Json) -> Message:
    """A frame around the receiver's `sessId`."""
    return b'{"sessId":', b"," + orjson.dumps(frame)[1:]


# `sessId` is the member's id, so that one text says to each member that it is out. Op 204 would say reason 0.
_FAREWELL: Message = (
    b'{"sessId":',
    b',"memId":',
    b',"op":%d,"reason":%d}' % (EXITED, ExitReason.CONFERENCE_CLOSED),
)


def member(wire: FrameEncoder, data: Mapping[str, Any]) -> Json:
    """A member, in pushes and in rosters. `ext` is the text that the member sent."""
    name = mem_name(wire.app_key, data["name"])
    return {
        "id": mem_id(wire.confr_id, data["member"]),
        "name": name,
        "memName": name,
        "nickName": data["nick_name"] or data["name"],
        "role": data["role"],
        "ext": data["ext"],
        "res": ABILITIES,
    }


def stream(wire: FrameEncoder, data: Mapping[str, Any]) -> Json:
    """A stream, in pushes and in rosters. `sver` stays 1: a new one would make web clients subscribe again."""
    described = data["stream"]
    return {
        "id": described["id"],
        "memId": mem_id(wire.confr_id, data["member"]),
        "memName": mem_name(wire.app_key, data["name"]),
        "rtcId": described["rtc_id"],
        "type": described["type"],
        **_switches(described),
        "sver": 1,
        "ext": "",
    }


def _switches(described: Mapping[str, Any]) -> Json:
    return {"voff": int(described["video_off"]), "aoff": int(described["audio_off"])}


def attributes(values: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "val": value, "op": "UPDATE"} for key, value in values.items()]


def state(muted_kinds: Iterable[str]) -> Json:
    return {"muteAll": Kind.AUDIO in muted_kinds}


def glance(app_key: str, glance: Glance) -> Json:
    """What select/confr answers."""
    conference = glance.conference
    return {
        "id": conference.confr_id,
        "type": conference.type,
        "memTotal": conference.members_count,
        "audienceTotal": conference.audience,
        "talkers": [mem_name(app_key, name) for name in glance.talkers],
    }


Data = Mapping[str, Any]


def _nothing(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    return []


def _joined(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    return [] if own else [{"op": ENTERED, "mem": member(wire, data)}, *_admin_changed(wire, data)]


def _exited(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    reason = data.get("reason", ExitReason.LEFT)
    exited = {"op": EXITED, "memId": mem_id(wire.confr_id, data["member"]), "reason": reason}
    return [*_admin_changed(wire, data), exited]


def _role_changed(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    frames: list[Json] = [{"op": ROLE_UPDATED, "role": data["role"], "roleToken": wire.role_token}] if own else []
    return frames + _admin_changed(wire, data)


def _admin_changed(wire: FrameEncoder, data: Data) -> list[Json]:
    """413, of a change of role: in LIVE others may see that as a member who appears or vanishes, but with `was`."""
    if "was" not in data or Role.ADMIN not in (data["role"], data["was"]):
        return []
    who = {"memberId": mem_id(wire.confr_id, data["member"]), "memName": mem_name(wire.app_key, data["name"])}
    return [{"op": ADMIN_CHANGED, **who, "role": data["role"]}]


def _published(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    """Nobody is told of one's own stream, nor of one that is no member's: no SDK expects it, and the web SDK throws."""
    described = stream(wire, data)
    return [] if own or not data["member"] else [{"op": PUBLISHED, "memId": described["memId"], "pubS": described}]


def _unpublished(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    if not data["member"]:
        return []
    return [{"op": UNPUBLISHED, "memId": mem_id(wire.confr_id, data["member"]), "pubSId": data["stream"]["id"]}]


def _stream_changed(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    described = data["stream"]
    return [] if own else [{"op": STREAM_CONTROL, "streamId": described["id"], **_switches(described), "sver": 1}]


def _stream_refused(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    end_reason = TOO_MANY.get(data["code"])
    return [{"op": TERMINATE, "rtcId": data["stream"]["rtc_id"], "endReason": end_reason}] if end_reason else []


def _attributes_updated(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    deleted = [{"key": key, "val": "", "op": "DEL"} for key in data["deleted"]]
    return [{"op": CONFERENCE_UPDATED, "cattrs": [*attributes(data["set"]), *deleted]}]


def _muted_all(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    """`cattrs` must be there: without it the web SDK throws."""
    if Kind.AUDIO not in data["kinds"]:
        return []
    return [{"op": CONFERENCE_UPDATED, "cattrs": [], "cstate": {"muteAll": data["muted"]}}]


def _muted(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    """Told to the member alone, and not when all were muted: that is told once, by `cstate`."""
    if not own or data["all"] or Kind.AUDIO not in data["changed"]:
        return []
    own_id = mem_id(wire.confr_id, data["member"])
    return [control(MUTE if Kind.AUDIO in data["muted"] else UNMUTE, own_id, {"memId": own_id})]


def _role_requested(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    who = mem_id(wire.confr_id, data["member"])
    names = {"memName": mem_name(wire.app_key, data["name"]), "nickName": data["nick_name"] or data["name"]}
    return [control(ASKED_BY_ROLE[data["role"]], who, {"memId": who, **names}, tsxId=data["ref"])]


def _role_answered(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    """What the web SDK takes for the answer to its request: a reply with `arg`."""
    arg = {"op2": ASKED_BY_ROLE[data["role"]], "memId": mem_id(wire.confr_id, data["member"])}
    answer = {"tsxId": data["ref"], "memId": mem_id(wire.confr_id, data["by"]), "result": int(not data["granted"])}
    return [{"op": REPLY, **answer, "arg": orjson.dumps(arg).decode()}]


def control(op2: int, mem_id: str, arg: Json, **more: Any) -> Json:
    return {"op": REMOTE_CONTROL, "memId": mem_id, "arg": orjson.dumps({"op2": op2, **arg}).decode(), **more}


def _message(wire: FrameEncoder, data: Data, own: bool) -> list[Json]:
    if own:
        return []
    return [{"op": PASS_THROUGH, "memId": mem_id(wire.confr_id, data["member"]), "arg": data["content"]}]


# Every fact that a member may see.
EVENTS: dict[str, Callable[[FrameEncoder, Data, bool], list[Json]]] = {
    "conference.muted": _muted_all,
    "conference.closed": _nothing,  # FrameEncoder.encode
    "member.joined": _joined,
    "member.exited": _exited,
    "member.muted": _muted,
    "role.changed": _role_changed,
    "role.requested": _role_requested,
    "role.answered": _role_answered,
    "stream.added": _published,
    "stream.changed": _stream_changed,
    "stream.removed": _unpublished,
    "stream.refused": _stream_refused,
    "attributes.updated": _attributes_updated,
    "message.broadcast": _message,
    "message.sent": _message,
    "conference.updated": _nothing,
    "mix.started": _nothing,
    "mix.updated": _nothing,
    "mix.stopped": _nothing,
    "mix.failed": _nothing,
    "recording.started": _nothing,
    "recording.paused": _nothing,
    "recording.resumed": _nothing,
    "recording.stopped": _nothing,
    "recording.ready": _nothing,
    "recording.failed": _nothing,
    "audience.counted": _nothing,
}

_NO_MIX = "A stream that is no member's is in no SDK's roster; who starts a mix is answered its id."
_NO_RECORDING = "The protocol has no frame for recording; the ticket and the record files tell of it."
UNSUPPORTED: dict[str, str] = {
    "conference.updated": "The protocol has no frame for settings that change.",
    "mix.started": _NO_MIX,
    "mix.updated": _NO_MIX,
    "mix.stopped": _NO_MIX,
    "mix.failed": _NO_MIX,
    "recording.started": _NO_RECORDING,
    "recording.paused": _NO_RECORDING,
    "recording.resumed": _NO_RECORDING,
    "recording.stopped": _NO_RECORDING,
    "recording.ready": _NO_RECORDING,
    "recording.failed": _NO_RECORDING,
    "audience.counted": "The protocol has no counts; select/confr answers them.",
}


# Refusals

# In a reply to anything but op 200, SDKs take -500, -502, -504, -508, -510 for the end with reason 4, and -501 and
# -506 for the end with reason 11: what is no end must not say so.
ERRORS: dict[str, int] = {
    "acts_on_oneself": -101,
    "already_entered": -200,
    "application_not_found": -706,
    "application_suspended": -708,
    "attributes_too_large": -200,
    "audience_full": -522,
    "bad_parameters": -200,
    "ban_not_found": -200,
    "banned": -701,
    "body_malformed": -200,
    "body_too_large": -200,
    "busy": -408,
    "conference_closed": -506,
    "conference_limit_reached": -700,
    "conference_locked": -701,
    "conference_name_taken": -700,
    "conference_not_found": -301,
    "credentials_invalid": -100,
    "csrf_failed": -101,
    "cursor_invalid": -200,
    "desktops_full": -524,
    "frame_malformed": -200,
    "idempotency_key_reused": -200,
    "internal": -501,
    "invitation_invalid": -200,
    "last_owner": -101,
    "media_hook_invalid": -101,
    "media_key_expired": -101,
    "media_key_invalid": -101,
    "media_server_away": -408,
    "media_type_unsupported": -200,
    "member_not_found": -504,
    "members_full": -522,
    "message_too_large": -200,
    "method_not_allowed": -200,
    "mix_inputs_missing": -531,
    "mix_layout_invalid": -532,
    "mix_limit_reached": -530,
    "mix_not_found": -533,
    "muted": -101,
    "not_allowed": -101,
    "not_authenticated": -100,
    "not_entered": -500,
    "not_found": -200,
    "operation_unknown": -507,
    "operation_unsupported": -507,
    "password_guessed_too_often": -701,
    "password_wrong": -508,
    "picture_not_ready": -408,
    "rate_limited": -408,
    "recording_disk_full": -534,
    "recording_folder_away": -534,
    "recording_held": -534,
    "recording_link_expired": -534,
    "recording_link_invalid": -101,
    "recording_not_failed": -534,
    "recording_not_found": -534,
    "recording_off": -534,
    "recording_quota_reached": -534,
    "recording_unfinished": -534,
    "role_token_invalid": -101,
    "scope_missing": -101,
    "second_factor_needed": -101,
    "stream_busy": -554,
    "stream_ended": -507,
    "stream_has_no_picture": -507,
    "stream_id_invalid": -200,
    "stream_not_found": -507,
    "talkers_full": -523,
    "ticket_expired": -502,
    "ticket_invalid": -500,
    "ticket_not_found": -200,
    "ticket_revoked": -500,
    "ticket_used": -502,
    "unavailable": -408,
    "user_name_invalid": -200,
    "user_name_taken": -200,
    "videos_full": -524,
}
NOT_ALLOWED: Mapping[object, int] = {Action.CREATE: -700, Action.ISSUE_TICKET: -701, Action.GRANT_ROLE: -702}


def code_of(error: DomainError) -> int:
    """The vendor's number of a refusal."""
    number = NOT_ALLOWED.get(error.fields.get("action")) if isinstance(error, NotAllowed) else None
    return number or ERRORS[error.code]
