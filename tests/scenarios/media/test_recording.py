"""A stream of a recorded conference is written from its beginning, by nobody that anybody could see."""

from __future__ import annotations

import time

import pytest

from tests.scenarios.recorded import Recorded
from tests.scenarios.stage import Stage, eventually, measured

pytestmark = [pytest.mark.media, pytest.mark.server]

BEGIN_SECONDS = 2.0


def delay(recorded: Recorded) -> float:
    """How long after a stream its recording began."""
    [began] = [float(path.read_text()) for path in recorded.folder.glob("*.began")]
    live = "SELECT extract(epoch FROM started_at) FROM conferences_stream WHERE media_name = %s"
    return began - float(recorded.stage.value(live, recorded.stream.media_name))


def test_a_stream_is_recorded_from_its_beginning_and_a_kick_does_not_wait_for_it(stage: Stage):
    with stage.room("anna", "ben", rec=True) as room:
        stream = room.publish("ben", kind="audio", video=False)
        recorded = Recorded(stream)
        recorded.until_runs(1)
        # When it began is known the better the longer it runs, for some seconds.
        eventually(lambda: delay(recorded) < BEGIN_SECONDS, seconds=8)
        measured(recording_begins_after=delay(recorded))
        assert [action for action, _ in stream.open_sessions()] == ["publish", "play"]
        assert room.counters()["talkers"] == 2
        assert len(room.events("member.joined")) == 2

        called = time.monotonic()
        room.call("POST", "/kick", memNames=["ben"])
        stream.process.wait(5)
        assert time.monotonic() - called < 1
        stream.until_gone(seconds=1)

    recorded.until_state("ready")
    assert recorded.writers() == []
    assert recorded.seconds > 0


def test_a_pause_is_no_gap_and_nobody_writes_meanwhile(stage: Stage):
    with stage.room("anna", "ben", rec=True) as room:
        recorded = Recorded(room.publish("ben", kind="audio", video=False))
        recorded.until_runs(1)

        room.call("POST", "/recording/pause")
        eventually(lambda: recorded.writers() == [], seconds=5)
        assert recorded.whole()
        room.call("POST", "/recording/resume")
        recorded.until_runs(2)

    recorded.until_state("ready")
    assert recorded.gaps == []


def test_a_stop_ends_the_files_and_a_start_begins_others(stage: Stage):
    with stage.room("anna", "ben", rec=True) as room:
        stream = room.publish("ben", kind="audio", video=False)
        first = Recorded(stream)
        first.until_runs(1)

        room.call("POST", "/recording/stop")
        room.call("POST", "/recording/start")

        first.until_state("ready")
        eventually(lambda: Recorded(stream).id > first.id)
        Recorded(stream).until_runs(1)
