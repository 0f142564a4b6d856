"""The mixer against real nginx-rtmp and ffmpeg: what is seen and heard of a mix, whatever happens to its inputs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from conferences.media import ffmpeg, snapshot
from conferences.media.canvas import Canvas, Frame
from conferences.media.layouts import Rectangle
from conferences.media.mixer import Mixer
from conferences.media.scene import Output, Scene, Tile
from conferences.media.sound import KEPT, LEAST, MOST, RATE, SAMPLE_BYTES, SoundBuffer, mixed
from tests.conferences.media.probes import BLUE, GREEN, RED, Rgb, frame, loudness, near, pixels, publish
from tests.conferences.media.servers import Backend, Nginx, eventually

pytestmark = [pytest.mark.media, pytest.mark.slow]

KEY = "1a2b3c.4d.AAAAAAAAAAAAAAAAAAAAAA"
OUTPUT = Output(width=320, height=240, fps=15, bitrate=400_000)
GREY = (64, 64, 64)
# The middles of the four quarters.
PLACES = {"a": (80, 60), "b": (240, 60), "c": (80, 180), "d": (240, 180)}


def quarter(name: str, layer: int = 0) -> Tile:
    x, y = PLACES[name]
    return Tile(Rectangle(x - 80, y - 60, 160, 120), layer)


def scene(**tiles: Tile) -> Scene:
    return Scene(tiles, background=0x404040)


class Stage:
    """A mix, its inputs `a` to `d`, and what is seen of it."""

    def __init__(self, backend: Backend, nginx: Nginx, tmp_path: Path, stack: ExitStack) -> None:
        self.backend, self.nginx, self.tmp_path, self.stack = backend, nginx, tmp_path, stack

    def publish(self, name: str, *args, **options) -> ffmpeg.Process:
        return self.stack.enter_context(publish(self.backend.adapter.push_url(name, KEY), *args, **options))

    @contextmanager
    def mix(self, shown: Scene) -> Iterator[Mixer]:
        adapter = self.backend.adapter
        mixer = Mixer(
            OUTPUT,
            shown,
            url=lambda name: adapter.play_urls(name, KEY)["rtmp"],
            publish_url=lambda: adapter.push_url("mix", KEY),
        )
        thread = threading.Thread(target=mixer.run)
        thread.start()
        try:
            yield mixer
        finally:
            mixer.stop()
            thread.join(10)
            assert not thread.is_alive()

    def seen(self, *names: str) -> list[Rgb]:
        """The colours in the middles of these quarters, in the newest finished segment."""
        folder = self.nginx.folder / "hls" / "mix"
        newest = snapshot.newest_segment(folder)
        try:
            return pixels(newest, *(PLACES[name] for name in names)) if newest else []
        except (OSError, ValueError, ffmpeg.FfmpegFailed):
            return []

    def shows(self, **colours: Rgb) -> bool:
        """Whether these quarters have these colours before long."""

        def all_near() -> bool:
            seen = self.seen(*colours)
            return bool(seen) and all(map(near, seen, colours.values()))

        return eventually(all_near, 40)

    def record(self, seconds: float) -> Path:
        path = self.tmp_path / f"{time.monotonic()}.mkv"
        url = self.backend.adapter.play_urls("mix", KEY)["rtmp"]
        ffmpeg.run([*ffmpeg.live_input(url), "-t", str(seconds), "-c", "copy", str(path)], stall=10, limit=30)
        return path


@pytest.fixture
def stage(nginx, backend, tmp_path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(backend, nginx, tmp_path, stack)
    assert eventually(lambda: ffmpegs() == []), ffmpegs()


def ffmpegs() -> list[int]:
    """The ffmpeg processes that threads of this process have started."""
    found = []
    for thread in Path(f"/proc/{os.getpid()}/task").iterdir():
        with suppress(FileNotFoundError):  # it has just ended
            children = (thread / "children").read_text().split()
            found += [int(pid) for pid in children if b"ffmpeg" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found


def test_inputs_are_seen_in_their_places_and_heard_and_the_places_change_live(stage: Stage) -> None:
    stage.publish("a", "red", tone=400)
    stage.publish("b", "lime", tone=1000, size="320x240")
    stage.publish("c", tone=2000, video=False)
    began = scene(a=quarter("a"), b=quarter("b"), c=quarter("c"), d=quarter("d"))
    with stage.mix(began) as mixer:
        assert stage.shows(a=RED, b=GREEN, c=GREY, d=GREY)
        assert eventually(lambda: mixer.report().missing == ("d",), 20)
        seen: list[Path] = []

        def all_are_heard() -> bool:
            seen.append(stage.record(3))
            return min(loudness(seen[-1], 400, 1000, 2000, start=1)) > 0.02

        assert eventually(all_are_heard, 15)  # a machine without time for an input leaves a gap in its sound
        assert loudness(seen[-1], 3000, start=1)[0] < 0.005

        before, frames = time.monotonic(), mixer.report().frames
        mixer.show(Scene({"a": quarter("d", 1), "b": Tile(Rectangle(0, 0, 320, 240), 0, "fill")}, 0x0000FF))
        assert stage.shows(a=GREEN, b=GREEN, c=GREEN, d=RED)
        assert time.monotonic() - before < 8  # a segment is a second, and the newest is a second old
        rate = (mixer.report().frames - frames) / (time.monotonic() - before)
        assert 14 < rate < 16
        assert loudness(stage.record(2), 2000, start=0.5)[0] < 0.005  # c is no input any more


def test_an_input_that_dies_stalls_or_turns_holds_up_nothing_and_comes_back(stage: Stage) -> None:
    dies, stalls, turns = (
        stage.publish("a", "red"),
        stage.publish("b", "lime"),
        stage.publish("c", "blue", size="160x120"),
    )
    with stage.mix(scene(a=quarter("a"), b=quarter("b"), c=quarter("c"))) as mixer:
        assert stage.shows(a=RED, b=GREEN, c=BLUE)
        began, frames, late = time.monotonic(), mixer.report().frames, mixer.report().late
        os.kill(dies.pid, signal.SIGKILL)
        stalls.freeze()
        turns.stop()
        stage.publish("c", "blue", size="120x160")
        assert stage.shows(a=GREY, b=GREY, c=BLUE)
        assert mixer.report().missing == ("a", "b")
        stage.publish("a", "blue")
        os.killpg(stalls.pid, signal.SIGCONT)
        assert stage.shows(a=BLUE)
        rate = (mixer.report().frames - frames) / (time.monotonic() - began)
        assert 14 < rate < 16
        assert mixer.report().late - late < 30
        corner = frame(snapshot.newest_segment(stage.nginx.folder / "hls" / "mix")).at((2, 122))[0]  # type: ignore[arg-type]
        assert near(corner, (0, 0, 0))  # what stands upright leaves the sides of its place black


def test_an_input_without_sound_stays_visible_while_its_place_changes(stage: Stage) -> None:
    stage.publish("a", "red", audio=False)
    with stage.mix(scene(a=quarter("a"))) as mixer:
        assert stage.shows(a=RED)
        shown = mixer._inputs["a"]
        before, began = shown.current, time.monotonic()
        mixer.show(scene(a=Tile(Rectangle(0, 0, 320, 240))))
        assert eventually(lambda: shown.current is not before, 40)
        print(f"sharp after {time.monotonic() - began:.1f} s")  # noqa: T201 for whoever reads the tests' output
        assert shown.current.picture


def test_a_hanging_decoder_and_a_hanging_encoder_are_replaced(stage: Stage) -> None:
    published = {stage.publish("a", "red").pid}
    with stage.mix(scene(a=quarter("a"))) as mixer:
        assert stage.shows(a=RED)
        for pid in set(ffmpegs()) - published:
            os.killpg(pid, signal.SIGSTOP)
        assert eventually(lambda: not mixer.report().publishes, 30)
        assert eventually(lambda: mixer.report().publishes and not mixer.report().missing, 40), mixer.report()
        assert stage.shows(a=RED)


def test_a_media_server_that_dies_is_published_to_again(stage: Stage) -> None:
    stage.publish("a", "red")
    with stage.mix(scene(a=quarter("a"))) as mixer:
        assert stage.shows(a=RED)
        os.kill(stage.nginx.worker, signal.SIGKILL)
        assert eventually(lambda: mixer.report().missing == ("a",), 20)
        stage.publish("a", "blue")
        assert stage.shows(a=BLUE)
        assert mixer.report().idle_seconds < 1


# The parts


def test_the_canvas_paints_layers_and_stretches_what_has_the_wrong_size() -> None:
    canvas = Canvas(8, 8, 0xFFFFFF)
    low, high = Frame(8, 8), Frame(2, 2)
    high.buffer.fill(9)
    tiles = [(Tile(Rectangle(2, 2, 4, 4), 2), high), (Tile(Rectangle(0, 0, 8, 8), 1), low)]
    luma, blue, _ = canvas.paint(tiles).planes
    assert (luma[0, 0], luma[3, 3], luma[6, 6]) == (0, 9, 0)
    assert (blue[0, 0], blue[1, 1], blue[2, 2], blue[3, 3]) == (0, 9, 9, 0)
    assert canvas.paint([]).planes[0].min() == 235


@pytest.mark.parametrize("turns", [0, 7])
def test_sound_stays_in_step_with_the_clock(turns: int) -> None:
    second = bytes([1, 0]) * 2 * RATE
    buffer = SoundBuffer()
    assert buffer.take(RATE // 10) is None
    buffer.put(second[: LEAST - SAMPLE_BYTES])
    assert buffer.take(RATE // 10) is None  # it waits until there is something to go on with
    for _ in range(turns):
        buffer.put(second)
    buffer.put(second[:MOST])
    left = 0
    while (taken := buffer.take(RATE // 100)) is not None and taken.all():
        left += len(taken.tobytes())
    assert KEPT - SAMPLE_BYTES * RATE // 100 <= left <= KEPT


def test_the_sum_of_loud_inputs_is_cut() -> None:
    loud = SoundBuffer()
    loud.put(b"\xff\x7f" * 2 * RATE)
    samples = loud.take(4)
    assert mixed(4, [samples, samples, None]) == b"\xff\x7f" * 8
    assert mixed(4, []) == bytes(16)
