"""What our own socket says: facts, snapshots and refusals as frames. Pure: dictionaries in, dictionaries out.

The wire's names are emedia's, spelling included (`onMediaChanaged`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.utils.translation import override

from accounts.errors import DomainError
from conferences.events import Seen
from conferences.models import Conference, ExitReason, Role
from conferences.services.snapshots import MemberPage, Snapshot

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FrameEncoder:
    """Turns what a member sees into our frames; equal for all members of one conference."""

    confr_id: str

    def encode(self, seen: Seen, prev: int, *, own: bool) -> Sequence[bytes]:
        return [orjson.dumps(push(seen, prev, own=own, confr_id=self.confr_id))]


def push(seen: Seen, prev: int, *, own: bool, confr_id: str) -> Json:
    """A push. `seq` and `prev` are missing in a note, which is not a fact."""
    name, data = event(seen, own=own, confr_id=confr_id)
    numbers = {"seq": seen.seq, "prev": prev} if seen.seq else {}
    return {**numbers, "event": name, "confrId": confr_id, "at": seen.at, "data": data}


def event(seen: Seen, *, own: bool, confr_id: str) -> tuple[str, Json]:
    """The callback's name and its data."""
    if own and seen.type == "member.exited":
        return "onConferenceExit", {"reason": seen.data.get("reason", ExitReason.LEFT)}
    name, describe = EVENTS[seen.type]
    return _particular(seen) or name, describe(seen.data, confr_id)


def _particular(seen: Seen) -> str | None:
    """The callback's name where the fact's kind does not decide it alone."""
    match seen.type:
        case "conference.muted" if not seen.data["muted"]:
            return "onUnMuteAll"
        case "role.requested" if seen.data["role"] == Role.ADMIN:
            return "onRequestToAdmin"
        case "role.answered" if seen.data["role"] == Role.ADMIN:
            return "onRequestToAdminReply"
        case _:
            return None


def mem_id(confr_id: str, number: int) -> str | None:
    """`<confrId>M<n>`; None for who is no member: the application, the staff, Confr itself."""
    return f"{confr_id}M{number}" if number else None


def number_of(confr_id: str, given: str) -> int | None:
    """The reverse: the number in a `memId`, or None when it is none of this conference's."""
    head, _, tail = given.rpartition("M")
    return int(tail) if head == confr_id and tail.isdecimal() and tail.isascii() and len(tail) < 10 else None


def member(data: Mapping[str, Any], confr_id: str) -> Json:
    """A member, in events and in lists."""
    return {
        **_who(data, confr_id),
        "nickName": data["nick_name"],
        "role": data["role"],
        "ext": data["ext"],
        "muted": data["muted"],
    }


def stream(data: Mapping[str, Any], confr_id: str) -> Json:
    """A stream with its owner, in events and in lists."""
    described = data["stream"]
    return {
        **_who(data, confr_id),
        "streamId": described["id"],
        "rtcId": described["rtc_id"],
        "type": described["type"],
        "kind": described["kind"],
        "voff": int(described["video_off"]),
        "aoff": int(described["audio_off"]),
    }


def _who(data: Mapping[str, Any], confr_id: str) -> Json:
    return {"memId": mem_id(confr_id, data["member"]), "memName": data.get("name")}


def _exited(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**_who(data, confr_id), "reason": data.get("reason", ExitReason.LEFT)}


def _stream_removed(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**stream(data, confr_id), "reason": data["reason"]}


def _stream_refused(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**stream(data, confr_id), "code": data["code"]}


def _muted(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**_who(data, confr_id), "muted": data["muted"]}


def _role(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**_who(data, confr_id), "role": data["role"], "muted": data["muted"]}


def _requested(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**_who(data, confr_id), "nickName": data["nick_name"], "role": data["role"], "ref": data["ref"]}


def _answered(data: Mapping[str, Any], confr_id: str) -> Json:
    granted = {"role": data["role"], "granted": data["granted"], "ref": data["ref"]}
    return {"memId": mem_id(confr_id, data["by"]), **granted}


def _attributes(data: Mapping[str, Any], confr_id: str) -> Json:
    return {"set": data["set"], "deleted": data["deleted"], "memId": mem_id(confr_id, data["member"])}


def _muted_all(data: Mapping[str, Any], confr_id: str) -> Json:
    return {"kinds": data["kinds"]}


def _message(data: Mapping[str, Any], confr_id: str) -> Json:
    return {**_who(data, confr_id), "content": data["content"]}


def _updated(data: Mapping[str, Any], confr_id: str) -> Json:
    return {_UPDATED[name]: value for name, value in data.items()}


def _closed(data: Mapping[str, Any], confr_id: str) -> Json:
    return {"reason": ExitReason.CONFERENCE_CLOSED, "cause": data["reason"]}


def _recorded(*, rec: bool, paused: bool) -> Callable[[Mapping[str, Any], str], Json]:
    """Whether the conference is being recorded now, as its settings tell it."""
    return lambda data, confr_id: {"rec": rec, "recPaused": paused, **data}


