"""Watching: staff look at a live stream without being members. Who looks is a fact of the conference's log."""

from __future__ import annotations

import time

from django.db.models import Q

from accounts.actors import Actor, ActorKind
from accounts.errors import NotAllowed
from accounts.standings import standings
from conferences.errors import StreamEnded
from conferences.events import changing, changing_id
from conferences.media import keys
from conferences.media.base import PlayUrls, media_server
from conferences.models import MediaSession, Stream, Watch
from conferences.permissions import Action, allows
from conferences.services import drops
from conferences.services.access import authorise
from conferences.services.streams import KEY_LIFE, describe, find_stream


def watch_stream(*, actor: Actor, confr_id: str, stream_id: str, session_key: str) -> PlayUrls:
    """The URLs with which a staff member watches a live stream, by protocol, good while the browser session lasts.

    Raises: NotAllowed, StreamNotFound, StreamEnded, ConferenceClosed. Records: stream.watched, once per browser
    session and stream.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.WATCH)
        if actor.kind is not ActorKind.STAFF:
            raise NotAllowed(action=Action.WATCH.value)
        stream = find_stream(change.conference, stream_id)
        if stream.state != Stream.State.LIVE:
            raise StreamEnded(stream=stream_id)
        watch, is_new = Watch.objects.get_or_create(
            stream=stream, session_key=session_key, defaults={"staff_id": int(actor.id)}
        )
        if is_new:
            number = stream.member.number if stream.member else 0
            change.record("stream.watched", actor, data={"member": number, "stream": describe(stream)})
    key = keys.issue("watch", stream.media_name, watch.pk, int((change.now + KEY_LIFE).timestamp()))
    return media_server().play_urls(stream.media_name, key)


def watch_of(stream: Stream, key: str) -> Watch | None:
    """The watch that a media key speaks for, while it stands; None when the key is none of a watch.

    Raises: MediaKeyExpired, NotAllowed.
    """
    try:
        holder_id = keys.read(key, "watch", stream.media_name, time.time()).holder_id
    except keys.MediaKeyInvalid:
        return None
    watch = Watch.objects.filter(pk=holder_id, stream=stream).first()
    if watch is None or not _stands(watch, stream.conference.application_id):
        raise NotAllowed(action=Action.WATCH.value)
    return watch


def _stands(watch: Watch, application_id: int) -> bool:
    """Whether its browser session goes on, and the staff member's role still suffices."""
    standing = standings([watch.session_key]).get(watch.session_key)
    if standing is None or standing.staff_id != watch.staff_id or standing.role_in(application_id) is None:
        return False
    return allows(standing.actor(application_id), Action.WATCH)


def end_watches() -> int:
    """Have the media server drop whoever watches and may no longer; answers how many watches that were.

    Over HLS nobody needs dropping: every few seconds the viewer's key is asked for again.
    """
    playing = MediaSession.objects.filter(watch__isnull=False, closed_at=None, revoked_at=None)
    watches = Watch.objects.filter(pk__in=playing.values("watch")).select_related("stream__conference")
    over = [watch for watch in watches if not _stands(watch, watch.stream.conference.application_id)]
    for watch in over:
        with changing_id(watch.stream.conference_id) as change:
            drops.order(change, Q(watch=watch))
    return len(over)
