"""A mix on a whole Confr: seen, changed, and alive whatever process dies under it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from conferences.media.snapshot import newest_segment
from tests.conferences.media.probes import BLUE, GREEN, RED, Rgb, near, pixels, publish
from tests.scenarios.faults.processes import Processes
from tests.scenarios.stage import Published, Room, Stage, eventually, measured

pytestmark = [pytest.mark.media, pytest.mark.server, pytest.mark.slow]

LEFT, RIGHT = (80, 60), (240, 60)


class Mixed:
    """A mix that runs, with what is seen of it."""

    def __init__(self, room: Room, **wish) -> None:
        self.room = room
        self.started = time.monotonic()
        self.told = room.call("POST", "/mixes", width=320, height=120, bitrate=300_000, **wish)
        self.media_name = self.told["play"]["rtmp"].partition("?")[0].rpartition("/")[2]

    def call(self, method: str, **wish):
        return self.room.call(method, f"/mixes/{self.told['mixId']}", **wish)

    def seen(self) -> list[Rgb]:
        segment = newest_segment(self.room.stage.server.var / "media" / "hls" / self.media_name)
        try:
            return pixels(segment, LEFT, RIGHT) if segment else []
        except (OSError, ValueError, subprocess.CalledProcessError):  # it is being written, or gone
            return []

    def until_seen(self, left: Rgb, right: Rgb, *, seconds: float = 20) -> None:
        def looks_so() -> bool:
            seen = self.seen()
            return bool(seen) and near(seen[0], left) and near(seen[1], right)

        eventually(looks_so, seconds=seconds, what=f"{left} {right}")

    def processes(self) -> list[int]:
        """The ffmpeg processes that publish it."""
        lines = ((each.pid, " ".join(each.info["cmdline"] or [])) for each in psutil.process_iter(["cmdline"]))
        return [pid for pid, line in lines if "ffmpeg" in line and f"{self.media_name}?key" in line]


def push(room: Room, owner: str, colour: str) -> Published:
    stream = room.offer(owner, kind="video")
    stream.process = room.stack.enter_context(publish(stream.url, colour))
    stream.until_live()
    return stream


@pytest.fixture(scope="module")
def room(house: Stage) -> Iterator[Room]:
    with house.room("anna", "ben") as room:
        yield room


@pytest.fixture(scope="module")
def mix(room: Room) -> Mixed:
    """anna is red, on the left; ben is lime, on the right."""
    streams = [push(room, "anna", "red"), push(room, "ben", "lime")]
    places = [
        {"streamId": stream.stream_id, "x": 160 * number, "width": 160, "height": 120}
        for number, stream in enumerate(streams)
    ]
    return Mixed(room, inputs=places)


def test_a_mix_is_a_stream_of_the_room_and_changes_while_it_runs(room: Room, mix: Mixed):
    added = room["ben"].expect("onStreamAdded", streamId=mix.told["streamId"])
    measured(start_to_told=added - mix.started)
    mix.until_seen(RED, GREEN)
    inputs = mix.told["inputs"]
    inputs[0]["x"], inputs[1]["x"] = inputs[1]["x"], inputs[0]["x"]
    asked = time.monotonic()
    mix.call("PATCH", inputs=inputs)
    room["ben"].expect("onMixUpdated")
    mix.until_seen(GREEN, RED)
    measured(update_to_seen_in_hls=time.monotonic() - asked)
    assert mix.call("GET")["missing"] == []
    assert room["ben"].ask("subStream", streamId=mix.told["streamId"])["rtmp"].startswith("rtmp://")


def test_a_killed_worker_leaves_no_ffmpeg_and_another_takes_the_mix_up(mix: Mixed, processes: Processes):
    before = eventually(mix.processes)
    gone = processes.kill("media_worker")
    killed = time.monotonic()
    eventually(lambda: not set(before) & set(mix.processes()), what="its ffmpeg is gone")
    eventually(mix.processes, seconds=40, what="mixed again")
    measured(kill_to_mixed_again=time.monotonic() - killed)
    mix.until_seen(GREEN, RED)
    assert processes.pid("media_worker") != gone


def test_a_hanging_ffmpeg_is_replaced_and_a_media_server_that_dies_is_published_to_again(
    room: Room, mix: Mixed, processes: Processes
):
    for pid in mix.processes():
        os.killpg(pid, signal.SIGSTOP)
    mix.until_seen(GREEN, RED, seconds=40)
    os.kill(processes.nginx_worker(), signal.SIGKILL)
    eventually(lambda: mix.call("GET")["missing"], seconds=20, what="both are missing")
    for owner, colour in (("anna", "blue"), ("ben", "red")):
        push(room, owner, colour)
    mix.until_seen(RED, BLUE, seconds=40)


def test_a_mix_that_is_stopped_leaves_the_room_and_no_process(room: Room, mix: Mixed):
    mix.call("DELETE")
    room["ben"].expect("onStreamRemoved", streamId=mix.told["streamId"])
    room["ben"].expect("onMixStopped", reason="requested")
    eventually(lambda: not mix.processes(), what="no ffmpeg is left")
    eventually(lambda: room.stage.stat(mix.media_name) is None)
