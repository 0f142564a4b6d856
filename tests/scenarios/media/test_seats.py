"""One publisher per stream, and a seat for each picture: duplicates, phones that change networks, stolen pictures."""

from __future__ import annotations

import time

import pytest

from conferences.media import ffmpeg
from conferences.models import Role
from tests.scenarios.stage import Published, Stage, eventually, fails, measured

pytestmark = [pytest.mark.media, pytest.mark.server]

CHANGES = ("stream.added", "stream.removed", "stream.refused", "media.repaired")


def test_a_second_publisher_is_refused_while_the_first_one_sends(stage: Stage):
    with stage.room("anna", "ben") as room:
        stream = room.publish("ben")
        sessions, events = stream.open_sessions(), room.events()
        player = room.play("anna", stream)

        with ffmpeg.publish(stream.url) as second:
            assert fails(second)

        assert stream.process.running
        assert stream.state == "live"
        assert sessions == stream.open_sessions()[:1]
        assert room.events() == events
        seen = player.count("video")
        assert player.wait_for_packets(seen + 15, kind="video", timeout=5)


def test_a_holder_that_stands_still_is_taken_over_without_an_event(stage: Stage):
    with stage.room("anna", "ben") as room:
        stream = room.publish("ben")
        [holder] = _publishers(stream)

        stream.process.freeze()  # what a phone that changed networks leaves behind
        began = time.monotonic()
        stream.start()
        newcomer = eventually(lambda: next((who for who in _publishers(stream) if who != holder), None), seconds=8)
        taken = time.monotonic() - began

        measured(taken_over_after=taken)
        assert _publishers(stream) == [newcomer]
        eventually(lambda: (stat := stream.stat) and stat.publisher and stat.publisher.id == newcomer)
        assert stream.state == "live"
        player = room.play("anna", stream)
        assert player.wait_for_packets(30, kind="video", timeout=5)
        assert room.events(*CHANGES) == ["stream.added"]
        assert room.counters()["videos"] == 1


def _publishers(stream: Published) -> list[str]:
    return [client_id for action, client_id in stream.open_sessions() if action == "publish"]


def test_of_two_who_would_take_over_at_once_one_wins(stage: Stage):
    with stage.room("anna", "ben") as room:
        stream = room.publish("ben")
        stream.process.freeze()

        with ffmpeg.publish(stream.url) as one, ffmpeg.publish(stream.url) as other:
            eventually(lambda: one.running != other.running, seconds=8)
            stream.until_live()

            assert len(stream.open_sessions()) == 1
            assert stream.state == "live"
            assert room.events(*CHANGES) == ["stream.added"]


def test_a_picture_where_only_sound_was_declared_is_dropped_and_its_owner_told(stage: Stage):
    with stage.room("anna", "ben", maxVideoCount=1) as room:
        camera = room.publish("anna")
        stream = room.offer("ben", "microphone", kind="audio")
        stream.start()  # with a picture
        room["anna"].expect("onStreamAdded", streamId=stream.stream_id)
        assert room.counters()["videos"] == 1

        assert fails(stream.process, seconds=10)

        room["ben"].expect("onStreamRefused", streamId=stream.stream_id, code="videos_full")
        room["anna"].expect("onStreamRemoved", streamId=stream.stream_id, reason="refused")
        assert camera.process.running
        stream.until_gone()
        stream.start(video=False)  # without the picture it is welcome
        stream.until_live()
        assert stream.state == "live"


def test_a_picture_that_does_not_tell_its_size_is_dropped_too(stage: Stage):
    with stage.room("anna", "ben") as room:
        stream = room.offer("ben", "microphone", kind="audio")
        command = [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=160x120:rate=5",
        ]
        command += ["-c:v", "flv1", "-flvflags", "no_metadata", "-f", "flv", stream.url]

        with ffmpeg.Process(command, limit=30) as publisher:
            room["anna"].expect("onStreamAdded", streamId=stream.stream_id)
            assert fails(publisher, seconds=12)

        room["ben"].expect("onStreamRefused", streamId=stream.stream_id, code="videos_full")


def test_a_publisher_that_declares_nothing_is_audio_only_when_the_pictures_are_taken(stage: Stage):
    with stage.room("anna", "ben", "chen", maxVideoCount=1) as room:
        first = room.publish("anna", kind="")
        assert room.counters()["videos"] == 1

        second = room.publish("ben", kind="", video=False)

        assert room.counters()["videos"] == 1
        assert second.state == "live"
        rows = {row["streamId"]: row["voff"] for row in room.call("GET", "/streams")["items"]}
        assert rows == {first.stream_id: 0, second.stream_id: 1}

        third = room.offer("chen", kind="video")
        assert fails(third.start())
        room["chen"].expect("onStreamRefused", streamId=third.stream_id, code="videos_full")
        assert fails(third.start())
        assert room.events("stream.refused") == ["stream.refused"]
        assert third.stat is None
        assert third.state == "offered"

        first.process.stop()
        eventually(lambda: first.state == "offered")
        third.start()
        third.until_live()
        assert room.counters()["videos"] == 1


def test_a_mute_of_pictures_lets_the_sound_of_who_declares_nothing_in(stage: Stage):
    with stage.room("anna", "ben") as room:
        room.call("POST", "/mute", memNames=["ben"], kinds=["video"], muted=True)

        stream = room.publish("ben", kind="", video=False)

        assert stream.state == "live"
        assert room.counters()["videos"] == 0


def test_audience_that_was_promoted_publishes_and_after_a_demotion_does_not(stage: Stage):
    with stage.room("anna", "carol", confr_type=12) as room:
        room.call("POST", "/roles", memNames=["carol"], role=Role.TALKER)
        stream = room.publish("carol", "microphone", "audio", video=False)

        room["carol"].ask("grantRole", memNames=["carol"], role=Role.AUDIENCE)  # by herself

        assert fails(stream.process, seconds=5)
        room["anna"].expect("onStreamRemoved", streamId=stream.stream_id)
        assert room.counters() == {"talkers": 1, "audience": 1, "admins": 1, "videos": 0, "desktops": 0}
