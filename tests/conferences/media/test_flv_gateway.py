"""The gateway behind a real nginx-rtmp, with real ffmpeg publishers; Confr's place is taken by a small backend."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from urllib3.exceptions import HTTPError

from conferences.media import ffmpeg, flv
from conferences.media.flv_gateway import ASK_SECONDS, MAX_VIEWERS, Options, command
from conferences.media.nginx_conf import SECRET_HEADER
from supervisor.settings import CHECKOUT
from tests.conferences.media.servers import Backend, Nginx, eventually, is_open

pytestmark = [pytest.mark.media, pytest.mark.slow]

KEY, OTHER_KEY = "1a2b3c.4d.AAAAAAAAAAAAAAAAAAAAAA", "1a2b3c.4e.AAAAAAAAAAAAAAAAAAAAAA"
PATIENCE = 30.0


class Gateway:
    """A running gateway, and the processes that it has started."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = psutil.Process(process.pid)

    def pullers(self) -> list[psutil.Process]:
        return self.process.children(recursive=True)

    def viewers(self, port: int) -> int:
        return sum(each.status == "ESTABLISHED" and each.laddr.port == port for each in self.process.net_connections())


@pytest.fixture
def gateway(nginx: Nginx, backend: Backend, settings, tmp_path: Path) -> Iterator[Gateway]:
    settings.FLV = True
    keys_file = tmp_path / "keys.json"
    keys_file.write_text(json.dumps({"media": ["new-secret", "old-secret"]}))
    options = Options(nginx.flv_port, "127.0.0.1", backend.port, nginx.rtmp_port, keys_file)
    process = subprocess.Popen([sys.executable, *command(options)], cwd=CHECKOUT)
    try:
        assert eventually(lambda: is_open(nginx.flv_port), PATIENCE)
        yield Gateway(process)
    finally:
        children = psutil.Process(process.pid).children() if process.poll() is None else []
        process.terminate()
        assert process.wait(PATIENCE) in {0, -signal.SIGKILL}
        assert psutil.wait_procs(children, PATIENCE)[1] == []


class Viewer:
    """Who watches over HTTP: `tags` are what came, `is_over` says whether the connection has ended."""

    def __init__(self, url: str) -> None:
        self.tags: list[flv.Tag] = []
        self.answer = requests.get(url, stream=True, timeout=PATIENCE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_over(self) -> bool:
        return not self._reader.is_alive()

    @property
    def key_frames(self) -> list[flv.Tag]:
        return [tag for tag in self.tags if tag.is_key_frame]

    def sees_more(self) -> bool:
        """Whether pictures go on to come."""
        before = len(self.key_frames)
        return eventually(lambda: len(self.key_frames) > before, PATIENCE)

    def leave(self) -> None:
        connection = self.answer.raw.connection
        if connection and connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)
        self._reader.join(PATIENCE)
        self.answer.close()

    def _read(self) -> None:
        reader = flv.Reader()
        try:
            while data := self.answer.raw.read1(65536):
                self.tags += reader.feed(data)
        except HTTPError:  # it was cut
            return


@contextmanager
def watched(backend: Backend, name: str, key: str = KEY) -> Iterator[Viewer]:
    """Somebody who sees the stream."""
    viewer = Viewer(backend.adapter.play_urls(name, key)["flv"])
    try:
        assert eventually(lambda: viewer.key_frames, PATIENCE)
        yield viewer
    finally:
        viewer.leave()


@contextmanager
def published(
    backend: Backend, name: str, *, key_frames_every: int = 15, picture_after: int = 0
) -> Iterator[ffmpeg.Process]:
    command = ["ffmpeg", *ffmpeg.QUIET, "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=15"]
    command += ["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", str(key_frames_every), "-threads", "1"]
    command += [
        "-vf",
        f"setpts=PTS+{picture_after}/TB",
        "-c:a",
        "aac",
        "-ac",
        "1",
        *ffmpeg.INTERLEAVE,
        "-f",
        "flv",
        backend.adapter.push_url(name, KEY),
    ]
    with ffmpeg.Process(command, limit=120) as publisher:
        assert eventually(lambda: is_received(backend, name), PATIENCE), publisher.log
        yield publisher


def is_received(backend: Backend, name: str) -> bool:
    return any(row.name == name and row.bytes_in for row in backend.adapter.list_streams().streams)


def players(backend: Backend, name: str) -> int:
    rows = [row for row in backend.adapter.list_streams().streams if row.name == name]
    return sum(not client.publishing for row in rows for client in row.clients)


