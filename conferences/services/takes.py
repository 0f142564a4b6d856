"""Takes: recording a conference is started, paused, resumed and stopped. What is written meanwhile is the recorder's
business."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import Sum

from accounts.actors import Actor
from accounts.models import Application
from conferences.errors import RecordingDiskFull, RecordingFolderAway, RecordingOff, RecordingQuotaReached
from conferences.events import Change, changing
from conferences.models import Conference, Recording, StopReason, Take
from conferences.permissions import Action
from conferences.services.access import authorise

logger = logging.getLogger(__name__)


def start_recording(
    *,
    actor: Actor,
    confr_id: str,
    merge: bool | None = None,
    canvas: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Conference:
    """Record every live stream of the conference from now on; where it is recorded already, nothing happens.

    `merge`: whether all become one file at the end, as the conference says when it is None; `canvas`: how it looks
    (`Take.canvas`).

    Raises: NotAllowed, ConferenceClosed, RecordingQuotaReached, RecordingDiskFull, RecordingFolderAway.
    Records: recording.started.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.RECORD)
        if running_take(change.conference) is None:
            change.conference.rec_merge = change.conference.rec_merge if merge is None else merge
            begin_take(change, actor, canvas=canvas, reason=reason)
    return change.conference


def stop_recording(*, actor: Actor, confr_id: str, reason: str = "") -> Conference:
    """End the take: its files are finished, and merged where that is wished. Nothing happens where there is none.

    Raises: NotAllowed, ConferenceClosed. Records: recording.stopped.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.RECORD)
        if change.conference.rec:
            stop_take(change, actor, StopReason.REQUESTED, note=reason)
    return change.conference


def pause_recording(*, actor: Actor, confr_id: str, reason: str = "") -> Conference:
    """Leave what follows out of the take, until it is resumed. A paused one stays as it is.

    Raises: NotAllowed, ConferenceClosed, RecordingOff. Records: recording.paused.
    """
    with changing(actor, confr_id) as change:
        take = _running(change, actor)
        if not change.conference.rec_paused:
            take.pause(change.now)
            take.save(update_fields=["pauses"])
            change.conference.rec_paused = True
            change.record("recording.paused", actor, data={"take": take.pk}, reason=reason)
    return change.conference


def resume_recording(*, actor: Actor, confr_id: str, reason: str = "") -> Conference:
    """Go on with a paused take. One that is not paused stays as it is.

    Raises: NotAllowed, ConferenceClosed, RecordingOff. Records: recording.resumed.
    """
    with changing(actor, confr_id) as change:
        take = _running(change, actor)
        if change.conference.rec_paused:
            take.resume(change.now)
            take.save(update_fields=["pauses"])
            change.conference.rec_paused = False
            change.record("recording.resumed", actor, data={"take": take.pk}, reason=reason)
    return change.conference


def _running(change: Change, actor: Actor) -> Take:
    authorise(change, actor, Action.RECORD)
    take = running_take(change.conference)
    if take is None:
        raise RecordingOff()
    return take


def running_take(conference: Conference) -> Take | None:
    return Take.objects.filter(conference=conference, ended_at=None).first()


def begin_take(change: Change, actor: Actor, *, canvas: Mapping[str, Any] | None = None, reason: str = "") -> None:
    """Begin to record in an open change.

    Raises: RecordingQuotaReached, RecordingDiskFull, RecordingFolderAway. Records: recording.started.
    """
    require_space(change.conference.application)
    change.conference.rec, change.conference.rec_paused = True, False
    take = Take.objects.create(conference=change.conference, started_at=change.now, canvas=dict(canvas or {}))
    change.record("recording.started", actor, data={"take": take.pk}, reason=reason)


def stop_take(change: Change, actor: Actor, why: StopReason, *, note: str = "") -> None:
    """End the running take in an open change, and tell it. Records: recording.stopped."""
    take = end_take(change, why)
    change.conference.rec = change.conference.rec_paused = False
    change.record("recording.stopped", actor, data={"take": take, "reason": why.value}, reason=note)


def end_take(change: Change, why: StopReason) -> int | None:
    """End the running take in an open change, and order the merged file; answers which it was.

    The recorder, which finds it over, hands the last segments in.
    """
    conference = change.conference
    take = running_take(conference)
    if take is None:
        return None
    take.resume(change.now)
    take.ended_at, take.stop_reason = change.now, why
    take.save(update_fields=["pauses", "ended_at", "stop_reason"])
    if conference.rec_merge and take.recordings.kept().exists():
        Recording.objects.create(
            application_id=conference.application_id,
            conference=conference,
            take=take,
            kind=Recording.Kind.MERGED,
            state=Recording.State.UPLOADING,
        )
    return take.pk


# Space


def require_space(application: Application) -> None:
    """Raises: RecordingQuotaReached, RecordingDiskFull, RecordingFolderAway."""
    if is_over_quota(application):
        raise RecordingQuotaReached(maximum=application.max_recording_bytes)
    try:
        is_full = is_disk_full()
    except OSError as error:
        logger.error("the folder for recordings cannot be used: %s", error)
        raise RecordingFolderAway() from error
    if is_full:
        raise RecordingDiskFull()


def is_over_quota(application: Application) -> bool:
    limit = application.max_recording_bytes
    return limit is not None and used_bytes(application.pk) >= limit


def used_bytes(application_id: int) -> int:
    """What an application's recordings take, those that are being made included."""
    kept = Recording.objects.kept().filter(application_id=application_id)
    return kept.aggregate(used=Sum("size"))["used"] or 0


def is_disk_full() -> bool:
    """Whether less is free where recordings are made than must stay free. Raises: OSError."""
    settings.RECORDINGS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    return bool(shutil.disk_usage(settings.RECORDINGS_DIR).free < settings.RECORDING_MIN_FREE_BYTES)