def _mix(data: Mapping[str, Any], confr_id: str) -> Json:
    why = {"reason": data["reason"]} if "reason" in data else {}
    return {"mixId": str(data["mix"]), "streamId": data["stream"]["id"], **why}


def _recording(data: Mapping[str, Any], confr_id: str) -> Json:
    """A file of the conference; one that holds all members has no owner."""
    failure = {"code": data["code"]} if "code" in data else {}
    return {**_who(data, confr_id), "recordingId": data["recording"], "kind": data["kind"], **failure}


def _counted(data: Mapping[str, Any], confr_id: str) -> Json:
    return {"talkers": data["talkers"], "audience": data["audience"]}


_UPDATED = {"locked": "locked", "rec": "rec", "rec_merge": "recMerge"}

# Every fact that a member may see, and the notes; what only the staff sees has no frame.
EVENTS: dict[str, tuple[str, Callable[[Mapping[str, Any], str], Json]]] = {
    "conference.updated": ("onConferenceUpdated", _updated),
    "conference.muted": ("onMuteAll", _muted_all),
    "conference.closed": ("onConferenceExit", _closed),
    "member.joined": ("onMemberJoined", member),
    "member.exited": ("onMemberExited", _exited),
    "member.muted": ("onMediaChanaged", _muted),
    "role.changed": ("onRoleChanged", _role),
    "role.requested": ("onRequestToTalker", _requested),
    "role.answered": ("onRequestToTalkerReply", _answered),
    "stream.added": ("onStreamAdded", stream),
    "stream.changed": ("onMediaChanaged", stream),
    "stream.removed": ("onStreamRemoved", _stream_removed),
    "stream.refused": ("onStreamRefused", _stream_refused),
    "attributes.updated": ("onConfrAttrsUpdated", _attributes),
    "message.broadcast": ("onBroadcast", _message),
    "message.sent": ("onCommand", _message),
    "mix.started": ("onMixStarted", _mix),
    "mix.updated": ("onMixUpdated", _mix),
    "mix.stopped": ("onMixStopped", _mix),
    "mix.failed": ("onMixFailed", _mix),
    "recording.started": ("onRecordingStarted", _recorded(rec=True, paused=False)),
    "recording.paused": ("onRecordingPaused", _recorded(rec=True, paused=True)),
    "recording.resumed": ("onRecordingResumed", _recorded(rec=True, paused=False)),
    "recording.stopped": ("onRecordingStopped", _recorded(rec=False, paused=False)),
    "recording.ready": ("onRecordingReady", _recording),
    "recording.failed": ("onRecordingFailed", _recording),
    "audience.counted": ("onAudienceCount", _counted),
}


# Answers


def entry(frame_id: object, own: Json, snapshot: Snapshot | None) -> bytes:
    """The reply of `enter`: one's own seat, and what everybody gets alike, encoded once for all who share it."""
    reply = orjson.dumps({"id": frame_id, "result": own})
    return reply if snapshot is None else reply[:-2] + b"," + _state(snapshot)[1:] + b"}"


@lru_cache(maxsize=16)
def _state(snapshot: Snapshot) -> bytes:
    conference = snapshot.conference
    state = {
        "confr": confr(conference),
        "counts": {"talkers": conference.talkers, "audience": conference.audience},
        **members(snapshot.page, conference.confr_id),
        "streams": [stream(row, conference.confr_id) for row in snapshot.streams],
        "attrs": conference.attributes,
        "mutedAll": conference.mute_newcomers,
    }
    return orjson.dumps(state)


def confr(conference: Conference) -> Json:
    """A conference's settings, by the names that REST gives them."""
    return {
        "confrId": conference.confr_id,
        "name": conference.name,
        "type": conference.type,
        "ext": conference.ext,
        "maxTalkerCount": conference.max_talkers,
        "maxVideoCount": conference.max_videos,
        "maxAudienceCount": conference.max_audience,
        "maxPubDesktopCount": conference.max_desktops,
        "memDefaultRole": conference.default_role,
        "allowAudienceTalk": conference.allow_audience_talk,
        "locked": conference.locked,
        "rec": conference.rec,
        "recMerge": conference.rec_merge,
        "recPaused": conference.rec_paused,
    }


def members(page: MemberPage, confr_id: str) -> Json:
    """A page of members; `cursor` is what `listMembers` goes on from, null at the end."""
    return {"members": _encoded(page, confr_id), "cursor": page.cursor}


@lru_cache(maxsize=16)
def _encoded(page: MemberPage, confr_id: str) -> orjson.Fragment:
    """Encoded once for all who share the page."""
    return orjson.Fragment(orjson.dumps([member(row, confr_id) for row in page.members]))


def result(frame_id: object, answer: object) -> bytes:
    """The reply to a frame that did what it asked."""
    return orjson.dumps({"id": frame_id, "result": answer})


def refusal(frame_id: object, error: DomainError, language: str) -> bytes:
    """The reply to a frame that was refused: a stable code, what is wrong in the client's language, the facts."""
    with override(language):
        message = str(error.detail)
    facts = {_camel(name): value for name, value in error.fields.items()}
    return orjson.dumps({"id": frame_id, "error": {**facts, "code": error.code, "message": message}}, default=str)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
