"""What the recorder asks and tells: which streams it should record now, and what it wrote of each.

Everything may be told twice. That one recorder at a time writes a stream is the claims' business; what comes after
`ended` is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from conferences import delivery
from conferences.events import changing_id
from conferences.media.recorder import segments
from conferences.models import Conference, MediaSession, Recording, Stream, StreamType, millis
from conferences.services.takes import running_take

# What follows a pause so soon belongs to it: where a short run began is known to a second or two.
RESUMING = timedelta(seconds=2)
# When a piece ended is reckoned from its pictures, and may be later than by the clock.
RECKONED = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A live stream that should be recorded now; `recording` is what there is of it already, in this take."""

    stream: int
    media_name: str
    conference: int
    recording: int | None


def wanted() -> list[Wanted]:
    """Every live stream of a conference that is being recorded and not paused, in one statement."""
    streams = Stream.objects.live().filter(
        conference__state=Conference.State.LIVE, conference__rec=True, conference__rec_paused=False
    )
    begun = Recording.objects.recording().filter(stream=OuterRef("pk"), take__ended_at=None).values("pk")
    found = streams.exclude(type=StreamType.MIX).annotate(begun=Subquery(begun)).order_by("pk")
    return [Wanted(*row) for row in found.values_list("pk", "media_name", "conference_id", "begun")]


def began(*, stream: int, at: datetime) -> int | None:
    """The recorder is about to write a stream, from `at` on: the id of its recording, made at the first time.

    None when it is wanted no longer: then nothing may be written.
    """
    conference_id = Stream.objects.values_list("conference_id", flat=True).get(pk=stream)
    with changing_id(conference_id) as change:
        live = Stream.objects.live().filter(pk=stream).exclude(type=StreamType.MIX).first()
        take = running_take(change.conference)
        if live is None or take is None or change.conference.rec_paused:
            return None
        recording, _ = Recording.objects.get_or_create(
            take=take,
            stream=live,
            kind=Recording.Kind.STREAM,
            defaults={
                "application_id": change.conference.application_id,
                "conference": change.conference,
                "member_id": live.member_id,
                "started_at": at,
            },
        )
    return recording.pk if recording.state == Recording.State.RECORDING else None


def folder_of(recording: int) -> Path:
    """Where the recorder writes the pieces of a recording (conferences/media/recorder.py). It makes the folder; the
    job that makes the file removes it."""
    return Path(settings.RECORDINGS_DIR, "pieces", str(recording))


@transaction.atomic
def wrote(*, recording: int) -> bool:
    """There is more in the folder of a recording. Answers whether it still counts."""
    row = _locked(recording)
    if row is None:
        return False
    _measure(row)
    row.save(update_fields=["size", "duration_ms", "started_at", "ended_at"])
    return True


@transaction.atomic
def gap(*, recording: int, since: datetime, until: datetime, cause: str) -> None:
    """Nothing was written between two moments though the stream was wanted. `cause` is one word: worker,
    media_server or publisher. Told again with another end, it grows."""
    row = _locked(recording)
    if row is None:
        return
    found = {"from": millis(since), "until": millis(until), "cause": cause}
    row.gaps = sorted([*(each for each in row.gaps if each["from"] != found["from"]), found], key=lambda g: g["from"])
    row.save(update_fields=["gaps"])


def missed(*, recording: int, since: datetime, until: datetime) -> None:
    """The recorder was not there between two moments: a gap, unless the recording was paused meanwhile."""
    row = Recording.objects.select_related("take", "stream").get(pk=recording)
    earliest = millis(since - RESUMING)
    if not any(start < millis(until) and (end or start) >= earliest for start, end in row.take.pauses):
        gap(recording=recording, since=since, until=until, cause=_why_missed(row.stream, since, until))


def _why_missed(stream: Stream | None, since: datetime, until: datetime) -> str:
    publishes = MediaSession.objects.filter(stream=stream, action=MediaSession.Action.PUBLISH, opened_at__lte=until)
    last = list(publishes.order_by("-opened_at").values_list("opened_at", "boot_id")[:2])
    if len(last) < 2 or last[0][0] < since - RECKONED:
        return "worker"
    return "publisher" if len({boot_id for _, boot_id in last}) == 1 else "media_server"


def over() -> dict[int, int]:
    """The recordings to which nothing will be added, with their streams: their take is over, or their stream is for
    good. Whoever has claimed the stream, once nothing writes in the folder any more, says `ended`."""
    growing = Recording.objects.recording()
    finished = Q(take__ended_at__isnull=False) | Q(stream__state=Stream.State.ENDED)
    return dict(growing.filter(finished).order_by("pk").values_list("pk", "stream_id"))


def ended(*, recording: int) -> None:
    """The folder of a recording that is over is complete: its file may be made."""
    with transaction.atomic():
        row = _locked(recording)
        if row is None:
            return
        _measure(row)
        row.ended_at = row.ended_at or timezone.now()
        row.state, row.due_at = Recording.State.UPLOADING, timezone.now()
        row.save(update_fields=["state", "size", "duration_ms", "started_at", "ended_at", "due_at"])
        transaction.on_commit(lambda: delivery.enqueue("process_recordings", queue="media"))


def _measure(row: Recording) -> None:
    pieces = segments(folder_of(row.pk))
    row.size = sum(piece.size for piece in pieces)
    row.duration_ms = round(sum(piece.seconds for piece in pieces) * 1000)
    if pieces:
        row.started_at = datetime.fromtimestamp(pieces[0].began_at, UTC)
        row.ended_at = datetime.fromtimestamp(pieces[-1].began_at + pieces[-1].seconds, UTC)


def _locked(recording: int) -> Recording | None:
    """The recording, as long as it may grow."""
    return Recording.objects.recording().select_for_update().filter(pk=recording).first()
