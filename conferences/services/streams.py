"""Streams: URLs to push and play, what the media server says of them, and their end."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from accounts.actors import Actor
from accounts.errors import NotAllowed
from conferences.errors import (
    MemberNotFound,
    Muted,
    StreamEnded,
    StreamIdInvalid,
    StreamNotFound,
)
from conferences.events import Change, changing
from conferences.media import keys
from conferences.media.base import APP, media_server
from conferences.models import Conference, Kind, MediaSession, Member, Stream, StreamType, new_media_name
from conferences.permissions import LEAST_ROLE, Action
from conferences.services import drops
from conferences.services.access import authorise, require_live, require_oneself

RTC_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A key outlives what it opens: a phone reconnects with the URL that it was given. Live rows decide if it may.
KEY_LIFE = timedelta(days=2)
OWN_KEY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Push:
    """Where to push, and the stream that it will be."""

    stream: Stream
    url: str


def pub_stream(
    *,
    actor: Actor,
    confr_id: str,
    user_id: int,
    rtc_id: str,
    stream_type: int = StreamType.CAMERA,
    kind: str = "",
) -> Push:
    """Hand a member the URL to publish `rtc_id` with; asking again for the same gives the same stream.

    `kind` is what the publisher declares to send: "audio", "video", "desktop", or "" when it does not say. The
    stream is in the room only when the media server says that it is published.

    Raises: StreamIdInvalid, MemberNotFound, NotAllowed, Muted, ConferenceClosed.
    """
    if not RTC_ID.fullmatch(rtc_id):
        raise StreamIdInvalid()
    with changing(actor, confr_id) as change:
        member = _member(change, actor, user_id, Action.PUBLISH)
        if stream_type == StreamType.DESKTOP:
            kind = Kind.DESKTOP
        if kind and kind in member.muted:
            raise Muted(kind=kind)
        stream = _offer(change, member, rtc_id, stream_type, kind)
    key = keys.issue("publish", stream.media_name, member.pk, int((change.now + KEY_LIFE).timestamp()))
    return Push(stream, media_server().push_url(stream.media_name, key))


def _offer(change: Change, member: Member, rtc_id: str, stream_type: int, kind: str) -> Stream:
    stream, made = Stream.objects.open().get_or_create(
        member=member,
        rtc_id=rtc_id,
        defaults={
            "conference": change.conference,
            "type": stream_type,
            "kind": kind,
            "media_name": new_media_name(change.conference),
            "video_off": kind == Kind.AUDIO,
        },
    )
    if not made and stream.state == Stream.State.OFFERED and (stream.type, stream.kind) != (stream_type, kind):
        stream.type, stream.kind, stream.video_off = stream_type, kind, kind == Kind.AUDIO
        stream.save(update_fields=["type", "kind", "video_off"])
    if stream.refused:  # who asks anew is told anew
        stream.refused = ""
        stream.save(update_fields=["refused"])
    stream.member, stream.conference = member, change.conference
    return stream


def sub_stream(*, actor: Actor, confr_id: str, user_id: int, stream_id: str) -> dict[str, str]:
    """The URLs with which a member plays a live stream, by protocol.

    Raises: StreamNotFound, MemberNotFound, NotAllowed, ConferenceClosed.
    """
    with changing(actor, confr_id) as change:
        member = _member(change, actor, user_id, Action.PLAY)
        stream = find_stream(change.conference, stream_id)
        if stream.state != Stream.State.LIVE:
            raise StreamEnded(stream=stream_id)
    key = keys.issue("play", stream.media_name, member.pk, int((change.now + KEY_LIFE).timestamp()))
    return media_server().play_urls(stream.media_name, key)


def own_url(action: keys.Action, media_name: str) -> str:
    """Where Confr itself plays a stream, or publishes one that is no member's; to be used at once."""
    key = keys.issue(action, media_name, keys.CONFR, int(time.time() + OWN_KEY_SECONDS))
    return f"{settings.MEDIA_RTMP_URL}/{APP}/{media_name}?key={key}"


def _member(change: Change, actor: Actor, user_id: int, action: Action) -> Member:
    """The member that the call is for: oneself, or anybody for the application; its role must allow it too."""
    require_oneself(actor, user_id, action)
    require_live(change.conference)
    member = Member.objects.seated().filter(conference=change.conference, user_id=user_id).first()
    if member is None:
        raise MemberNotFound()
    if member.role < LEAST_ROLE[action]:
        raise NotAllowed(action=action.value)
    member.conference = change.conference
    return member


def find_stream(conference: Conference, stream_id: str) -> Stream:
    """The open stream with this wire id. Raises: StreamNotFound."""
    rtc_id, _, tail = stream_id.rpartition("__Of_M")
    if not rtc_id or not tail.isdecimal() or len(tail) > 9:
        raise StreamNotFound()
    streams = Stream.objects.open().select_related("member").filter(conference=conference)
    owner = Q(member__conference=conference, member__number=int(tail)) if int(tail) else Q(member=None)
    stream = streams.filter(owner, rtc_id=rtc_id).first()
    if stream is None:
        raise StreamNotFound(stream=stream_id)
    stream.conference = conference
    return stream