def test_a_stream_is_seen_and_heard(gateway: Gateway, backend: Backend):
    with published(backend, "a-1"):
        url = backend.adapter.play_urls("a-1", KEY)["flv"]
        seen = ffmpeg.probe(url, seconds=2, timeout=PATIENCE)

        assert (seen.video_codec, seen.audio_codec, seen.width, seen.height) == ("h264", "aac", 160, 120)
        assert seen.frames >= 15
        with watched(backend, "a-1") as viewer:
            assert viewer.answer.headers["Content-Type"] == "video/x-flv"
            assert viewer.answer.headers["Access-Control-Allow-Origin"] == "*"
            assert viewer.answer.headers["Cache-Control"] == "no-store"
    asked = backend.last("watch", "a-1")
    assert (asked.key, asked.address) == (KEY, "127.0.0.1")


def test_viewers_of_a_stream_share_one_puller_which_goes_with_the_last(gateway: Gateway, backend: Backend):
    with published(backend, "a-1"), published(backend, "b-1"):
        with watched(backend, "a-1") as first, watched(backend, "a-1", OTHER_KEY) as second:
            assert len(gateway.pullers()) == players(backend, "a-1") == 1
            with watched(backend, "b-1"):
                assert len(gateway.pullers()) == 2
            first.leave()
            assert second.sees_more()
            assert eventually(lambda: len(gateway.pullers()) == 1, PATIENCE)
        assert eventually(lambda: gateway.pullers() == [], PATIENCE)
        assert eventually(lambda: players(backend, "a-1") == 0, PATIENCE)

        with watched(backend, "a-1"):
            assert len(gateway.pullers()) == 1


def test_who_comes_late_sees_the_last_key_frame_at_once(gateway: Gateway, backend: Backend):
    with published(backend, "a-1", key_frames_every=30), watched(backend, "a-1") as early:
        assert early.sees_more()
        known = early.key_frames[-1]
        with watched(backend, "a-1") as late:
            assert [tag.kind for tag in late.tags[:3]] == [flv.SCRIPT, flv.PICTURE, flv.SOUND]
            assert all(tag.is_setup for tag in late.tags[:3])
            assert late.tags[3] in {known, early.key_frames[-1]}


def test_a_picture_that_comes_later_is_there_for_those_who_come_again(gateway: Gateway, backend: Backend):
    with published(backend, "a-1", picture_after=8):
        first = Viewer(backend.adapter.play_urls("a-1", KEY)["flv"])

        assert eventually(lambda: first.is_over, PATIENCE)
        assert first.tags
        assert first.key_frames == []
        with watched(backend, "a-1") as second:
            assert second.sees_more()


