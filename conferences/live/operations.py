"""What a member may ask for once inside: one table, operation → shape and service."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from accounts.actors import Actor
from accounts.authentication import application as known_application
from accounts.names import user_name
from accounts.threads import in_thread
from conferences.errors import MemberNotFound
from conferences.hub import hub
from conferences.live import frames
from conferences.live.shapes import Field, Shape, flag, one_of, some, text, texts, whole
from conferences.models import Kind, Role, StreamType
from conferences.services import members, messages, moderation, roles, streams
from conferences.services.moderation import MAX_NAMES, Hold
from conferences.services.snapshots import LARGEST_PAGE, PageQuestion

Json = dict[str, Any]

KEY = text(128)
CONTENT = text(messages.MAX_MESSAGE_BYTES, least=0, lines=True)
NAMES = some(text(200), MAX_NAMES)
KINDS = some(one_of([kind.value for kind in Kind]), len(Kind))
STREAM_ID = text(80)
REASON = Field("reason", text(200, least=0), "")
REF = Field("ref", text(64, least=0), "")
HIGHER_ROLE = Field("role", one_of([Role.TALKER.value, Role.ADMIN.value]))


@dataclass(frozen=True, slots=True)
class Operation:
    """`act` runs in a thread; it gets the member and the data by the services' names, and answers the result.

    `shared`: it is a coroutine, and shares a call with whoever asks at the same moment.
    """

    shape: Shape
    act: Callable[..., Any]
    shared: bool = False

    async def run(self, seated: Seated, arguments: Json) -> Json:
        """The result. Raises: the refusals of the service."""
        call = self.act if self.shared else partial(in_thread, self.act)
        answer: Json = await call(seated, **arguments)
        return answer


@dataclass(frozen=True, slots=True)
class Seated:
    """A member who acts in its conference."""

    actor: Actor
    conference_id: int
    confr_id: str
    user_id: int
    number: int

    @property
    def here(self) -> Json:
        return {"actor": self.actor, "confr_id": self.confr_id}

    @property
    def itself(self) -> Json:
        return {**self.here, "user_id": self.user_id}

    def names(self, given: Collection[str]) -> list[str]:
        """Users' names in their one form, each once. Raises: UserNameInvalid."""
        app_key = known_application(self.actor.application_id or 0).app_key
        return list(dict.fromkeys(user_name(name, app_key) for name in given))


def _pub_stream(seated: Seated, **wish: Any) -> Json:
    push = streams.pub_stream(**seated.itself, **wish)
    return {"streamId": push.stream.stream_id, "rtcId": push.stream.rtc_id, "rtmp": push.url}


def _sub_stream(seated: Seated, stream_id: str) -> Json:
    return {"streamId": stream_id, **streams.sub_stream(**seated.itself, stream_id=stream_id)}


def _exit(seated: Seated) -> Json:
    members.leave(**seated.itself)
    return {}


def _set_attributes(seated: Seated, values: dict[str, str]) -> Json:
    return {"attrs": messages.set_attributes(**seated.here, values=values)}


def _delete_attributes(seated: Seated, keys: list[str]) -> Json:
    return {"attrs": messages.set_attributes(**seated.here, values={}, delete=keys)}


def _broadcast(seated: Seated, content: str) -> Json:
    return {"seq": messages.broadcast(**seated.here, content=content)}


def _command(seated: Seated, names: list[str], content: str) -> Json:
    return {"members": messages.send_command(**seated.here, names=seated.names(names), content=content)}


def _grant(seated: Seated, names: list[str], role: int, reason: str) -> Json:
    found = roles.grant_role(**seated.here, names=seated.names(names), role=Role(role), reason=reason)
    return {"members": {name: member.role if member else None for name, member in found.items()}}


def _kick(seated: Seated, names: list[str], allow_rejoin: bool, reason: str) -> Json:
    hold = Hold(reason=reason) if reason else None
    kicked = moderation.kick_members(**seated.here, names=seated.names(names), allow_rejoin=allow_rejoin, hold=hold)
    return {"members": kicked}


def _mute(seated: Seated, names: list[str], kinds: list[str], muted: bool, reason: str) -> Json:
    found = moderation.mute_members(
        **seated.here, names=seated.names(names), kinds=[Kind(kind) for kind in kinds], muted=muted, reason=reason
    )
    return {"members": {name: member.muted if member else None for name, member in found.items()}}


def _mute_all(
    seated: Seated, kinds: list[str], muted: bool, except_names: list[str], newcomers: bool, reason: str
) -> Json:
    count = moderation.mute_all(
        **seated.here,
        kinds=[Kind(kind) for kind in kinds],
        muted=muted,
        except_names=seated.names(except_names),
        newcomers=newcomers,
        reason=reason,
    )
    return {"count": count}


