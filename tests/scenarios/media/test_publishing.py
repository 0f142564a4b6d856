"""Publishing and playing on a whole Confr, with real ffmpeg: who may, who may not, and what arrives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from conferences.media import ffmpeg
from tests.scenarios.stage import Published, Refused, Room, Stage, eventually, fails, measured

pytestmark = [pytest.mark.media, pytest.mark.server]

DAY = 86_400
FORGED = "AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture(scope="module")
def room(stage: Stage) -> Iterator[Room]:
    """anna (admin), ben, chen and dora talk; more than one test uses it."""
    with stage.room("anna", "ben", "chen", "dora") as room:
        yield room


@pytest.fixture(scope="module")
def elsewhere(stage: Stage) -> Iterator[Room]:
    with stage.room("anna", "ben") as room:
        yield room


@pytest.fixture(scope="module")
def camera(room: Room) -> Published:
    """ben's stream, which lives as long as the room."""
    return room.publish("ben", "front")


def test_a_stream_is_live_within_three_seconds_and_listed_with_its_size(stage: Stage, room: Room):
    stream = room.offer("chen", kind="video")
    started = time.monotonic()
    publisher = stream.start()

    told = room["anna"].expect("onStreamAdded", streamId=stream.stream_id) - started
    eventually(lambda: (stat := stream.stat) and stat.width, seconds=5)

    stat = stream.stat
    assert stat is not None
    assert (stat.name, stat.width, stat.height) == (stream.media_name, 360, 640)
    assert stream.state == "live"
    assert told < 3
    eventually(lambda: {row["streamId"]: row["width"] for row in _listed(room)}.get(stream.stream_id) == 360)
    measured(publish_to_told=told)

    publisher.stop()
    room["anna"].expect("onStreamRemoved", streamId=stream.stream_id, reason="unpublished")
    assert stream.state == "offered"
    stream.until_gone()


def _listed(room: Room) -> list[dict[str, object]]:
    found: list[dict[str, object]] = room.call("GET", "/streams")["items"]
    return found


def test_what_is_played_has_picture_and_sound(room: Room, camera: Published):
    seen = ffmpeg.probe(room.play_url("anna", camera), seconds=3)

    assert (seen.video_codec, seen.audio_codec) == ("h264", "aac")
    assert (seen.width, seen.height) == (360, 640)
    assert seen.frames >= 20


def _another_name(stage: Stage, room: Room, stream: Published, elsewhere: Room) -> str:
    return f"{stream.url}&name={elsewhere.offer('ben').media_name}"


BAD_PUSHES = {
    "no key": lambda stage, room, stream, elsewhere: stream.url.partition("?")[0],
    "an expired key": lambda stage, room, stream, elsewhere: _with_key(
        stream, stage.mint("publish", stream.media_name, room.member_id("dora"), seconds=-1)
    ),
    "a forged key": lambda stage, room, stream, elsewhere: _with_key(
        stream, f"{stream.url.partition('key=')[2].rpartition('.')[0]}.{FORGED}"
    ),
    "a key to play": lambda stage, room, stream, elsewhere: _with_key(
        stream, stage.mint("play", stream.media_name, room.member_id("dora"), seconds=DAY)
    ),
    "another member's key": lambda stage, room, stream, elsewhere: _with_key(
        stream, stage.mint("publish", stream.media_name, room.member_id("chen"), seconds=DAY)
    ),
    "the key of another room's stream": lambda stage, room, stream, elsewhere: _with_key(
        stream, elsewhere.offer("ben").url.partition("key=")[2]
    ),
    "a key for another room's member": lambda stage, room, stream, elsewhere: _with_key(
        stream, stage.mint("publish", stream.media_name, elsewhere.member_id("ben"), seconds=DAY)
    ),
    "500 characters before the key": lambda stage, room, stream, elsewhere: stream.url.replace("?", f"?x={'x' * 500}&"),
    "a second name": _another_name,
    "a second address": lambda stage, room, stream, elsewhere: f"{stream.url}&addr=192.0.2.6",
    "a second client id": lambda stage, room, stream, elsewhere: f"{stream.url}&clientid=1",
}


def _with_key(stream: Published, key: str) -> str:
    return f"{stream.url.partition('?')[0]}?key={key}"


@pytest.mark.parametrize("why", BAD_PUSHES)
def test_a_push_is_refused_and_nothing_is_listed_with(stage: Stage, room: Room, elsewhere: Room, why: str):
    stream = room.offer("dora")
    known = room.events()
    listed = {each.name for each in stage.listed().streams}

    with ffmpeg.publish(BAD_PUSHES[why](stage, room, stream, elsewhere)) as publisher:
        assert fails(publisher)

    assert stream.stat is None
    assert {each.name for each in stage.listed().streams} <= listed
    assert stream.state == "offered"
    assert stream.open_sessions() == []
    assert room.events() == known


BAD_PLAYS = {
    "no key": lambda stage, room, stream, elsewhere: stream.url.partition("?")[0],
    "an expired key": lambda stage, room, stream, elsewhere: _with_key(
        stream, stage.mint("play", stream.media_name, room.member_id("dora"), seconds=-1)
    ),
    "a key to publish": lambda stage, room, stream, elsewhere: stream.url,
    "a key for another room's member": lambda stage, room, stream, elsewhere: _with_key(
        stream, stage.mint("play", stream.media_name, elsewhere.member_id("ben"), seconds=DAY)
    ),
}


@pytest.mark.parametrize("why", BAD_PLAYS)
def test_a_play_is_refused_with(stage: Stage, room: Room, elsewhere: Room, camera: Published, why: str):
    sessions = camera.open_sessions()

    with ffmpeg.play(BAD_PLAYS[why](stage, room, camera, elsewhere)) as player:
        assert fails(player)

    assert player.received == 0
    assert camera.open_sessions() == sessions
    assert camera.process.running


def test_who_is_not_inside_is_given_no_address(room: Room, elsewhere: Room, camera: Published):
    with pytest.raises(Refused, match="member_not_found"):
        room.call("POST", f"/streams/{camera.stream_id}/play", memName="charlie")
    with pytest.raises(Refused, match="stream_not_found"):
        elsewhere["ben"].ask("subStream", streamId=camera.stream_id)


def test_an_address_is_useless_once_its_member_has_left(room: Room, camera: Published):
    room.enter("erik")
    url = room.play_url("erik", camera)
    room["erik"].ask("exit")

    with ffmpeg.play(url) as player:
        assert fails(player)
    assert player.received == 0


def test_sound_alone_is_heard(room: Room):
    stream = room.publish("chen", "microphone", "audio", video=False)

    player = room.play("anna", stream, kind="audio")

    assert player.wait_for_packets(90, kind="audio", timeout=8)
    assert player.count("video") == 0
    stream.process.stop()


def test_a_stream_whose_picture_stops_stays_audible(room: Room):
    stream = room.publish("dora", "fading", "video", video_seconds=5)
    player = room.play("anna", stream)

    pictures = -1
    while pictures != player.count("video"):  # a second without a picture
        pictures, heard = player.count("video"), player.count("audio")
        assert player.wait_for_packets(heard + 47, kind="audio", timeout=8)

    assert player.wait_for_packets(player.count("audio") + 90, kind="audio", timeout=8)
    assert player.count("video") == pictures
    assert stream.state == "live"
    stream.process.stop()