def test_whom_confr_refuses_gets_nothing(gateway: Gateway, backend: Backend):
    backend.decide = lambda event: event.key != OTHER_KEY
    with published(backend, "a-1"):
        answer = requests.get(backend.adapter.play_urls("a-1", OTHER_KEY)["flv"], timeout=PATIENCE)

        assert (answer.status_code, answer.content) == (403, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert gateway.pullers() == []


def test_a_stream_that_is_not_there_ends_at_once(gateway: Gateway, backend: Backend):
    viewer = Viewer(backend.adapter.play_urls("a-1", KEY)["flv"])

    assert eventually(lambda: viewer.is_over, PATIENCE)
    assert viewer.tags == []
    assert eventually(lambda: gateway.pullers() == [], PATIENCE)


def test_who_may_no_longer_watch_is_cut_within_a_second_and_nobody_else(gateway: Gateway, backend: Backend):
    with published(backend, "a-1"), watched(backend, "a-1", OTHER_KEY) as kicked, watched(backend, "a-1") as other:
        backend.decide = lambda event: event.key != OTHER_KEY
        began = time.monotonic()

        assert eventually(lambda: kicked.is_over, PATIENCE)
        assert time.monotonic() - began < ASK_SECONDS + 3  # the machine may be busy
        assert other.sees_more()


def test_viewers_go_with_the_publisher(gateway: Gateway, backend: Backend):
    with published(backend, "a-1") as publisher, watched(backend, "a-1") as viewer:
        publisher.stop()

        assert eventually(lambda: viewer.is_over, PATIENCE)
        assert eventually(lambda: gateway.pullers() == [], PATIENCE)


def test_while_confr_is_away_viewers_stay_and_nobody_comes(gateway: Gateway, backend: Backend):
    with published(backend, "a-1"), watched(backend, "a-1") as viewer:
        backend.stop()
        refused = requests.get(backend.adapter.play_urls("a-1", OTHER_KEY)["flv"], timeout=PATIENCE)

        assert refused.status_code == 502
        assert all(viewer.sees_more() for _ in range(3))

        backend.decide = lambda event: False
        backend.start()
        assert eventually(lambda: viewer.is_over, PATIENCE)


def test_who_does_not_read_is_cut_and_holds_up_nobody(gateway: Gateway, backend: Backend, nginx: Nginx, tmp_path: Path):
    film = tmp_path / "noise.flv"
    noise = ["ffmpeg", *ffmpeg.QUIET, "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15,noise=alls=100:allf=t"]
    noise += ["-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "8", str(film)]
    subprocess.run(noise, check=True)
    fast = ["ffmpeg", *ffmpeg.QUIET, "-readrate", "4", "-stream_loop", "-1", "-i", str(film), "-c", "copy"]
    with ffmpeg.Process([*fast, "-f", "flv", backend.adapter.push_url("a-1", KEY)], limit=120):
        assert eventually(lambda: is_received(backend, "a-1"), PATIENCE)
        with watched(backend, "a-1") as viewer, socket.create_connection(("127.0.0.1", nginx.http_port)) as stuck:
            stuck.sendall(f"GET /flv/{OTHER_KEY}/a-1.flv HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert eventually(lambda: gateway.viewers(nginx.flv_port) == 2, PATIENCE)

            assert eventually(lambda: gateway.viewers(nginx.flv_port) == 1, 60)
            assert viewer.sees_more()


def test_only_nginx_may_ask_and_nonsense_harms_nobody(gateway: Gateway, backend: Backend, nginx: Nginx):
    direct = f"http://127.0.0.1:{nginx.flv_port}/flv/{KEY}/a-1.flv"
    public = f"http://127.0.0.1:{nginx.http_port}/flv"
    with published(backend, "a-1"), watched(backend, "a-1") as viewer:
        asked = len(backend.events)
        assert requests.get(direct, timeout=PATIENCE).status_code == 403
        assert requests.get(direct, headers={SECRET_HEADER: "old-secret"}, timeout=PATIENCE).status_code == 403
        for nonsense in (b"\x00" * 100, b"\xff\xfe\r\n\r\n", b"GET " + b"/" * 100_000, b""):
            with socket.create_connection(("127.0.0.1", nginx.flv_port)) as client:
                client.sendall(nonsense)
        for path in ("", "/", "/x/../a.flv", "/a b/a-1.flv", f"/{'k' * 65}/a-1.flv", f"/{KEY}/a_1.flv", f"/{KEY}/a-1"):
            assert requests.get(f"{public}{path}", timeout=PATIENCE).status_code == 404, path

        assert viewer.sees_more()
        assert {event.key for event in backend.events[asked:]} <= {KEY}
        assert backend.refused == []


def test_a_hundred_are_let_in_at_a_time(gateway: Gateway, backend: Backend, nginx: Nginx):
    backend.decide = lambda event: False
    url = backend.adapter.play_urls("a-1", KEY)["flv"]
    with ExitStack() as held:
        for _ in range(MAX_VIEWERS):
            held.enter_context(socket.create_connection(("127.0.0.1", nginx.flv_port)))
        assert requests.get(url, timeout=PATIENCE).status_code == 503
    assert eventually(lambda: requests.get(url, timeout=PATIENCE).status_code == 403, PATIENCE)


def test_a_killed_gateway_leaves_no_ffmpeg_behind(gateway: Gateway, backend: Backend):
    with published(backend, "a-1"), watched(backend, "a-1") as viewer:
        pullers = gateway.pullers()
        os.kill(gateway.process.pid, signal.SIGKILL)

        assert psutil.wait_procs(pullers, PATIENCE)[1] == []
        assert eventually(lambda: viewer.is_over, PATIENCE)
        assert eventually(lambda: players(backend, "a-1") == 0, PATIENCE)


def test_nothing_that_is_written_holds_a_key(gateway: Gateway, backend: Backend, nginx: Nginx, capfd):
    with published(backend, "a-1"), watched(backend, "a-1"):
        backend.decide = lambda event: event.kind == "play"
        assert requests.get(backend.adapter.play_urls("a-1", OTHER_KEY)["flv"], timeout=PATIENCE).status_code == 403

    said = "".join(capfd.readouterr()) + nginx.written()
    assert KEY not in said
    assert OTHER_KEY not in said
