"""Pictures against real nginx-rtmp and ffmpeg: of the right stream, fresh, many at a time, bounded."""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from conferences.media import ffmpeg, snapshot
from conferences.media.snapshot import BATCH, FRESH_SECONDS, LATE_SECONDS, Picture, Pool
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.probes import BLUE, GREEN, RED, frame, near, publish
from tests.conferences.media.servers import eventually

pytestmark = pytest.mark.media

KEY = "1a2b3c.4d.AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
def streams(settings, nginx, backend) -> Iterator[ExitStack]:
    """Takes publishers; `settings` point to the folder of the HLS segments."""
    settings.MEDIA_HLS_DIR = nginx.folder / "hls"
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def segment(tmp_path_factory) -> Path:
    """A second of green."""
    require_programs()
    path: Path = tmp_path_factory.mktemp("segment") / "1.ts"
    source = ["-f", "lavfi", "-i", "color=c=lime:size=360x640:rate=15", "-t", "1", "-pix_fmt", "yuv420p"]
    ffmpeg.run([*source, "-c:v", "libx264", "-preset", "ultrafast", "-f", "mpegts", str(path)], stall=10)
    return path


def shows(picture: Picture | None, colour) -> bool:
    return picture is not None and near(frame(picture.jpeg).at((10, 10))[0], colour)


@contextmanager
def pool(segments, *, url=lambda name: "") -> Iterator[tuple[Pool, dict[str, Picture]]]:
    kept: dict[str, Picture] = {}
    made = Pool(segment=segments, url=url, keep=kept.update)
    yield made, kept
    made.close()


def test_a_picture_comes_from_the_newest_finished_segment_within_a_second(streams, backend):
    streams.enter_context(publish(backend.adapter.push_url("a-1", KEY), "red", size="360x640"))
    streams.enter_context(publish(backend.adapter.push_url("b-1", KEY), "blue"))
    assert eventually(lambda: all(map(backend.adapter.newest_segment, ("a-1", "b-1"))), 10)
    asked = time.monotonic()
    red, blue = snapshot.from_segments([backend.adapter.newest_segment(name) for name in ("a-1", "b-1")])
    assert time.monotonic() - asked < 1
    assert red
    assert blue
    assert shows(red, RED)
    assert shows(blue, BLUE)
    assert (frame(red.jpeg).width, frame(red.jpeg).height) == (180, 320)
    assert (frame(blue.jpeg).width, frame(blue.jpeg).height) == (160, 120)  # small ones stay as they are
    assert time.time() - red.taken_at < 4
    assert len(red.jpeg) < 20_000
    assert backend.adapter.newest_segment("nobody") is None


def test_where_there_is_no_segment_the_picture_is_played(streams, backend):
    streams.enter_context(publish(backend.adapter.push_url("a-1", KEY), "blue"))
    assert eventually(lambda: backend.adapter.list_streams().streams, 8)
    url = backend.adapter.play_urls("a-1", KEY)["rtmp"]
    with pool(lambda name: None, url=lambda name: url.replace("a-1", name)) as (made, kept):
        assert eventually(lambda: made.turn(["a-1", "gone-1"]) and "a-1" in kept, 10)
    assert shows(kept["a-1"], BLUE)
    assert "gone-1" not in kept


def test_what_is_broken_or_silent_spoils_nobodys_picture(segment, tmp_path):
    broken, sound = tmp_path / "broken.ts", tmp_path / "sound.ts"
    broken.write_bytes(b"G" + bytes(5000))
    ffmpeg.run(["-f", "lavfi", "-i", "sine", "-t", "1", "-f", "mpegts", str(sound)], stall=10)
    files = {"broken": broken, "sound": sound, "gone": tmp_path / "gone.ts", "good": segment}
    with pool(files.get) as (made, kept):
        load = made.turn(files)
        assert kept.keys() == {"good"}
        assert shows(kept["good"], GREEN)
        assert (load.wanted, load.late) == (4, 0)


def test_a_machine_without_room_takes_no_picture_until_it_has_room(segment, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pool({"seen": segment}.get) as (made, kept):
        for _ in range(2):
            made.turn(["seen", "played"])
        assert kept == {}
        monkeypatch.undo()
        assert eventually(lambda: made.turn(["seen", "played"]) and "seen" in kept, 20)


def test_a_hundred_pictures_are_fresh_within_ten_seconds_in_less_than_half_a_core(segment, tmp_path):
    names = [f"s-{number}" for number in range(100)]
    for name in names:
        shutil.copy(segment, tmp_path / name)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with pool(lambda name: tmp_path / name) as (made, kept):
        turns = 0
        while len(kept) < 100:
            load = made.turn(names)
            turns += 1
            assert len(kept) <= turns * BATCH
        taken = time.monotonic() - began
        assert made.turn(names[:50]) == snapshot.Load(50, 0)  # nobody looks at the others; nothing is due
        assert len(kept) == 100
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert taken < LATE_SECONDS
    assert load.late == 0
    assert spent / FRESH_SECONDS < 0.5, spent


def test_the_pool_says_when_it_cannot_keep_up(segment, tmp_path, monkeypatch):
    names = [f"s-{number}" for number in range(2 * BATCH)]
    for name in names:
        shutil.copy(segment, tmp_path / name)
    monkeypatch.setattr(snapshot, "LATE_SECONDS", 0.0)  # nobody keeps up with that
    with pool(lambda name: tmp_path / name) as (made, kept):
        made.turn(names)
        assert len(kept) == BATCH
        assert made.turn(names).late > 0
