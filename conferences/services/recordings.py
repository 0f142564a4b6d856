"""Recordings: listed, held, tried again, deleted. How they come about stands in takes, recorder and processing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.actors import Actor, system
from conferences import delivery, metrics
from conferences.errors import RecordingHeld, RecordingNotFailed, RecordingNotFound, RecordingUnfinished
from conferences.events import Change, changing_id
from conferences.media import storage
from conferences.media.storage import StorageFailed
from conferences.models import Conference, Recording, StopReason
from conferences.permissions import Action, require
from conferences.services.access import authorise_reading, find_readable, role_of
from conferences.services.recorder import folder_of
from conferences.services.takes import is_disk_full, is_over_quota, stop_take

logger = logging.getLogger(__name__)

BATCH = 100


# Questions


def list_recordings(*, actor: Actor, confr_id: str | None = None) -> QuerySet[Recording]:
    """The recordings of a conference, or of the whole application, which a user may not ask for.

    Raises: ConferenceNotFound, NotAllowed, ScopeMissing.
    """
    if confr_id is None:
        require(actor, Action.LIST_RECORDINGS)
        return _visible(actor)
    conference = find_readable(actor, confr_id, Action.LIST_RECORDINGS)
    return _visible(actor).filter(conference=conference)


def get_recording(*, actor: Actor, recording_id: int) -> Recording:
    """One recording. Raises: RecordingNotFound, also for another tenant's; NotAllowed, ScopeMissing."""
    recording = _visible(actor).filter(pk=recording_id).first()
    if recording is None:
        raise RecordingNotFound()
    authorise_reading(actor, Action.LIST_RECORDINGS, recording.conference)
    return recording


def _visible(actor: Actor) -> QuerySet[Recording]:
    rows = Recording.objects.kept().select_related("conference", "stream__member", "member__user")
    return rows if actor.application_id is None else rows.filter(application_id=actor.application_id)


# Commands


def retry_recording(*, actor: Actor, recording_id: int, reason: str = "") -> Recording:
    """Try again to make the file of a recording that failed.

    Raises: RecordingNotFound, NotAllowed, RecordingNotFailed. Records: recording.retried.
    """
    with _changing(actor, recording_id, Action.RECORD) as (change, recording):
        if recording.state != Recording.State.FAILED:
            raise RecordingNotFailed()
        recording.state, recording.due_at = Recording.State.UPLOADING, change.now
        recording.attempts, recording.progress, recording.error_code = 0, 0, ""
        recording.save(update_fields=["state", "due_at", "attempts", "progress", "error_code"])
        change.record("recording.retried", actor, data=tell(recording), reason=reason)
        transaction.on_commit(lambda: delivery.enqueue("process_recordings", queue="media"))
    return recording


def hold_recording(*, actor: Actor, recording_id: int, hold: bool, reason: str = "") -> Recording:
    """Put a recording under legal hold, or release it: meanwhile nobody deletes it, and it does not expire.

    Raises: RecordingNotFound, NotAllowed. Records: recording.held, unless it was so already.
    """
    with _changing(actor, recording_id, Action.HOLD_RECORDING) as (change, recording):
        if recording.legal_hold != hold:
            recording.legal_hold = hold
            recording.save(update_fields=["legal_hold"])
            change.record("recording.held", actor, data=tell(recording) | {"hold": hold}, reason=reason)
    return recording


def delete_recording(*, actor: Actor, recording_id: int, reason: str = "") -> None:
    """Delete a recording for good. Its file goes after the commit.

    Raises: RecordingNotFound, NotAllowed, RecordingHeld, RecordingUnfinished. Records: recording.deleted.
    """
    with _changing(actor, recording_id, Action.DELETE_RECORDING) as (change, recording):
        if recording.legal_hold:
            raise RecordingHeld()
        if recording.state not in {Recording.State.READY, Recording.State.FAILED}:
            raise RecordingUnfinished(state=recording.state)
        recording.deleted_at = change.now
        recording.save(update_fields=["deleted_at"])
        size = {"size": recording.size, "checksum": recording.checksum}
        change.record("recording.deleted", actor, data=tell(recording) | size, reason=reason)
        transaction.on_commit(lambda: delivery.enqueue("tidy_recordings"))


