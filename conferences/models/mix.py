"""Mix: many streams of a conference that become one, as a stream of the conference that is no member's."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from conferences.models.conference import Conference
from conferences.models.stream import Stream


class MixQuerySet(models.QuerySet["Mix"]):
    def running(self) -> MixQuerySet:
        return self.filter(state=Mix.State.RUNNING)


class Mix(models.Model):
    """What is mixed, and how it looks. RUNNING is what is wanted; whether it can be seen now, its stream says.

    `layout` places the inputs; "" where each has a rectangle of its own. Without `inputs` a layout shows every live
    stream. An input is named by its wire id, so that who comes back with the same one is seen again.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        FAILED = "failed", _("failed")

    class Layout(models.TextChoices):
        CUSTOM = "", _("rectangles")
        GRID = "grid", _("grid")
        SPEAKER = "speaker", _("speaker")

    class StopReason(models.TextChoices):
        REQUESTED = "requested", _("on request")
        STREAM_STOPPED = "stream_stopped", _("its stream was stopped")
        INPUTS_GONE = "inputs_gone", _("all inputs were gone for a while")
        CONFERENCE_CLOSED = "conference_closed", _("the conference ended")
        NOT_PUBLISHED = "not_published", _("it could not be published")

    conference = models.ForeignKey(Conference, models.CASCADE, related_name="mixes")
    stream = models.OneToOneField(Stream, models.CASCADE, related_name="mix")
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RUNNING)
    stop_reason = models.CharField(max_length=20, choices=StopReason.choices, blank=True)
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    fps = models.PositiveSmallIntegerField()
    bitrate = models.PositiveIntegerField(_("bitrate, bit/s"))
    background = models.PositiveIntegerField(default=0)  # 0xRRGGBB
    layout = models.CharField(max_length=8, choices=Layout.choices, blank=True)
    inputs = models.JSONField(default=list)  # {"stream", "x", "y", "width", "height", "layer", "fit"}
    missing = ArrayField(models.CharField(max_length=80), default=list, blank=True)  # inputs that bring nothing now
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = MixQuerySet.as_manager()

    class Meta:
        verbose_name = _("mix")
        verbose_name_plural = _("mixes")
        indexes = [
            models.Index(fields=["state"], condition=models.Q(state="running"), name="mix_running"),
            models.Index(fields=["conference"], name="mix_by_conference"),
        ]

    def __str__(self) -> str:
        return f"mix {self.pk}"
