"""Recording from a real nginx-rtmp: what is written, and what is left of it when something dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from conferences.media import ffmpeg, files, finisher, recorder
from conferences.media.ffmpeg import FfmpegStalled
from conferences.media.finisher import Piece
from conferences.media.recorder import Run, Segment
from tests.conferences.media.films import BLACK, BLUE, RED, film, looks
from tests.conferences.media.servers import Backend, Nginx, eventually

pytestmark = pytest.mark.media

SMALL = "160x120"
Live = Callable[[ffmpeg.Process], AbstractContextManager[ffmpeg.Process]]


@pytest.fixture
def url(nginx: Nginx) -> str:
    return f"rtmp://127.0.0.1:{nginx.rtmp_port}/live/a-1"


@pytest.fixture
def live(backend: Backend) -> Live:
    """The block of a publisher that the media server lists."""

    @contextmanager
    def wait(publisher: ffmpeg.Process) -> Iterator[ffmpeg.Process]:
        with publisher:
            assert eventually(lambda: any(stream.bytes_in for stream in backend.adapter.list_streams().streams))
            yield publisher
            publisher.stop()
        assert eventually(lambda: not backend.adapter.list_streams().streams)

    return wait


def record(run: Run, until: Callable[[], object]) -> None:
    """Record until something is so; the stream must last as long."""
    deadline = time.monotonic() + 15
    for _ in run.watch():
        if until():
            return
        assert time.monotonic() < deadline, run.log
    pytest.fail(f"the stream is over: {run.log}")


def has_piece(folder: Path, run: str) -> bool:
    return any(segment.run == run for segment in recorder.segments(folder))


def tracks(path: Path) -> tuple[str, str]:
    content = files.look(path)
    assert content is not None
    return content.video, content.sound


def begins_with_a_key_frame(path: Path) -> bool:
    entries = ["-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0", str(path)]
    command = ["ffprobe", "-v", "error", *entries]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return found.stdout.startswith("K")


def pieces(folder: Path) -> list[Piece]:
    found = recorder.segments(folder)
    return [Piece(folder / one.name, one.began_at - found[0].began_at, one.seconds, one.run) for one in found]


def length(segments: list[Segment]) -> float:
    return sum(segment.seconds for segment in segments)


def test_whole_pieces_are_known_and_what_a_kill_leaves_can_be_played(url: str, live: Live, tmp_path: Path):
    with live(ffmpeg.publish(url, size=SMALL)) as publisher:
        began = time.time()
        with Run(url, tmp_path, "1", piece_seconds=1) as run:
            record(run, lambda: len(recorder.segments(tmp_path)) >= 3)
            assert run.has_more()
            assert not run.has_more()
            listed = recorder.segments(tmp_path)
            os.killpg(run.pid, signal.SIGKILL)
            left = time.time()
        assert publisher.running

    found = recorder.segments(tmp_path)
    assert found[: len(listed)] == listed
    assert len(found) == len(listed) + 1
    assert all(begins_with_a_key_frame(tmp_path / segment.name) for segment in found[1:])
    assert {tracks(tmp_path / segment.name) for segment in found} == {("h264", "aac")}
    assert began - 1 < found[0].began_at < began + 3
    assert found[-1].began_at + found[-1].seconds == pytest.approx(left, abs=1)
    assert length(found) == pytest.approx(left - found[0].began_at, abs=1)
    assert finisher.finish(pieces(tmp_path), tmp_path / "whole.mp4").seconds == pytest.approx(length(found), abs=0.5)


def test_a_publisher_who_comes_back_with_another_size_is_another_run(url: str, live: Live, tmp_path: Path):
    for name, size in (("1", SMALL), ("2", "120x160")):
        with live(ffmpeg.publish(url, size=size)) as publisher, Run(url, tmp_path, name, piece_seconds=1) as run:
            record(run, partial(has_piece, tmp_path, name))
            publisher.stop()
            for _ in run.watch():  # it ends with its stream
                pass

    found = recorder.segments(tmp_path)
    assert [segment.run for segment in found] == sorted(segment.run for segment in found)
    assert {segment.run for segment in found} == {"1", "2"}
    first, second = ([one for one in found if one.run == name] for name in ("1", "2"))
    assert first[-1].began_at + first[-1].seconds < second[0].began_at + 0.1
    made = finisher.finish(pieces(tmp_path), tmp_path / "whole.mp4")
    assert (made.width, made.height) == (160, 160)
    assert len(made.gaps) == 1


def test_a_phone_that_is_turned_is_recorded_on(tmp_path: Path):
    film(tmp_path / "1.ts", size="120x160", seconds=3)
    film(tmp_path / "2.ts", size="160x120", colour=BLUE, seconds=3, offset=3)
    turned, sent = tmp_path / "turned.ts", tmp_path / "sent.flv"
    turned.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())
    # As it is sent over RTMP: the new size is told once, where the phone is turned.
    ffmpeg.run(["-i", str(turned), "-c", "copy", "-bsf:v", "extract_extradata", str(sent)], stall=10)
    folder = tmp_path / "pieces"
    with Run(str(sent), folder, "1", piece_seconds=1) as run:
        for _ in run.watch():
            pass

    assert {one.run for one in recorder.segments(folder)} == {"1"}
    made = finisher.finish(pieces(folder), whole := tmp_path / "whole.mp4")
    assert (made.width, made.height) == (160, 160)
    assert looks(whole, 0.5, 80, 10, RED)
    assert looks(whole, made.seconds - 0.5, 80, 10, BLACK)
    assert looks(whole, made.seconds - 0.5, 6, 80, BLUE)


def test_without_a_key_frame_a_stream_is_heard_until_one_comes(url: str, live: Live, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(recorder, "PICTURE_SECONDS", 0.5)
    push = ["ffmpeg", *ffmpeg.QUIET, "-re", "-f", "lavfi", "-i", f"testsrc=size={SMALL}:rate=15"]
    push += ["-re", "-f", "lavfi", "-i", "sine", "-t", "30", "-c:v", "libx264", "-preset", "ultrafast"]
    push += ["-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "90", "-c:a", "aac", "-f", "flv", url]
    with live(ffmpeg.Process(push, limit=30)), ffmpeg.play(url) as player:
        assert player.wait_for_packets(10, kind="audio", timeout=10)
        with Run(url, tmp_path, "1", piece_seconds=1) as run:
            record(run, lambda: recorder.segments(tmp_path) or run.has_new_track)
            record(run, lambda: run.has_new_track)

    found = recorder.segments(tmp_path)
    assert {tracks(tmp_path / segment.name) for segment in found} == {("", "aac")}
    assert length(found) > 1


def test_a_recorder_that_hangs_is_ended_and_its_pieces_are_kept(url: str, live: Live, tmp_path: Path, monkeypatch):
    with live(ffmpeg.publish(url, video=False)), Run(url, tmp_path, "1", picture=False, piece_seconds=1) as run:
        record(run, lambda: recorder.segments(tmp_path))
        monkeypatch.setattr(recorder, "STALL_SECONDS", 1.0)
        os.killpg(run.pid, signal.SIGSTOP)
        hung = time.monotonic()
        with pytest.raises(FfmpegStalled):
            record(run, lambda: False)

    assert time.monotonic() - hung < 5
    assert not run._job.running
    assert length(recorder.segments(tmp_path)) > 1


def test_a_killed_owner_leaves_its_pieces_and_its_last_one_is_salvaged(url: str, live: Live, tmp_path: Path):
    with live(ffmpeg.publish(url, video=False)):
        run = Run(url, tmp_path, "1", picture=False, piece_seconds=1)
        record(run, lambda: recorder.segments(tmp_path))
        before = recorder.segments(tmp_path)
        run._job.freeze()
        os.killpg(run.pid, signal.SIGKILL)
        run._job.wait(5)
    (tmp_path / "2-00000.ts").touch()  # one that died before anything came
    (tmp_path / "2.csv").touch()

    recorder.salvage(tmp_path)

    found = recorder.segments(tmp_path)
    assert found[: len(before)] == before
    assert [segment.run for segment in found] == ["1"] * len(found)
    recorder.salvage(tmp_path)
    assert recorder.segments(tmp_path) == found
