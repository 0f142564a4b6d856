"""Take: from the start of a conference's recording to its stop. Recording: one file of a take."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Application
from conferences.models.conference import Conference
from conferences.models.member import Member
from conferences.models.stream import Stream


class StopReason(models.TextChoices):
    """Why a take is over."""

    REQUESTED = "requested", _("stopped on request")
    CONFERENCE_CLOSED = "conference_closed", _("the conference ended")
    QUOTA_REACHED = "quota_reached", _("the application has used up its space")
    DISK_FULL = "disk_full", _("the disk is full")


class Take(models.Model):
    """From the start of a conference's recording to its stop: what becomes one merged file.

    `pauses` are the times that are in no file, `[from, until]` in milliseconds since the epoch; the last one is
    open while the take is paused. `canvas` says how the merged file looks: width, height, layout (grid, speaker) or
    regions ({"name", "type", "x", "y", "width", "height"}); what is not in it is as usual.
    """

    conference = models.ForeignKey(Conference, models.CASCADE, related_name="takes")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=20, choices=StopReason.choices, blank=True)
    pauses = models.JSONField(default=list, blank=True)
    canvas = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("take")
        verbose_name_plural = _("takes")
        constraints = [
            models.UniqueConstraint(
                fields=["conference"], condition=models.Q(ended_at=None), name="take_running_unique"
            )
        ]

    def __str__(self) -> str:
        return f"take {self.pk}"

    def paused_ms(self, since: int, until: int) -> int:
        """How much of a time it was paused, all in milliseconds since the epoch."""
        pauses = ((start, until if end is None else end) for start, end in self.pauses)
        return sum(max(0, min(end, until) - max(start, since)) for start, end in pauses)

    def pause(self, now: datetime) -> None:
        self.pauses.append([millis(now), None])

    def resume(self, now: datetime) -> None:
        if self.pauses and self.pauses[-1][1] is None:
            self.pauses[-1][1] = millis(now)


def millis(moment: datetime) -> int:
    """Milliseconds since the epoch: times within JSON."""
    return round(moment.timestamp() * 1000)


class RecordingQuerySet(models.QuerySet["Recording"]):
    def kept(self) -> RecordingQuerySet:
        """Those that were not deleted."""
        return self.filter(deleted_at=None)

    def recording(self) -> RecordingQuerySet:
        """Those that may still grow."""
        return self.filter(state=Recording.State.RECORDING, deleted_at=None)

    def unsettled(self) -> RecordingQuerySet:
        """Those of which nobody knows yet what they will be."""
        return self.kept().exclude(state__in=(Recording.State.READY, Recording.State.FAILED))


class Recording(models.Model):
    """One file of a take: of one stream, or all of them merged.

    RECORDING: the recorder may add pieces to its folder. UPLOADING: they are handed over, and wait for their turn.
    PROCESSING: a job makes the file, copies it to the storage and verifies the copy; `lease` says which run of the
    job may write. READY, or FAILED with `error_code` once all tries are used up.
    """

    class Kind(models.TextChoices):
        STREAM = "stream", _("one stream")
        MERGED = "merged", _("merged")

    class State(models.TextChoices):
        RECORDING = "recording", _("recording")
        UPLOADING = "uploading", _("uploading")
        PROCESSING = "processing", _("processing")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    application = models.ForeignKey(Application, models.CASCADE, related_name="recordings")
    conference = models.ForeignKey(Conference, models.CASCADE, related_name="recordings")
    take = models.ForeignKey(Take, models.CASCADE, related_name="recordings")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.STREAM)
    stream = models.ForeignKey(Stream, models.CASCADE, null=True, blank=True, related_name="recordings")  # null: merged
    member = models.ForeignKey(Member, models.CASCADE, null=True, blank=True, related_name="recordings")
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RECORDING)

    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    # Times without a picture and sound that should be there: {"from", "until", "cause"}, in milliseconds.
    gaps = models.JSONField(default=list, blank=True)
    size = models.BigIntegerField(_("bytes"), default=0)
    duration_ms = models.PositiveIntegerField(default=0)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    checksum = models.CharField(_("SHA-256"), max_length=64, blank=True)
    storage_name = models.CharField(max_length=200, blank=True)

    progress = models.PositiveSmallIntegerField(_("progress, %"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error_code = models.CharField(_("why it failed"), max_length=48, blank=True)
    # What could not be used of its inputs, pieces or recordings: {"input", "code"}.
    skipped = models.JSONField(default=list, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)  # when the job may try next
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)

    legal_hold = models.BooleanField(_("legal hold"), default=False)
    keep_until = models.DateTimeField(_("kept until"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(_("ready"), null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        constraints = [
            models.UniqueConstraint(
                fields=["take", "stream"], condition=models.Q(kind="stream"), name="recording_stream_unique"
            ),
            models.UniqueConstraint(fields=["take"], condition=models.Q(kind="merged"), name="recording_merged_unique"),
        ]
        indexes = [
            models.Index(fields=["application", "-id"], name="recording_by_application"),
            models.Index(
                fields=["state"], condition=~models.Q(state__in=("ready", "failed")), name="recording_unsettled"
            ),
            models.Index(fields=["keep_until"], condition=models.Q(deleted_at=None), name="recording_keep_until"),
        ]

    def __str__(self) -> str:
        return f"recording {self.pk}"

    @property
    def duration(self) -> timedelta:
        return timedelta(milliseconds=self.duration_ms)
