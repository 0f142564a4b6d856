"""Admission: whom the media server lets in, and what it tells of those who came and went.

Its hooks are hints: they come twice, late, in the wrong order or never. Who is at a stream is known by
(boot, client, stream).
"""

from __future__ import annotations

import time

from django.db.models import QuerySet

from accounts.actors import Actor, ActorKind, system
from accounts.errors import NotAllowed
from conferences.errors import (
    Banned,
    DesktopsFull,
    Muted,
    StreamBusy,
    StreamEnded,
    StreamNotFound,
    VideosFull,
)
from conferences.events import Change, changing_id
from conferences.media import keys
from conferences.media.base import MediaEvent, media_server
from conferences.models import Conference, Kind, MediaSession, Member, Stream, Watch
from conferences.permissions import Action, require
from conferences.services.access import is_kept_out, require_live
from conferences.services.streams import describe, only_carries, remove, tell_refusal
from conferences.services.watching import watch_of

STALL_SECONDS = 1.5


def admit_publisher(event: MediaEvent) -> None:
    """The media server asks whether a client may publish.

    While another client publishes the stream and its bytes grow, the newcomer is refused; has the other stood
    still for 1.5 s (a phone that changed networks), the newcomer takes the stream over without a fact.

    Whose stream finds no seat, or is muted, is told; but once, however often its client tries again.

    Raises: MediaKeyInvalid, MediaKeyExpired, StreamNotFound, StreamEnded, StreamBusy, NotAllowed, Banned, Muted,
    VideosFull, DesktopsFull, ConferenceClosed. Records: stream.added; stream.refused.
    """
    holder = _let_publish(event)
    if holder is None:
        return
    is_of_this_run = holder.boot_id == event.boot_id  # else it ended with its media server
    if is_of_this_run and not _stands_still(holder):
        raise StreamBusy()
    if _let_publish(event, instead_of=holder) is not None:
        raise StreamBusy()
    if is_of_this_run:  # before we say yes, since there can be one publisher; and its goodbye finds its successor
        media_server().drop_client(holder.client_id, event.name)


def _let_publish(event: MediaEvent, instead_of: MediaSession | None = None) -> MediaSession | None:
    """Let the client publish, or answer who does already. What its owner is told of a refusal outlives it."""
    with changing_id(_conference_of(event.name)) as change:
        stream = _stream(event.name, change.conference)
        member = _entitled(stream, event, "publish", Action.PUBLISH)
        try:
            return _give_place(change, stream, member, event, instead_of)
        except (Muted, VideosFull, DesktopsFull) as error:  # up to here nothing has changed
            error.application_id = change.conference.application_id
            _tell_once(change, stream, error.code)
            refusal = error
    raise refusal


def _give_place(
    change: Change, stream: Stream, member: Member | None, event: MediaEvent, instead_of: MediaSession | None
) -> MediaSession | None:
    if only_carries(stream, member) or (member and stream.kind in member.muted):
        raise Muted(kind=stream.kind)
    _refuse_the_revoked(event)
    holder = _publisher(stream)
    if holder is not None and holder == instead_of:
        MediaSession.objects.filter(pk=holder.pk).update(closed_at=change.now)
    elif holder is not None:
        return None if _is_of(holder, event) else holder
    if stream.state != Stream.State.LIVE:
        _go_live(change, stream, member)
    _open(change, stream, event, MediaSession.Action.PUBLISH, member)
    return None


def _tell_once(change: Change, stream: Stream, code: str) -> None:
    """Phones try again every second: their owner hears of it again only after the stream was let in or offered anew,
    or when the cause is another."""
    if stream.refused != code:
        tell_refusal(change, stream, system(), code=code)
        stream.refused = code
        stream.save(update_fields=["refused"])


def _publisher(stream: Stream) -> MediaSession | None:
    publishing = MediaSession.objects.filter(stream=stream, action=MediaSession.Action.PUBLISH)
    return publishing.filter(closed_at=None, revoked_at=None).first()


def _is_of(session: MediaSession, event: MediaEvent) -> bool:
    return (session.boot_id, session.client_id) == (event.boot_id, event.client_id)


def _stands_still(holder: MediaSession) -> bool:
    """Whether the holder of a stream has sent nothing for 1.5 s. The newcomer's hook waits for the answer."""
    before = _received(holder)
    time.sleep(STALL_SECONDS)
    return _received(holder) == before


def _received(holder: MediaSession) -> int | None:
    streams = media_server().list_streams().streams
    return next((stream.bytes_in for stream in streams if stream.name == holder.stream.media_name), None)


def _go_live(change: Change, stream: Stream, member: Member | None) -> None:
    stream.seat = _take_media_seat(change, stream, member) if member else ""
    stream.state, stream.started_at, stream.bytes_in = Stream.State.LIVE, change.now, 0
    stream.video_off = stream.video_off or not (stream.seat or stream.kind)
    stream.refused = ""
    stream.save(update_fields=["seat", "state", "started_at", "bytes_in", "video_off", "refused"])
    change.record(
        "stream.added",
        _owner(stream, member),
        data={"member": member.number if member else 0, "stream": describe(stream)},
        personal={"name": member.user.name if member else ""},
    )


def _take_media_seat(change: Change, stream: Stream, member: Member) -> str:
    """The seat that a publish takes by its declared kind; one that declares none is audio only when all are taken."""
    conference = change.conference
    if stream.kind == Kind.DESKTOP:
        if conference.desktops >= conference.max_desktops:
            raise DesktopsFull(limit="desktops", maximum=conference.max_desktops)
        conference.desktops += 1
        return Kind.DESKTOP
    if stream.kind == Kind.AUDIO or (not stream.kind and Kind.VIDEO in member.muted):
        return ""
    if conference.videos >= conference.max_videos:
        if stream.kind:
            raise VideosFull(limit="videos", maximum=conference.max_videos)
        return ""
    conference.videos += 1
    return Kind.VIDEO