def stop_stream(*, actor: Actor, confr_id: str, stream_id: str, reason: str = "") -> Stream:
    """End one stream for good: its URL is useless, the media server drops it.

    Raises: StreamNotFound, NotAllowed. Records: stream.removed.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.STOP_STREAM)
        stream = find_stream(change.conference, stream_id)
        end_streams(change, [stream], actor, why="stopped", reason=reason)
    return stream


def unpub_stream(*, actor: Actor, confr_id: str, user_id: int, stream_id: str) -> Stream:
    """A member ends its own stream for good. Raises: StreamNotFound, MemberNotFound, NotAllowed.

    Records: stream.removed.
    """
    with changing(actor, confr_id) as change:
        stream = _own_stream(change, actor, user_id, stream_id)
        end_streams(change, [stream], actor, why="unpublished")
    return stream


def switch_stream(
    *,
    actor: Actor,
    confr_id: str,
    user_id: int,
    stream_id: str,
    video_off: bool | None = None,
    audio_off: bool | None = None,
) -> Stream:
    """A member says what its stream does not show or sound at present; None leaves it as it is.

    Raises: StreamNotFound, MemberNotFound, NotAllowed, Muted (who is muted cannot switch on).
    Records: stream.changed, when it is live and differs.
    """
    with changing(actor, confr_id) as change:
        stream = _own_stream(change, actor, user_id, stream_id)
        before = describe(stream)
        for kind, off in ((Kind.VIDEO, video_off), (Kind.AUDIO, audio_off)):
            if off is False and stream.member is not None and kind in stream.member.muted:
                raise Muted(kind=kind)
        stream.video_off = stream.video_off if video_off is None else video_off
        stream.audio_off = stream.audio_off if audio_off is None else audio_off
        stream.save(update_fields=["video_off", "audio_off"])
        if stream.state == Stream.State.LIVE and describe(stream) != before:
            number = stream.member.number if stream.member else 0
            change.record("stream.changed", actor, data={"member": number, "stream": describe(stream)})
    return stream


def _own_stream(change: Change, actor: Actor, user_id: int, stream_id: str) -> Stream:
    member = _member(change, actor, user_id, Action.PUBLISH)
    stream = find_stream(change.conference, stream_id)
    if stream.member_id != member.pk:
        raise StreamNotFound(stream=stream_id)
    return stream


def open_streams(change: Change, members: Collection[Member]) -> list[Stream]:
    """The streams of these members that are live or may become so."""
    by_id = {member.pk: member for member in members}
    streams = list(Stream.objects.open().filter(conference=change.conference, member__in=by_id))
    for stream in streams:
        stream.member, stream.conference = by_id[stream.member_id or 0], change.conference
    return streams


def end_streams(change: Change, streams: Collection[Stream], actor: Actor, *, why: str, reason: str = "") -> None:
    """End streams for good, free their seats, tell who saw them, and have the media server drop them.

    Records: stream.removed for each that was live.
    """
    if not streams:
        return
    for stream in streams:
        if stream.state == Stream.State.LIVE:
            remove(change, stream, actor, why=why, reason=reason)
        stream.state, stream.ended_at = Stream.State.ENDED, change.now
    ids = [stream.pk for stream in streams]
    Stream.objects.filter(pk__in=ids).update(state=Stream.State.ENDED, seat="", ended_at=change.now)
    drops.order(change, Q(stream__in=ids))


def remove(change: Change, stream: Stream, actor: Actor, *, why: str, reason: str = "") -> None:
    """Take a live stream out of the room: its seat is free, the others are told. The row is the caller's."""
    release_seat(change.conference, stream)
    member = stream.member
    change.record(
        "stream.removed",
        actor,
        data={"member": member.number if member else 0, "stream": describe(stream), "reason": why},
        reason=reason,
    )


def release_seat(conference: Conference, stream: Stream) -> None:
    if stream.seat == Kind.VIDEO:
        conference.videos -= 1
    elif stream.seat == Kind.DESKTOP:
        conference.desktops -= 1
    elif not stream.kind:
        stream.video_off = False  # for want of a seat; the next publish may find one
    stream.seat = ""


def hide(change: Change, stream: Stream, actor: Actor, *, code: str) -> None:
    """Cut a live stream that shows what it may not; its owner is told why and may publish again.

    Records: stream.removed, stream.refused.
    """
    remove(change, stream, actor, why="refused")
    stream.state = Stream.State.OFFERED
    stream.save(update_fields=["state", "seat", "video_off"])
    tell_refusal(change, stream, actor, code=code)
    drops.order(change, Q(stream=stream, action=MediaSession.Action.PUBLISH))


def tell_refusal(change: Change, stream: Stream, actor: Actor, *, code: str) -> None:
    """Tell the owner of a stream why it may not be in the room. Records: stream.refused."""
    number = stream.member.number if stream.member else 0
    data = {"member": number, "to": [number], "stream": describe(stream), "code": code}
    change.record("stream.refused", actor, data=data)


def only_carries(stream: Stream, member: Member | None) -> bool:
    """Whether nothing of the stream may be published while the member is muted as it is."""
    muted = set(member.muted if member else ())
    match stream.kind:
        case Kind.AUDIO:
            return Kind.AUDIO in muted
        case Kind.DESKTOP:
            return Kind.DESKTOP in muted
        case _:  # a camera, or whatever an old SDK sends: both kinds in one
            return {Kind.AUDIO, Kind.VIDEO} <= muted


def describe(stream: Stream) -> dict[str, object]:
    """A stream as facts and snapshots tell it."""
    return {
        "id": stream.stream_id,
        "rtc_id": stream.rtc_id,
        "type": stream.type,
        "kind": stream.kind,
        "video_off": stream.video_off,
        "audio_off": stream.audio_off,
    }
