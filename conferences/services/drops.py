"""Drops: having the media server cut clients who may no longer be there, until it agrees that they are gone."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from conferences import delivery, metrics
from conferences.events import Change
from conferences.media.base import MediaServerAway, Snapshot, media_server
from conferences.models import MediaSession, Stream

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 8.0
# A hook that said yes is answered within 4 s: later than this no leave given before can still come alive.
LEAVE_LIFE = timedelta(seconds=5)

# Beside the request that ordered the drop: its answer does not wait for the media server.
_POOL = ThreadPoolExecutor(max_workers=2, thread_name_prefix="drops")


def order(change: Change, which: Q) -> None:
    """Revoke these open media sessions, and have them dropped after commit."""
    sessions = MediaSession.objects.filter(which, conference=change.conference, closed_at=None, revoked_at=None)
    if sessions.update(revoked_at=change.now):
        begin()


def begin() -> None:
    """Drop the revoked sessions as soon as the open transaction is committed, beside it in this process.

    The job `drop_revoked_media` does the same, should the process die.
    """
    transaction.on_commit(lambda: _POOL.submit(_drop_beside), robust=True)
    transaction.on_commit(lambda: delivery.enqueue("drop_revoked_media"), robust=True)


def _drop_beside() -> None:
    try:
        drop_revoked()
    finally:
        connection.close()


def drop_revoked(*, patience: float = PATIENCE_SECONDS) -> int:
    """Cut revoked clients, again every 200 ms until the media server no longer lists them.

    Whoever is revoked meanwhile is cut at the next turn, so that no kick waits for the end of another. Gives up
    after `patience` seconds, or when the media server is away. Answers how many are left.
    """
    revoked = MediaSession.objects.filter(closed_at=None, revoked_at__isnull=False)
    deadline = time.monotonic() + patience
    absent: set[int] = set()  # who was not listed at the last look, and may only come alive again
    while sessions := list(revoked.select_related("stream").order_by("-action", "pk")):
        try:
            _cut([session for session in sessions if session.pk not in absent])
            absent = _close_the_gone(sessions, media_server().list_streams())
        except MediaServerAway:
            logger.warning("the media server is away: %d clients are still to be dropped", len(sessions))
            return len(sessions)
        if time.monotonic() > deadline:
            return len(sessions)
        time.sleep(AGAIN_SECONDS)
    return 0


def _cut(sessions: list[MediaSession]) -> None:
    for session in sessions:
        if media_server().drop_client(session.client_id, session.stream.media_name) and session.revoked_at:
            metrics.KICKS.observe((timezone.now() - session.revoked_at).total_seconds())


def _close_the_gone(sessions: list[MediaSession], snapshot: Snapshot) -> set[int]:
    """Answer whose client is not listed, and close those of them that can no longer come to be."""
    now, listed = timezone.now(), snapshot.clients
    absent = [
        session
        for session in sessions
        if session.boot_id != snapshot.boot_id or (session.client_id, session.stream.media_name) not in listed
    ]
    over = [
        session.pk
        for session in absent
        if (session.boot_id != snapshot.boot_id or session.opened_at + LEAVE_LIFE < now)
        and not _is_in_the_room(session)
    ]
    MediaSession.objects.filter(pk__in=over).update(closed_at=now)
    return {session.pk for session in absent}


def _is_in_the_room(session: MediaSession) -> bool:
    """Whether its stream is told to be live. Its goodbye or the reconciler takes it out of the room and closes both."""
    return session.action == MediaSession.Action.PUBLISH and session.stream.state == Stream.State.LIVE
