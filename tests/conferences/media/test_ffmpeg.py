from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conferences.media import ffmpeg
from conferences.media.ffmpeg import FfmpegFailed, FfmpegStalled, Process
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.servers import eventually, free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
TWO_SECONDS = ["-re", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=15:duration=2", "-c:v", "mpeg4"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


def test_leaving_the_block_ends_the_process():
    with Process(SLEEP, limit=60) as process:
        assert process.running

    assert not process.running


def test_a_process_ends_when_its_time_is_up():
    began = time.monotonic()

    assert Process(SLEEP, limit=0.2).wait(5) == -signal.SIGKILL
    assert time.monotonic() - began < 2


def test_a_stubborn_process_is_killed_with_its_children():
    script = f"import subprocess, sys; subprocess.run({STUBBORN!r}, stdout=sys.stderr)"
    with Process([sys.executable, "-c", script], limit=60) as process:
        assert eventually(lambda: "ready" in process.log)
        group = process.pid
    assert eventually(lambda: not _group_exists(group))


def test_a_frozen_process_can_be_ended():
    with Process(SLEEP, limit=60) as process:
        process.freeze()
        assert process.running

    assert not process.running


def test_a_process_dies_with_a_killed_owner():
    script = (
        "import time; from conferences.media.ffmpeg import Process;"
        f"print(Process({SLEEP!r}, limit=None).pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    group = int(owner.stdout.readline())
    assert _group_exists(group)

    owner.kill()
    owner.wait()

    assert eventually(lambda: not _group_exists(group))


def test_a_missing_program_is_named():
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        Process(["no-such-program"], limit=1)


def test_a_job_says_how_far_it_has_come_and_its_failure_says_why(tmp_path):
    require_programs()
    film, heard = tmp_path / "film.mkv", list[float]()

    ffmpeg.run([*TWO_SECONDS, str(film)], stall=5, on_seconds=heard.append)

    assert film.stat().st_size > 1000
    assert heard == sorted(heard)
    assert heard[-1] > 0.3
    with pytest.raises(FfmpegFailed, match="No such file"):
        ffmpeg.run(["-i", str(tmp_path / "nothing"), str(film)], stall=5)


def test_a_job_that_hangs_is_ended(tmp_path):
    require_programs()
    job = ffmpeg.Job([*TWO_SECONDS, str(tmp_path / "film.mkv")])
    job.freeze()
    began = time.monotonic()

    with pytest.raises(FfmpegStalled):
        list(job.watch(stall=0.5, every=0.1))

    assert time.monotonic() - began < 3
    assert not _group_exists(job.pid)


def test_what_on_seconds_raises_ends_the_job(tmp_path):
    require_programs()

    def cancel(seconds: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        ffmpeg.run([*TWO_SECONDS, str(tmp_path / "film.mkv")], stall=5, on_seconds=cancel)

    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _read(path)]


def test_waiting_too_long_leaves_the_process_alone():
    with Process(SLEEP, limit=60) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        assert process.running


def test_the_log_holds_no_key():
    require_programs()
    player = ffmpeg.play(f"rtmp://127.0.0.1:{free_port()}/live/a-1?key=secret")
    assert player.wait(10) != 0
    assert "rtmp://127.0.0.1" in player.log
    assert "secret" not in player.log

    for path in ("hls/secret/a-1/index.m3u8", "flv/secret/a-1.flv"):
        with pytest.raises(FfmpegFailed) as refused:
            ffmpeg.probe(f"http://127.0.0.1:{free_port()}/{path}")
        assert "secret" not in str(refused.value)


def test_a_player_counts_packets_and_a_probe_decodes(tmp_path):
    require_programs()
    film = str(tmp_path / "film.flv")
    assert ffmpeg.publish(film, seconds=2).wait(20) == 0

    player = ffmpeg.play(film)
    assert player.wait(10) == 0
    assert player.count("video") == 30
    assert player.count("audio") >= 90
    assert player.received > 10_000
    assert ffmpeg.probe(film) == ffmpeg.Probe("h264", "aac", 360, 640, frames=30)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
