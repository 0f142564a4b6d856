"""Reconciling: what the media server has against what we believe. Its hooks may have been lost."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.actors import system
from conferences import metrics
from conferences.events import changing_id
from conferences.media.base import Snapshot, StreamStat, media_server
from conferences.models import Kind, MediaSession, Stream
from conferences.services.admission import close_session
from conferences.services.streams import hide

logger = logging.getLogger(__name__)

# Younger than this, a hook may still be on its way.
YOUNG = timedelta(seconds=6)


def reconcile() -> int:
    """Bring both lists together; answers how many repairs that took.

    Clients that the media server lost are closed, clients that we do not know or have revoked are dropped,
    streams that show a picture without a seat for it are cut, sizes and bitrates are noted.

    Raises: MediaServerAway. Records: stream.removed and media.repaired; stream.refused.
    """
    snapshot = media_server().list_streams()
    now = timezone.now()
    repairs = {"ghost": _close_ghosts(snapshot, now), "stranger": _drop_strangers(snapshot)}
    _measure(snapshot, now)
    repairs["picture"] = _hide_stolen_pictures(snapshot)
    for repair, count in repairs.items():
        metrics.REPAIRS.labels(repair).inc(count)
    return sum(repairs.values())


def _close_ghosts(snapshot: Snapshot, now: datetime) -> int:
    listed = snapshot.clients
    open_sessions = MediaSession.objects.filter(closed_at=None, opened_at__lt=now - YOUNG)
    ghosts = [
        (session_id, conference_id)
        for session_id, conference_id, boot_id, client_id, name in open_sessions.values_list(
            "pk", "conference_id", "boot_id", "client_id", "stream__media_name"
        )
        if boot_id != snapshot.boot_id or (client_id, name) not in listed
    ]
    return sum(_close_ghost(*ghost) for ghost in ghosts)


def _close_ghost(session_id: int, conference_id: int) -> int:
    with changing_id(conference_id) as change:
        still_open = MediaSession.objects.filter(pk=session_id, closed_at=None)
        session = still_open.select_related("stream__member__user").first()
        if session is None:
            return 0
        data = {
            "session": session.pk,
            "stream": session.stream_id,
            "action": session.action,
            "repair": "closed",
        }
        change.record("media.repaired", system(), data=data)
        close_session(change, session)
    return 1


def _drop_strangers(snapshot: Snapshot) -> int:
    """Drop who is at the media server without a session of ours: a lost row, or somebody who came back."""
    known = set(
        MediaSession.objects.filter(boot_id=snapshot.boot_id, closed_at=None, revoked_at=None).values_list(
            "client_id", "stream__media_name"
        )
    )
    young = int(YOUNG.total_seconds() * 1000)
    strangers = [
        (client.id, stream.name)
        for stream in snapshot.streams
        for client in stream.clients
        if (client.id, stream.name) not in known and client.since_ms > young
    ]
    for client_id, name in strangers:
        logger.warning("dropping an unknown client %s of %s at the media server", client_id, name)
        media_server().drop_client(client_id, name)
    return len(strangers)


def _measure(snapshot: Snapshot, now: datetime) -> None:
    by_name = {stat.name: stat for stat in snapshot.streams}
    streams = list(Stream.objects.live().filter(media_name__in=by_name))
    for stream in streams:
        _note(stream, by_name[stream.media_name], now)
    fields = ["bytes_in", "bitrate", "width", "height", "measured_at"]
    Stream.objects.bulk_update(streams, fields, batch_size=500)


def _note(stream: Stream, stat: StreamStat, now: datetime) -> None:
    if stream.measured_at is not None and now > stream.measured_at:
        seconds = (now - stream.measured_at).total_seconds()
        stream.bitrate = max(0, round((stat.bytes_in - stream.bytes_in) * 8 / seconds))
    stream.bytes_in, stream.measured_at = stat.bytes_in, now
    stream.width, stream.height = stat.width or None, stat.height or None


def _hide_stolen_pictures(snapshot: Snapshot) -> int:
    # A publisher need not tell the size of its picture.
    pictures = [stat.name for stat in snapshot.streams if (stat.width or stat.video_codec) and stat.publisher]
    stolen = Stream.objects.live().filter(media_name__in=pictures, seat="", member__isnull=False)
    cut = 0
    for stream_id, conference_id in stolen.values_list("pk", "conference_id"):
        with changing_id(conference_id) as change:
            stream = Stream.objects.live().filter(pk=stream_id, seat="").select_related("member__user").first()
            if stream is not None:
                stream.conference = change.conference
                is_muted = stream.member is not None and Kind.VIDEO in stream.member.muted
                hide(change, stream, system(), code="muted" if is_muted else "videos_full")
                cut += 1
    return cut
