"""Processing: from what the recorder wrote to a file in the storage, and from the files of a take to a merged one.

Each run of the job holds a lease on its recording and renews it every second; a run that was killed loses it, and
another one begins anew. Whatever a run writes, it writes only while the lease is its own.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.actors import system
from accounts.errors import Busy
from conferences import metrics
from conferences.events import changing_id
from conferences.media import storage
from conferences.media.ffmpeg import FfmpegFailed, FfmpegStalled
from conferences.media.finisher import NothingToFinish, Piece, finish
from conferences.media.layouts import Rectangle
from conferences.media.merger import Canvas, Clip, merge
from conferences.media.recorder import segments
from conferences.media.storage import Kept, StorageFailed
from conferences.models import Recording, Stream, StreamType, Take
from conferences.services.recorder import folder_of
from conferences.services.recordings import keep_until, tell

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=20)
TICK_SECONDS = 1.0
CANDIDATES = 20
BUSY_TRIES = 30
LONGEST_WAIT = timedelta(hours=1)
FINISHED_PERCENT = 90  # the rest is the copy to the storage
# No second try would make more of it.
HOPELESS = frozenset({"nothing_recorded"})
NO_SPACE = os.strerror(errno.ENOSPC)  # as ffmpeg says it


class LeaseLost(Exception):
    """Another run has the recording, or it was deleted: what this one made is of no use."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file that was made, before it is stored."""

    seconds: float
    width: int
    height: int
    skipped: list[dict[str, str]]


