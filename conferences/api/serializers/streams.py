"""Streams on the wire."""

from __future__ import annotations

from rest_framework import serializers

from conferences.api.serializers.base import Choice, Shape, Text, Time, Whole
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.models import Kind, Stream, StreamType


class Publication(Shape):
    """What `pubStream` takes. Asking again for the same `rtcId` gives the same stream."""

    EXAMPLE = {"rtcId": "wx-1-zlz", "kind": "video", "memName": "bob"}

    rtcId = Text(64, source="rtc_id", help_text="1 to 64 of A-Z, a-z, 0-9, _ and -.")
    type = Choice(StreamType, source="stream_type", required=False)
    kind = Choice(Kind, required=False, help_text="What will be sent; left out by old SDKs that do not say.")
    memName = Text(200, source="name", required=False, help_text="For whom; left out by a user token.")


class Push(Shape):
    """Where to push, and the stream that it will be."""

    EXAMPLE = {
        "streamId": "wx-1-zlz__Of_M2",
        "rtcId": "wx-1-zlz",
        "type": 0,
        "rtmp": "rtmp://confr.example/live/IM3SKW51SKH4TB80LV45000C-3b653e5e5303841a?key=towhhx.2.VD9wiruXO2-vl531EUCerQ",
    }

    streamId = Text(80, source="stream.stream_id")
    rtcId = Text(64, source="stream.rtc_id")
    type = Choice(StreamType, source="stream.type")
    rtmp = Text(512, source="url")


class Play(Shape):
    """Where to play a stream, by protocol."""

    rtmp = Text(512)
    hls = Text(512, required=False)
    flv = Text(512, required=False)


class StreamShape(Shape):
    """A stream. `voff` and `aoff` are 1 when it has no picture, no sound."""

    streamId = Text(80, source="stream_id")
    rtcId = Text(64, source="rtc_id")
    memName = Text(64, source="member.user.name", allow_null=True)
    type = Choice(StreamType)
    kind = Choice(Kind, allow_blank=True)
    state = Choice(Stream.State)
    voff = Whole(0, 1, source="video_off")
    aoff = Whole(0, 1, source="audio_off")
    disobeys = serializers.ListField(
        child=Choice(Kind), help_text="The kinds that it still carries though its member is muted for them."
    )
    width = Whole(0, 100_000, allow_null=True)
    height = Whole(0, 100_000, allow_null=True)
    bitrate = Whole(0, 2**31, help_text="bit/s")
    startedAt = Time(source="started_at", allow_null=True)
    endedAt = Time(source="ended_at", allow_null=True)


class StreamsQuery(PageQuery):
    """How `listStreams` chooses and sorts. Without `state`, the live ones."""

    SORTS = {"createdAt": "pk"}

    sort = sort_by(SORTS, default="createdAt")
    state = serializers.ChoiceField(Stream.State.choices, default=Stream.State.LIVE)
    type = serializers.ChoiceField(StreamType.choices, required=False)
    memName = Text(200, source="name", required=False)


Streams = page_of("Streams", StreamShape)
