"""Mixes on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from conferences.api.serializers.base import Choice, Shape, Text, Time, Whole
from conferences.api.serializers.conferences import Reason
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.api.serializers.streams import Play
from conferences.models import Mix, Stream
from conferences.services.mixes import BITRATES, FPS, MAX_INPUTS, SIDES, Input, play_urls

LAYOUTS = [layout for layout in Mix.Layout.values if layout]
MOST = SIDES[1]


class Colour(serializers.RegexField):
    """A colour as `#rrggbb`; in the house it is a number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^#[0-9A-Fa-f]{6}\Z", **options)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return data

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return int(super().run_validation(data)[1:], 16)

    def to_representation(self, value: Any) -> str:
        return f"#{value:06x}"


class MixInput(Shape):
    """A stream and its place, in pixels. Without a layout `width` and `height` are needed."""

    streamId = Text(80, source="stream")
    x = Whole(0, MOST, required=False)
    y = Whole(0, MOST, required=False)
    width = Whole(0, MOST, required=False)
    height = Whole(0, MOST, required=False)
    layer = Whole(0, 100, required=False, help_text="A greater one lies above.")
    fit = serializers.ChoiceField(
        ["fit", "fill"], required=False, help_text="`fit` shows the whole picture, `fill` fills the whole place."
    )

    def to_internal_value(self, data: Any) -> Any:
        return Input(**super().to_internal_value(data))


class MixChange(Reason):
    """What `updateMix` takes; what is left out stays as it is. `layout` "" goes back to rectangles."""

    EXAMPLE = {"background": "#203040"}

    layout = serializers.ChoiceField([*LAYOUTS, ""], required=False)
    inputs = serializers.ListField(child=MixInput(), max_length=MAX_INPUTS, required=False)
    background = Colour(required=False)


class MixStart(Reason):
    """What `startMix` takes: inputs with places, or a layout, which without inputs shows every live stream."""

    EXAMPLE = {"layout": "grid", "width": 720, "height": 1280, "fps": 15, "bitrate": 800_000}

    layout = serializers.ChoiceField(LAYOUTS, required=False)
    inputs = serializers.ListField(child=MixInput(), max_length=MAX_INPUTS, required=False)
    background = Colour(required=False)
    width = Whole(*SIDES, required=False)
    height = Whole(*SIDES, required=False)
    fps = Whole(*FPS, required=False)
    bitrate = Whole(*BITRATES, required=False, help_text="bit/s, of the picture")


class MixPlay(Play):
    """Where the output is played, by whoever is given the address. For who may mix."""

    def to_representation(self, instance: Mix) -> Any:
        return super().to_representation(play_urls(instance))


class MixShape(Shape):
    """A mix. `missing` are the inputs that bring nothing now; `streamState` says whether it can be seen."""

    mixId = serializers.CharField(source="pk")
    streamId = Text(80, source="stream.stream_id")
    state = Choice(Mix.State)
    streamState = Choice(Stream.State, source="stream.state")
    stopReason = Choice(Mix.StopReason, source="stop_reason", allow_blank=True)
    layout = Choice(Mix.Layout, allow_blank=True)
    inputs = MixInput(many=True)
    missing = serializers.ListField(child=Text(80))
    background = Colour()
    width = Whole(*SIDES)
    height = Whole(*SIDES)
    fps = Whole(*FPS)
    bitrate = Whole(*BITRATES)
    play = MixPlay(source="*")
    createdAt = Time(source="created_at")
    endedAt = Time(source="ended_at", allow_null=True)


class MixesQuery(PageQuery):
    """How `listMixes` chooses and sorts."""

    SORTS = {"createdAt": "pk"}

    sort = sort_by(SORTS)
    state = serializers.ChoiceField(Mix.State.choices, required=False)


Mixes = page_of("Mixes", MixShape)