async def _list_members(seated: Seated, after: int, limit: int) -> Json:
    page = await hub.list_members(seated.conference_id, PageQuestion(seated.actor, after, limit))
    return frames.members(page, seated.confr_id)


def _stop_stream(seated: Seated, stream_id: str, reason: str) -> Json:
    return {"streamId": streams.stop_stream(**seated.here, stream_id=stream_id, reason=reason).stream_id}


def _switch_stream(seated: Seated, stream_id: str, **switches: int) -> Json:
    off: Json = {name: bool(switch) for name, switch in switches.items()}
    stream = streams.switch_stream(**seated.itself, stream_id=stream_id, **off)
    return {"streamId": stream_id, "voff": int(stream.video_off), "aoff": int(stream.audio_off)}


def _unpub_stream(seated: Seated, stream_id: str) -> Json:
    return {"streamId": streams.unpub_stream(**seated.itself, stream_id=stream_id).stream_id}


def _request_role(seated: Seated, role: int, ref: str) -> Json:
    roles.request_role(**seated.here, role=Role(role), ref=ref)
    return {}


def _answer_request(seated: Seated, mem_id: str, role: int, granted: bool, ref: str) -> Json:
    number = frames.number_of(seated.confr_id, mem_id)
    if number is None:
        raise MemberNotFound()
    roles.answer_request(**seated.here, member=number, role=Role(role), granted=granted, ref=ref)
    return {}


OPERATIONS: dict[str, Operation] = {
    "pubStream": Operation(
        {
            "rtcId": Field("rtc_id", text(64)),
            "type": Field("stream_type", one_of([StreamType.CAMERA.value, StreamType.DESKTOP.value]), 0),
            "kind": Field("kind", one_of([kind.value for kind in Kind]), ""),
        },
        _pub_stream,
    ),
    "subStream": Operation({"streamId": Field("stream_id", STREAM_ID)}, _sub_stream),
    "stopStream": Operation({"streamId": Field("stream_id", STREAM_ID), "reason": REASON}, _stop_stream),
    "unpubStream": Operation({"streamId": Field("stream_id", STREAM_ID)}, _unpub_stream),
    "switchStream": Operation(
        {
            "streamId": Field("stream_id", STREAM_ID),
            "voff": Field("video_off", one_of([0, 1]), None),
            "aoff": Field("audio_off", one_of([0, 1]), None),
        },
        _switch_stream,
    ),
    "requestRole": Operation({"role": HIGHER_ROLE, "ref": REF}, _request_role),
    "answerRequest": Operation(
        {"memId": Field("mem_id", text(64)), "role": HIGHER_ROLE, "granted": Field("granted", flag), "ref": REF},
        _answer_request,
    ),
    "exit": Operation({}, _exit),
    "setConferenceAttrs": Operation(
        {"attrs": Field("values", texts(messages.MAX_ATTRIBUTES, KEY, text(16 << 10, least=0, lines=True)))},
        _set_attributes,
    ),
    "deleteConferenceAttrs": Operation({"keys": Field("keys", some(KEY, messages.MAX_ATTRIBUTES))}, _delete_attributes),
    "sendBroadcast": Operation({"content": Field("content", CONTENT)}, _broadcast),
    "sendCommand": Operation({"memNames": Field("names", NAMES), "content": Field("content", CONTENT)}, _command),
    "grantRole": Operation(
        {
            "memNames": Field("names", NAMES),
            "role": Field("role", one_of([role.value for role in Role])),
            "reason": REASON,
        },
        _grant,
    ),
    "kickMembersById": Operation(
        {"memNames": Field("names", NAMES), "allowRejoin": Field("allow_rejoin", flag, False), "reason": REASON},
        _kick,
    ),
    "muteMembers": Operation(
        {
            "memNames": Field("names", NAMES),
            "kinds": Field("kinds", KINDS, [Kind.AUDIO.value]),
            "muted": Field("muted", flag, True),
            "reason": REASON,
        },
        _mute,
    ),
    "muteAll": Operation(
        {
            "kinds": Field("kinds", KINDS, [Kind.AUDIO.value]),
            "muted": Field("muted", flag, True),
            "exceptNames": Field("except_names", some(text(200), MAX_NAMES, least=0), []),
            "newcomers": Field("newcomers", flag, True),
            "reason": REASON,
        },
        _mute_all,
    ),
    "listMembers": Operation(
        {"cursor": Field("after", whole(0, 2**31 - 1), 0), "limit": Field("limit", whole(1, LARGEST_PAGE), 50)},
        _list_members,
        shared=True,
    ),
}