def process_next() -> bool:
    """Make the file of one recording that is due, if there is any; answers whether there was.

    Records: recording.ready or recording.failed.
    """
    claimed = _claim()
    if claimed is None:
        return False
    folder = _work_folder(claimed)
    try:
        with _Lease(claimed) as lease:
            kept, made = _process(claimed, folder, lease)
            _ready(claimed, kept, made)
    except LeaseLost:
        logger.warning("%s is no longer ours to process", claimed)
    except (FfmpegFailed, StorageFailed, OSError) as error:
        logger.warning("%s could not be processed: %s", claimed, error)
        _failed(claimed, _code(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return True


def _process(recording: Recording, folder: Path, lease: _Lease) -> tuple[Kept, Made]:
    folder.mkdir(parents=True)
    target = folder / f"{recording.pk}.mp4"
    work = _merged if recording.kind == Recording.Kind.MERGED else _finished
    made = work(recording, target, lease)
    lease.tell(FINISHED_PERCENT)
    name = f"{recording.application_id}/{recording.conference.confr_id}/{recording.pk}-{recording.lease[:8]}.mp4"
    return storage.keep(target, name), made


# One stream


def _finished(recording: Recording, target: Path, lease: _Lease) -> Made:
    pieces = segments(folder_of(recording.pk))
    if not pieces:
        raise NothingToFinish("the recorder wrote nothing")
    start = pieces[0].began_at
    folder, take = folder_of(recording.pk), recording.take
    places = [
        Piece(folder / piece.name, _offset(take, start, piece.began_at), piece.seconds, piece.run) for piece in pieces
    ]
    done = finish(places, target, on_progress=lease.share)
    return Made(done.seconds, done.width, done.height, [_unreadable(path.name) for path in done.skipped])


def _offset(take: Take, start: float, moment: float) -> float:
    """Seconds from one moment to a later one, without the take's pauses."""
    return moment - start - take.paused_ms(round(start * 1000), round(moment * 1000)) / 1000


def _unreadable(name: str) -> dict[str, str]:
    return {"input": name, "code": "media_unreadable"}


# All streams of a take


def _merged(recording: Recording, target: Path, lease: _Lease) -> Made:
    streams = recording.take.recordings.kept().filter(kind=Recording.Kind.STREAM)
    rows = list(streams.select_related("member__user", "stream").order_by("started_at", "pk"))
    ready = [row for row in rows if row.state == Recording.State.READY and row.started_at]
    if not ready:
        raise NothingToFinish("no recording of the take is ready")
    paths = {row.pk: storage.fetch(row.storage_name, target.parent) for row in ready}
    start = min(row.started_at for row in ready if row.started_at).timestamp()
    clips = [
        Clip(paths[row.pk], _offset(recording.take, start, row.started_at.timestamp()), _owner(row))
        for row in ready
        if row.started_at
    ]
    done = merge(clips, target, canvas=_canvas(recording.take, rows), on_progress=lease.share)
    names = {path: str(pk) for pk, path in paths.items()}
    missing = [{"input": str(row.pk), "code": row.error_code} for row in rows if row not in ready]
    return Made(done.seconds, done.width, done.height, [*missing, *(_unreadable(names[path]) for path in done.skipped)])


def _owner(row: Recording) -> str:
    """Whose place it is seen at: a user who comes back, with another stream of the kind, is seen where he was."""
    assert row.member is not None
    assert row.stream is not None
    return f"{row.member.user_id}.{_type(row.stream)}"


def _type(stream: Stream) -> int:
    return StreamType.DESKTOP if stream.is_screen else StreamType.CAMERA


def _canvas(take: Take, rows: list[Recording]) -> Canvas:
    wishes: dict[str, Any] = take.canvas
    canvas = replace(Canvas(), **{name: wishes[name] for name in ("width", "height", "layout") if name in wishes})
    if "regions" not in wishes:
        return canvas
    regions = {
        (region["name"], region["type"]): Rectangle(region["x"], region["y"], region["width"], region["height"])
        for region in wishes["regions"]
    }
    places = {
        _owner(row): regions[row.member.user.name, _type(row.stream)]
        for row in rows
        if row.member and row.stream and (row.member.user.name, _type(row.stream)) in regions
    }
    return replace(canvas, layout=places)


# Leases


def _due(now: datetime) -> QuerySet[Recording]:
    """What may be taken up: a merged one when all of its take are settled, one at a time of a conference."""
    waits = Q(state=Recording.State.UPLOADING) & (Q(due_at=None) | Q(due_at__lte=now))
    was_left = Q(state=Recording.State.PROCESSING, leased_until__lt=now)
    siblings = Recording.objects.unsettled().filter(take=OuterRef("take"), kind=Recording.Kind.STREAM)
    running = Recording.objects.filter(
        conference=OuterRef("conference"), state=Recording.State.PROCESSING, leased_until__gte=now
    )
    due = Recording.objects.kept().filter(waits | was_left).exclude(Exists(running))
    return due.exclude(Q(kind=Recording.Kind.MERGED) & Exists(siblings))


def _claim() -> Recording | None:
    candidates = _due(timezone.now()).order_by("due_at", "pk").values_list("pk", "conference_id")
    for recording_id, conference_id in candidates[:CANDIDATES]:
        with changing_id(conference_id) as change:
            found = _due(change.now).select_related("application", "conference", "take", "member__user")
            recording = found.filter(pk=recording_id).first()
            if recording is None:
                continue
            recording.state, recording.lease = Recording.State.PROCESSING, secrets.token_hex(16)
            recording.leased_until, recording.progress = change.now + LEASE, 0
            recording.attempts += 1
            recording.save(update_fields=["state", "lease", "leased_until", "progress", "attempts"])
        if recording.attempts <= settings.RECORDING_ATTEMPTS:
            return recording
        _failed(recording, "worker_killed")
    return None


class _Lease:
    """Renews the lease of a run and notes its progress, once a second, in a thread with a connection of its own."""

    def __init__(self, recording: Recording) -> None:
        self._recording, self._percent = recording, 0
        self._over, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def share(self, done: float) -> None:
        """So much of the file is made, from 0 to 1. Raises: LeaseLost."""
        self.tell(round(done * FINISHED_PERCENT))

    def tell(self, percent: int) -> None:
        """Raises: LeaseLost."""
        self._percent = percent
        if self._lost.is_set():
            raise LeaseLost

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        try:
            while not self._over.wait(TICK_SECONDS) and not self._lost.is_set():
                self._renew()
        finally:
            connection.close()

    def _renew(self) -> None:
        try:
            renewed = ours(self._recording).update(progress=self._percent, leased_until=timezone.now() + LEASE)
        except DatabaseError as error:
            logger.warning("the lease of %s is not renewed: %s", self._recording, type(error).__name__)
            connection.close()
            return
        if not renewed:
            self._lost.set()


def ours(recording: Recording) -> QuerySet[Recording]:
    """The row, as long as the lease that `recording` was claimed with stands."""
    processing = Recording.objects.kept().filter(state=Recording.State.PROCESSING)
    return processing.filter(pk=recording.pk, lease=recording.lease)


# Endings


def _ready(recording: Recording, kept: Kept, made: Made) -> None:
    """Note the stored file. Raises: LeaseLost. Records: recording.ready."""
    if not _patiently(lambda: _note(recording, kept, made)):
        storage.delete(kept.name)
        raise LeaseLost
    metrics.RECORDINGS.labels(recording.kind, "ready").inc()
    shutil.rmtree(folder_of(recording.pk), ignore_errors=True)


def _note(recording: Recording, kept: Kept, made: Made) -> bool:
    """Whether it was still ours to note."""
    with changing_id(recording.conference_id) as change:
        noted = ours(recording).update(
            state=Recording.State.READY, progress=100, error_code="", ready_at=change.now, leased_until=None,
            storage_name=kept.name, size=kept.size, checksum=kept.checksum, skipped=made.skipped,
            duration_ms=round(made.seconds * 1000), width=made.width, height=made.height,
            keep_until=keep_until(recording, change.now),
        )  # fmt: skip
        if noted:
            data = tell(recording) | {"size": kept.size, "duration_ms": round(made.seconds * 1000)}
            change.record("recording.ready", system(), data=data, personal=_names(recording))
    return bool(noted)


def _patiently(act: Callable[[], bool]) -> bool:
    """A conference whose lock others hold is waited for: hours of work are not given up for two seconds."""
    for _ in range(BUSY_TRIES):
        try:
            return act()
        except Busy:
            time.sleep(TICK_SECONDS)
    return act()


def _failed(recording: Recording, code: str) -> None:
    """Try again later, or give up; what the recorder wrote stays. Records: recording.failed when given up."""
    with changing_id(recording.conference_id) as change:
        row = ours(recording).select_related("application", "member__user").first()
        if row is None:
            return
        row.error_code, row.leased_until, row.progress = code, None, 0
        if code in HOPELESS or row.attempts >= settings.RECORDING_ATTEMPTS:
            row.state, row.keep_until = Recording.State.FAILED, keep_until(row, change.now)
            change.record("recording.failed", system(), data=tell(row) | {"code": code}, personal=_names(row))
            metrics.RECORDINGS.labels(row.kind, "failed").inc()
        else:
            row.state, row.due_at = Recording.State.UPLOADING, change.now + _wait(row.attempts)
        row.save(update_fields=["state", "error_code", "leased_until", "progress", "due_at", "keep_until"])


def _wait(attempts: int) -> timedelta:
    wait: timedelta = settings.RECORDING_RETRY * 4 ** (attempts - 1)
    return min(wait, LONGEST_WAIT)


def _code(error: Exception) -> str:
    match error:
        case NothingToFinish():
            return "nothing_recorded"
        case FfmpegStalled():
            return "media_stalled"
        case FfmpegFailed() if NO_SPACE in str(error):
            return "disk_full"
        case FfmpegFailed():
            return "media_unreadable"
        case StorageFailed():
            return "storage_failed"
        case OSError() if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return "disk_full"
        case _:
            return "machine_failed"


def _names(recording: Recording) -> dict[str, str]:
    return {"name": recording.member.user.name} if recording.member else {}


def _work_folder(recording: Recording) -> Path:
    """Where this run works; what killed runs left is removed."""
    works = Path(settings.RECORDINGS_DIR, "work")
    for left in works.glob(f"{recording.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)
    return works / f"{recording.pk}-{recording.lease[:8]}"
