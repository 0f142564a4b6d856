"""Streams over REST."""

from __future__ import annotations

from functools import partial

import pytest

from tests.api_client import answered, refused
from tests.factories import until


@pytest.fixture
def path(room):
    return f"/conferences/{room.id}/streams"


def test_a_member_publishes_what_the_media_server_says(as_member, backend, room, path, media):
    push = answered(as_member(room, "bob").post(f"{path}/publish", {"rtcId": "wx-1-abc", "kind": "video"}))
    assert (push["streamId"], push["rtcId"], push["type"]) == ("wx-1-abc__Of_M2", "wx-1-abc", 0)
    assert push["rtmp"].startswith("rtmp://")
    assert answered(backend.get(path))["items"] == []
    assert [item["streamId"] for item in answered(backend.get(f"{path}?state=offered"))["items"]] == [push["streamId"]]


def test_asking_again_gives_the_same_stream(as_member, room, path):
    bob = as_member(room, "bob")
    first, second = (answered(bob.post(f"{path}/publish", {"rtcId": "camera"})) for _ in range(2))
    assert first["rtmp"].partition("?")[0] == second["rtmp"].partition("?")[0]


def test_a_live_stream_is_listed_and_played(as_member, backend, room, path, media):
    room.publish("bob", kind="audio")
    (stream,) = answered(backend.get(path))["items"]
    assert {name: stream[name] for name in ("streamId", "memName", "kind", "state", "voff", "aoff")} == {
        "streamId": "camera__Of_M2",
        "memName": "bob",
        "kind": "audio",
        "state": "live",
        "voff": 1,
        "aoff": 0,
    }
    urls = answered(as_member(room, "carol").post(f"{path}/{stream['streamId']}/play"))
    assert urls["rtmp"].startswith("rtmp://")
    assert answered(backend.post(f"{path}/{stream['streamId']}/play", {"memName": "carol"}))
    assert answered(backend.get(f"{path}?memName=carol"))["items"] == []


def test_a_stream_is_stopped_for_good(backend, room, path, media):
    published = room.publish("bob")
    stopped = answered(backend.delete(f"{path}/camera__Of_M2?reason=nudity"))
    assert (stopped["state"], stopped["endedAt"] is not None) == ("ended", True)
    assert room.events("stream.removed")[0].personal["reason"] == "nudity"
    until(lambda: published.event.client_id in media.dropped)
    refused(lambda: backend.delete(f"{path}/camera__Of_M2"), 404, "stream_not_found")


def test_audience_publishes_nothing(as_member, room, path):
    carol = as_member(room, "carol")
    refused(lambda: carol.post(f"{path}/publish", {"rtcId": "camera"}), 403, "not_allowed")


def test_nobody_publishes_or_plays_as_somebody_else(as_member, room, path, media):
    room.publish("bob")
    carol = as_member(room, "carol")
    refused(lambda: carol.post(f"{path}/publish", {"rtcId": "camera", "memName": "bob"}), 403, "not_allowed")
    refused(lambda: carol.post(f"{path}/camera__Of_M2/play", {"memName": "bob"}), 403, "not_allowed")


@pytest.mark.parametrize("rtc_id", ["a b", "a/b", "ä", "a?key=x", "a&b"])
def test_an_rtc_id_has_no_odd_characters(backend, room, path, rtc_id):
    body = {"rtcId": rtc_id, "memName": "bob"}
    refused(lambda: backend.post(f"{path}/publish", body), 400, "stream_id_invalid")


def test_who_is_not_inside_neither_publishes_nor_plays(backend, room, path, media):
    room.publish("bob")
    for name in ("charlie", "never-seen"):
        body = {"memName": name}
        refused(partial(backend.post, f"{path}/camera__Of_M2/play", body), 404, "member_not_found")
        refused(partial(backend.post, f"{path}/publish", body | {"rtcId": "x"}), 404, "member_not_found")