def admit_player(event: MediaEvent) -> None:
    """The media server asks whether a client may play.

    Raises: as `admit_publisher`, but for seats and mutes. Records nothing.
    """
    with changing_id(_conference_of(event.name)) as change:
        stream = _stream(event.name, change.conference)
        watch = watch_of(stream, event.key)
        member = None if watch else _entitled(stream, event, "play", Action.PLAY)
        if stream.state != Stream.State.LIVE:
            raise StreamEnded()
        _refuse_the_revoked(event)
        _open(change, stream, event, MediaSession.Action.PLAY, member, watch)


def admit_viewer(event: MediaEvent) -> None:
    """A viewer over HTTP asks again every few seconds: nothing is locked and nothing is kept.

    Raises: as `admit_player`.
    """
    stream = _stream(event.name)
    if watch_of(stream, event.key) is None:
        _entitled(stream, event, "play", Action.PLAY)
    if stream.state != Stream.State.LIVE:
        raise StreamEnded()


def keep_client(event: MediaEvent) -> None:
    """The media server tells that a client is still there, and cuts it if we mind.

    An unknown client is left alone: its own hook may still be waiting for our answer. Raises: NotAllowed.
    """
    _refuse_the_revoked(event)


def _refuse_the_revoked(event: MediaEvent) -> None:
    """Whoever is being cut is not let in again meanwhile. Raises: NotAllowed."""
    if _sessions_of(event).filter(revoked_at__isnull=False).exists():
        raise NotAllowed()


def _sessions_of(event: MediaEvent) -> QuerySet[MediaSession]:
    return MediaSession.objects.filter(boot_id=event.boot_id, client_id=event.client_id, stream__media_name=event.name)


def release_client(event: MediaEvent) -> None:
    """The media server tells that a client went. Of an unknown one, or a second time, it means nothing.

    Records: stream.removed when it was the publisher.
    """
    which = _sessions_of(event).filter(closed_at=None)
    conference_id = which.values_list("conference_id", flat=True).first()
    if conference_id is None:
        return
    with changing_id(conference_id) as change:
        session = which.select_related("stream__member__user").first()
        if session is not None:
            close_session(change, session)


def close_session(change: Change, session: MediaSession) -> None:
    """Close a media session in an open change; a publisher takes its stream out of the room.

    Records: stream.removed.
    """
    MediaSession.objects.filter(pk=session.pk).update(closed_at=change.now)
    stream = session.stream
    publishes = session.action == MediaSession.Action.PUBLISH and stream.state == Stream.State.LIVE
    if publishes and _publisher(stream) is None:  # else a successor has the stream by now
        stream.conference = change.conference
        remove(change, stream, system(), why="unpublished")
        stream.state = Stream.State.OFFERED
        stream.save(update_fields=["state", "seat", "video_off"])


# The checks that publishing and playing share


def _conference_of(media_name: str) -> int:
    conference_id = Stream.objects.filter(media_name=media_name).values_list("conference_id", flat=True).first()
    if conference_id is None:
        raise StreamNotFound()
    return conference_id


def _stream(media_name: str, conference: Conference | None = None) -> Stream:
    """The stream that may be published or played; with its conference as it is locked, where it is.

    Raises: StreamNotFound, StreamEnded, ConferenceClosed.
    """
    stream = Stream.objects.select_related("member__user", "conference").filter(media_name=media_name).first()
    if stream is None:
        raise StreamNotFound()
    if conference is not None:
        stream.conference = conference
    require_live(stream.conference)
    if stream.state == Stream.State.ENDED:
        raise StreamEnded()
    return stream


def _entitled(stream: Stream, event: MediaEvent, what: keys.Action, action: Action) -> Member | None:
    """The member that the media key speaks for, if it may do this now; None for Confr itself, which plays every
    stream and publishes those that are no member's.

    Raises: MediaKeyInvalid, MediaKeyExpired, NotAllowed, Banned.
    """
    key = keys.read(event.key, what, event.name, time.time())
    if key.holder_id == keys.CONFR and (action is Action.PLAY or stream.member_id is None):
        return None
    seats = Member.objects.seated().select_related("user").filter(conference=stream.conference)
    member = seats.filter(pk=key.holder_id).first()
    if member is None or (action is Action.PUBLISH and stream.member_id != member.pk):
        raise NotAllowed(action=action.value)
    if is_kept_out(stream.conference, member.user_id, event.address):
        raise Banned()
    require(_owner(stream, member), action, member.role)
    return member


def _owner(stream: Stream, member: Member | None) -> Actor:
    if member is None:
        return system()
    return Actor(
        ActorKind.USER,
        application_id=stream.conference.application_id,
        id=str(member.user_id),
        name=member.user.name,
    )


def _open(
    change: Change,
    stream: Stream,
    event: MediaEvent,
    action: MediaSession.Action,
    member: Member | None,
    watch: Watch | None = None,
) -> None:
    """Note who is let in; a client that has been at the stream before is there again."""
    session = MediaSession(
        conference=change.conference,
        stream=stream,
        member=member,
        watch=watch,
        action=action,
        boot_id=event.boot_id,
        client_id=event.client_id,
        address=event.address or None,
        opened_at=change.now,
    )
    MediaSession.objects.bulk_create(
        [session],
        update_conflicts=True,
        unique_fields=["boot_id", "client_id", "stream"],
        update_fields=["member", "watch", "action", "address", "opened_at", "closed_at"],
    )