@contextmanager
def _changing(actor: Actor, recording_id: int, action: Action) -> Iterator[tuple[Change, Recording]]:
    """One recording under its conference's lock, over or not. Raises: RecordingNotFound, NotAllowed, ScopeMissing."""
    conference_id = _visible(actor).filter(pk=recording_id).values_list("conference_id", flat=True).first()
    if conference_id is None:
        raise RecordingNotFound()
    with changing_id(conference_id) as change:
        require(actor, action, role_of(actor, change.conference))
        recording = _visible(actor).select_for_update(of=("self",)).filter(pk=recording_id).first()
        if recording is None:
            raise RecordingNotFound()
        recording.conference = change.conference
        yield change, recording


def tell(recording: Recording) -> dict[str, object]:
    """A recording as facts tell it; member 0: all of them."""
    member = recording.member.number if recording.member else 0
    return {"recording": recording.pk, "kind": recording.kind, "member": member}


# What nobody asks for


def expire_recordings() -> int:
    """Delete what has been kept long enough; answers how many. Records: recording.deleted."""
    expired = Recording.objects.kept().filter(keep_until__lte=timezone.now(), legal_hold=False)
    settled = expired.filter(state__in=(Recording.State.READY, Recording.State.FAILED)).order_by("keep_until")
    deleted = 0
    for recording_id in settled.values_list("pk", flat=True)[:BATCH]:
        try:
            delete_recording(actor=system(), recording_id=recording_id, reason="retention")
        except (RecordingHeld, RecordingUnfinished, RecordingNotFound):  # somebody was quicker
            continue
        deleted += 1
    return deleted


def remove_recordings() -> int:
    """Remove the files of deleted recordings, and then their rows; answers how many. What the storage refuses is
    tried again at the next turn."""
    removed = 0
    for recording in Recording.objects.exclude(deleted_at=None).order_by("deleted_at")[:BATCH]:
        shutil.rmtree(folder_of(recording.pk), ignore_errors=True)
        try:
            if recording.storage_name:
                storage.delete(recording.storage_name)
        except StorageFailed as error:
            logger.warning("the file of %s is not removed yet: %s", recording, error)
            continue
        recording.delete()
        removed += 1
    return removed


def guard_space() -> None:
    """Stop recording where space runs out: everywhere when the disk is full, or for one application.

    Records: recording.stopped.
    """
    recorded = Conference.objects.filter(state=Conference.State.LIVE, rec=True).select_related("application")
    is_full = is_disk_full()
    metrics.RECORDING_DISK_FULL.set(is_full)
    over = {} if is_full else {one.application_id: is_over_quota(one.application) for one in recorded}
    for conference in recorded:
        if is_full or over[conference.application_id]:
            _stop(conference.pk, StopReason.DISK_FULL if is_full else StopReason.QUOTA_REACHED)


def _stop(conference_id: int, why: StopReason) -> None:
    with changing_id(conference_id) as change:
        if change.conference.rec and change.conference.state == Conference.State.LIVE:
            logger.error("conference %s is recorded no longer: %s", change.conference.confr_id, why.value)
            metrics.RECORDINGS_CUT.labels(why.value).inc()
            stop_take(change, system(), why)


def keep_until(recording: Recording, now: datetime) -> datetime | None:
    """When a recording that is finished now expires; None: never."""
    own = recording.application.recording_days
    days = settings.RECORDING_DAYS if own is None else own
    return now + timedelta(days=days) if days else None


def remove_leftovers() -> None:
    """Remove pieces of which a file was made already: whoever should have, was killed."""
    folders = {int(folder.name): folder for folder in folder_of(0).parent.glob("*") if folder.name.isdecimal()}
    ready = Recording.objects.filter(pk__in=folders, state=Recording.State.READY)
    for recording_id in ready.values_list("pk", flat=True):
        shutil.rmtree(folders[recording_id], ignore_errors=True)
