"""Mixes over REST."""

from __future__ import annotations

import pytest

from conferences.models import Mix
from tests.api_client import answered, problem, refused


@pytest.fixture
def inputs(room, media):
    return [room.publish(name).stream.stream_id for name in ("alice", "bob")]


def test_a_mix_from_its_start_to_its_end(backend, room, inputs):
    path = f"/conferences/{room.id}/mixes"
    places = [
        {"streamId": inputs[0], "x": 0, "y": 0, "width": 320, "height": 240, "layer": 0, "fit": "fill"},
        {"streamId": inputs[1], "x": 10, "y": 10, "width": 100, "height": 100, "layer": 3},
    ]
    wish = {"inputs": places, "width": 320, "height": 240, "fps": 20, "bitrate": 300_000, "background": "#FF8000"}
    mix = answered(backend.post(path, wish), 201)
    assert (mix["state"], mix["streamState"], mix["streamId"]) == ("running", "offered", "mix-1__Of_M0")
    assert (mix["width"], mix["height"], mix["fps"], mix["bitrate"]) == (320, 240, 20, 300_000)
    assert (mix["background"], mix["layout"], mix["missing"]) == ("#ff8000", "", [])
    assert mix["inputs"] == [places[0], places[1] | {"fit": "fit"}]
    assert mix["play"]["rtmp"].startswith("rtmp://")

    here = f"{path}/{mix['mixId']}"
    changed = answered(backend.patch(here, {"inputs": [], "layout": "grid", "background": "#000001"}))
    assert (changed["layout"], changed["inputs"], changed["background"]) == ("grid", [], "#000001")
    assert answered(backend.get(here)) == changed
    assert answered(backend.get(f"{path}?state=running"))["items"] == [changed]
    stopped = answered(backend.delete(f"{here}?reason=done"))
    assert (stopped["state"], stopped["stopReason"], stopped["streamState"]) == ("stopped", "requested", "ended")
    problem(backend.patch(here, {"background": "#000000"}), 404, "mix_not_found")
    assert room.events("mix.stopped")[0].personal["reason"] == "done"


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"background": "red", "layout": "grid"}, 400, "bad_parameters"),
        ({"background": 7, "layout": "grid"}, 400, "bad_parameters"),
        ({"layout": "diagonal"}, 400, "bad_parameters"),
        ({"width": 99_999, "layout": "grid"}, 400, "bad_parameters"),
        ({"inputs": [{"streamId": "a", "z": 1}]}, 400, "bad_parameters"),
        ({}, 400, "mix_layout_invalid"),
        ({"width": 321, "layout": "grid"}, 400, "mix_layout_invalid"),
        ({"inputs": [{"streamId": "cam__Of_M9", "width": 16, "height": 16}]}, 409, "mix_inputs_missing"),
    ],
)
def test_what_cannot_be_mixed_is_refused_by_name(backend, room, inputs, wish, status, code):
    document = refused(lambda: backend.post(f"/conferences/{room.id}/mixes", wish), status, code)
    if code == "mix_inputs_missing":
        assert document["missing"] == ["cam__Of_M9"]
    assert Mix.objects.count() == 0


def test_the_third_mix_is_refused(backend, room, inputs):
    path = f"/conferences/{room.id}/mixes"
    for _ in range(2):
        answered(backend.post(path, {"layout": "grid"}), 201)
    document = refused(lambda: backend.post(path, {"layout": "grid"}), 429, "mix_limit_reached")
    assert document["maximum"] == 2
