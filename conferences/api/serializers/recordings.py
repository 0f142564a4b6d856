"""Recordings on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from conferences.api.serializers.base import Choice, Flag, Shape, Text, Time, Whole
from conferences.api.serializers.conferences import Reason
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.models import Recording, StreamType
from conferences.services.links import link

LARGEST_SIDE = 1920
LAYOUTS = ("grid", "speaker")


class Region(Shape):
    """Where one member's picture lies in the merged file, in pixels. All numbers are even."""

    memName = Text(200, source="name")
    type = Choice(StreamType, default=StreamType.CAMERA)
    x = Whole(0, LARGEST_SIDE)
    y = Whole(0, LARGEST_SIDE)
    width = Whole(2, LARGEST_SIDE)
    height = Whole(2, LARGEST_SIDE)


class RecordingStart(Shape):
    """What `startRecording` takes. With `regions`, who has none is heard only."""

    EXAMPLE = {"merge": True, "layout": "grid", "width": 1280, "height": 720, "reason": "lesson 4"}

    merge = Flag(required=False, help_text="One file of all at the end; left out: as the conference says.")
    layout = serializers.ChoiceField(LAYOUTS, required=False)
    width = Whole(160, LARGEST_SIDE, default=1280)
    height = Whole(120, LARGEST_SIDE, default=720)
    regions = serializers.ListField(child=Region(), max_length=50, allow_empty=False, required=False)
    reason = Text(200, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        width, height = attrs["width"], attrs["height"]
        numbers = [width, height]
        for region in attrs.get("regions", ()):
            numbers += [region["x"], region["y"], region["width"], region["height"]]
            if region["x"] + region["width"] > width or region["y"] + region["height"] > height:
                raise ValidationError({"regions": _("A region lies outside of the picture.")})
        if any(number % 2 for number in numbers):
            raise ValidationError(_("Use even numbers: that is how the pictures' colours are stored."))
        return attrs


class Why(Reason):
    """Why; it goes into the log."""

    EXAMPLE = {"reason": "the lesson is over"}


class RecordingFlags(Shape):
    """Whether a conference is being recorded, and paused."""

    confrId = Text(32, source="confr_id")
    rec = Flag()
    recMerge = Flag(source="rec_merge")
    recPaused = Flag(source="rec_paused")


class Gap(Shape):
    """A time in which nothing was recorded though it should have been, in milliseconds since the epoch."""

    since = Whole(0, 2**53, source="from")
    until = Whole(0, 2**53)
    cause = Text(32)


class Skipped(Shape):
    """What could not be used: a piece, or a recording by its id."""

    input = Text(100)
    code = Text(48)


class LinkField(serializers.CharField):
    """A fresh link to a file that is ready."""

    def get_attribute(self, instance: Recording) -> str | None:
        made = link(instance)
        return made.url if made else None


class LinkEndField(Time):
    """When that link expires."""

    def get_attribute(self, instance: Recording) -> datetime | None:
        made = link(instance)
        return made.expires_at if made else None


class RecordingShape(Shape):
    """A recording. While it is made `progress` says how far that is; `size` and `checksum` are the file's."""

    recordingId = Whole(1, 2**63 - 1, source="pk")
    confrId = Text(32, source="conference.confr_id")
    kind = Choice(Recording.Kind)
    state = Choice(Recording.State)
    progress = Whole(0, 100, help_text="%")
    memName = Text(64, source="member.user.name", allow_null=True, default=None)
    streamId = Text(80, source="stream.stream_id", allow_null=True, default=None)
    startedAt = Time(source="started_at", allow_null=True)
    endedAt = Time(source="ended_at", allow_null=True)
    durationMillis = Whole(0, 2**53, source="duration_ms")
    size = Whole(0, 2**63 - 1, help_text="Bytes.")
    width = Whole(0, 100_000, help_text="0: there is no picture.")
    height = Whole(0, 100_000)
    checksum = Text(64, help_text="SHA-256.")
    gaps = Gap(many=True)
    skipped = Skipped(many=True)
    attempts = Whole(0, 2**15)
    code = Text(48, source="error_code", help_text="Why it failed, or why it is tried again.")
    legalHold = Flag(source="legal_hold")
    keepUntil = Time(source="keep_until", allow_null=True, help_text="It is deleted then. null: never, or not ready.")
    createdAt = Time(source="created_at")
    readyAt = Time(source="ready_at", allow_null=True)
    url = LinkField(allow_null=True, help_text="Good for whoever has it, until it expires; add ?download to save it.")
    urlExpiresAt = LinkEndField(allow_null=True)


class RecordingsQuery(PageQuery):
    """How recordings are chosen and sorted."""

    SORTS = {"createdAt": "pk", "size": "size"}

    sort = sort_by(SORTS)
    state = serializers.ChoiceField(Recording.State.choices, required=False)
    kind = serializers.ChoiceField(Recording.Kind.choices, required=False)
    memName = Text(200, source="name", required=False)
    createdAfter = serializers.DateTimeField(source="created_at__gte", required=False)
    createdBefore = serializers.DateTimeField(source="created_at__lt", required=False)


Recordings = page_of("Recordings", RecordingShape)


class Hold(Shape):
    """Whether the recording is under legal hold from now on, and why."""

    EXAMPLE = {"hold": True, "reason": "case 12"}

    hold = Flag()
    reason = Text(200, required=False, allow_blank=True)
