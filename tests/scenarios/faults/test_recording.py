"""What dies while a stream is recorded costs a gap that is known, and nothing that was finished."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.scenarios.faults.conftest import SPARE_BYTES
from tests.scenarios.faults.processes import Processes
from tests.scenarios.recorded import Recorded
from tests.scenarios.stage import Room, Stage, eventually, measured

pytestmark = [pytest.mark.media, pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(240)]


@contextmanager
def recording(house: Stage) -> Iterator[tuple[Room, Recorded]]:
    with house.room("anna", "ben", rec=True) as room:
        recorded = Recorded(room.publish("ben", kind="audio", video=False))
        recorded.until_runs(1)
        yield room, recorded


def test_a_recording_does_not_notice_that_the_stores_are_restarted(house: Stage, processes: Processes):
    with recording(house) as (_room, recorded):
        for name, restart in (("redis", lambda: processes.kill("redis")), ("postgres", processes.restart_postgres)):
            gone = restart()
            processes.until_back(name, gone)
        eventually(lambda: len(recorded.whole()) >= 1, seconds=20)
        assert recorded.runs() == 1

    recorded.until_state("ready")
    assert recorded.gaps == []


def test_a_recorder_that_hangs_is_replaced_and_one_that_is_stopped_finishes(house: Stage, processes: Processes):
    with recording(house) as (_room, recorded):
        [hung] = recorded.writers()
        os.kill(hung, signal.SIGSTOP)
        recorded.until_runs(2)
        assert not psutil.pid_exists(hung)
        known = recorded.whole()

        gone = processes.pid("media_worker")
        os.kill(gone, signal.SIGTERM)
        processes.until_back("media_worker", gone)
        recorded.until_runs(3)
        assert recorded.whole()[: len(known)] == known

    recorded.until_state("ready")
    assert recorded.writers() == []
    assert [cause for cause, _ in recorded.gaps] == ["worker", "worker"]
    measured(hung=recorded.gaps[0][1], stopped=recorded.gaps[1][1])


def test_a_killed_worker_leaves_no_ffmpeg_and_its_successor_goes_on(house: Stage, processes: Processes):
    with recording(house) as (_room, recorded):
        eventually(lambda: len(recorded.whole()) >= 1, seconds=20)
        known = recorded.whole()

        processes.kill("media_worker")
        eventually(lambda: recorded.writers() == [], seconds=2)
        recorded.until_runs(2)
        eventually(lambda: len(recorded.whole()) > len(known) + 1, seconds=20)
        assert recorded.whole()[: len(known)] == known

    recorded.until_state("ready")
    [(cause, seconds)] = recorded.gaps
    measured(killed=seconds)
    assert cause == "worker"
    assert seconds < 20
    whole = recorded.stage.value("SELECT duration_ms FROM conferences_recording WHERE id = %s", recorded.id)
    assert whole / 1000 > 10 + seconds  # what is missing keeps its time


def test_a_media_server_that_is_killed_is_a_gap_until_its_publishers_are_back(house: Stage, processes: Processes):
    with recording(house) as (_room, recorded):
        gone = processes.kill("nginx")
        processes.until_back("nginx", gone)
        recorded.stream.start(video=False)
        recorded.stream.until_live(seconds=30)
        recorded.until_runs(2)

    recorded.until_state("ready")
    assert [cause for cause, _ in recorded.gaps] == ["media_server"]


def test_a_full_disk_stops_recording_and_keeps_what_is_finished(house: Stage):
    with recording(house) as (room, recorded):
        filler = house.server.var / "filler"
        needed = shutil.disk_usage(house.server.var).free - house.min_free_bytes + SPARE_BYTES // 10
        try:
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, needed)
            eventually(lambda: "recording.stopped" in room.events(), seconds=10)
        finally:
            filler.unlink()
        stopped = next(fact for fact in room.facts() if fact["type"] == "recording.stopped")
        assert stopped["data"]["reason"] == "disk_full"
        eventually(lambda: recorded.writers() == [], seconds=5)
        assert recorded.whole()
        recorded.until_state("ready")
        assert recorded.stream.process.running
    assert recorded.seconds > 0
