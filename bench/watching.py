"""`python -m bench.watching`: how late staff see a stream, over HLS and over FLV. Needs nginx-rtmp, ffmpeg, Chromium
and what the tests need; see README.md beside it.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil

from bench.media import CODED
from conferences.media import ffmpeg, flv_gateway, nginx_conf
from supervisor import ownership
from supervisor.settings import CHECKOUT
from tests.browser import chromium

WIDTH, HEIGHT, FPS = 360, 640, 15
SHADES = 8  # the picture is one of these greys, and goes on to the next one
SHADE_FRAMES = 49  # no whole number of seconds: each shade begins elsewhere in its segment
MEASURED = 12  # shades
BEHIND = (1, 2, 3)  # target durations from where a player plays to the end of the playlist
LOOK_SECONDS = 0.02
VISITS, VISIT_SECONDS = 3, 15  # a player keeps what delay it begins with
QUIET = ["-loglevel", "fatal"]  # all are killed in the end, and complain
# Each picture at once, as one byte of grey.
GREYS = ["-map", "0:v", "-vf", "extractplanes=y,crop=1:1:0:0", "-fps_mode", "passthrough", "-flush_packets", "1"]
GREYS += ["-f", "rawvideo", "pipe:1"]
# The dashboard's own player; what it shows is looked at with every picture.
PAGE = """<!doctype html>
<div id="box"><video playsinline></video><p data-status></p>
<button data-player="sound"></button><button data-player="fullscreen"></button><button data-player="picture"></button>
</div>
<script type="module">
  import { Player } from "/static/dashboard/player.js";
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const video = document.querySelector("video");
  window.pictures = [];
  function look() {
    context.drawImage(video, 0, 0, 2, 2, 0, 0, 1, 1);
    const grey = 16 + (context.getImageData(0, 0, 1, 1).data[0] * 219) / 255;
    window.pictures.push([(performance.timeOrigin + performance.now()) / 1000, grey]);
    video.requestVideoFrameCallback(look);
  }
  video.requestVideoFrameCallback(look);
  const urls = Object.fromEntries(new URLSearchParams(location.search));
  new Player(document.getElementById("box"), async () => urls, { audioOnly: false }).start();
</script>"""


@dataclass(frozen=True)
class Sight:
    """A shade that was seen for the first time, `at` on the monotonic clock."""

    at: float
    shade: int


def main() -> None:
    with TemporaryDirectory(prefix="confr-bench-") as folder, serving(Path(folder)) as server:
        figures = measure(server)
    print("| watching | |\n|---|---|")
    for name, figure in figures.items():
        print(f"| {name} | {figure:.3g} |")


def measure(server: Server) -> dict[str, float]:
    """The seconds from a picture's way into the publisher's encoder until it can be seen, and the gateway's cost."""
    with Camera(server.rtmp) as camera:
        playlist = Playlist(server.hls)
        playlist.follow(until=lambda: len(playlist.segments) > max(BEHIND))
        idle = server.memory()
        with Decoder(server.flv) as decoder:
            playlist.follow(until=lambda: decoder.sights)
            first, spent, began = len(camera.shown), server.spent(), time.monotonic()
            playlist.follow(until=lambda: len(camera.shown) > first + MEASURED)
            cost, watched = (server.spent() - spent) / (time.monotonic() - began), server.memory()
        browsed = {protocol: server.browse(protocol) for protocol in ("hls", "flv")}
    figures: dict[str, float] = {}
    for number in BEHIND:
        figures |= _delays(f"HLS, {number} x {playlist.target:.0f} s before the end", camera, playlist.sights(number))
    figures |= _delays("FLV, decoded as it comes", camera, decoder.sights)
    figures |= _delays("HLS in the dashboard's player", camera, browsed["hls"])
    figures |= _delays("FLV in the dashboard's player", camera, browsed["flv"])
    return figures | {
        "a stream over FLV: % of a core": cost * 100,
        "a stream over FLV: MB": (watched - idle) / 1e6,
        "the gateway alone: MB": idle / 1e6,
    }


def _delays(name: str, camera: Camera, sights: list[Sight]) -> dict[str, float]:
    found = [sight.at - shown for sight in sights if (shown := camera.last(sight)) is not None]
    return {f"{name}: s, median": statistics.median(found), f"{name}: s, at most": max(found)}


class Camera:
    """A publisher whose picture goes from one shade to the next; `shown` says when each began."""

    def __init__(self, url: str) -> None:
        self.shown: list[float] = []
        raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "pipe:0"]
        tone = ["-re", "-f", "lavfi", "-i", "sine=440:sample_rate=48000"]
        command = ["ffmpeg", *QUIET, *raw, *tone, *CODED, *ffmpeg.INTERLEAVE, "-f", "flv", url]
        self._encoder = subprocess.Popen(command, stdin=subprocess.PIPE)
        self._is_over = threading.Event()
        self._feeder = threading.Thread(target=self._feed)

    def __enter__(self) -> Camera:
        self._feeder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._feeder.join()
        self._encoder.kill()
        self._encoder.wait()

    def last(self, sight: Sight) -> float | None:
        """When the shade began that was seen."""
        numbers = range(sight.shade, len(self.shown), SHADES)
        return max((self.shown[number] for number in numbers if self.shown[number] < sight.at), default=None)

    def _feed(self) -> None:
        assert self._encoder.stdin
        began, frame = time.monotonic(), 0
        while not self._is_over.wait(max(0.0, began + frame / FPS - time.monotonic())):
            number, is_old = divmod(frame, SHADE_FRAMES)
            if not is_old:
                self.shown.append(time.monotonic())
            luma = bytes([_grey(number % SHADES)]) * (WIDTH * HEIGHT)
            self._encoder.stdin.write(luma + b"\x80" * (WIDTH * HEIGHT // 2))
            frame += 1


class Decoder:
    """A viewer over FLV that shows each picture as soon as it has come."""

    def __init__(self, url: str) -> None:
        self.sights: list[Sight] = []
        command = ["ffmpeg", *QUIET, "-threads", "1", "-flags", "low_delay", "-i", url, *GREYS]
        self._ffmpeg = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Decoder:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ffmpeg.kill()
        self._ffmpeg.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._ffmpeg.stdout
        pictures = iter(partial(self._ffmpeg.stdout.read, 1), b"")
        self.sights.extend(_settled((time.monotonic(), picture[0]) for picture in pictures))


@dataclass(frozen=True)
class Segment:
    """A segment of `seconds`, which was in the playlist `at` first."""

    at: float
    seconds: float
    content: bytes


class Playlist:
    """What a player reads that asks for the playlist every 20 ms."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: set[str] = set()
        self.segments: list[Segment] = []
        self.target = 0.0

    def follow(self, *, until: Callable[[], object]) -> None:
        while not until():
            self._look()
            time.sleep(LOOK_SECONDS)

    def sights(self, behind: int) -> list[Sight]:
        """What a player sees that plays `behind` target durations before the end of the playlist."""
        pictures: list[tuple[float, int]] = []
        for segment in self.segments:
            played_at = segment.at - segment.seconds + behind * self.target
            decoding = ["ffmpeg", *QUIET, "-i", "pipe:0", *GREYS]
            greys = subprocess.run(decoding, input=segment.content, capture_output=True, check=True).stdout
            pictures += [(played_at + number / FPS, grey) for number, grey in enumerate(greys)]
        return list(_settled(pictures))

    def _look(self) -> None:
        try:
            with urlopen(self._url) as answer:  # noqa: S310 an address of ours
                playlist = answer.read().decode()
        except HTTPError:  # not before there is a segment
            return
        at = time.monotonic()
        self.target = float(re.findall(r"#EXT-X-TARGETDURATION:(\d+)", playlist)[0])
        for seconds, name in re.findall(r"#EXTINF:([\d.]+),.*\n(\S+)", playlist):
            if name not in self._known:
                self._known.add(name)
                with urlopen(self._url.replace("index.m3u8", name)) as answer:  # noqa: S310 an address of ours
                    self.segments.append(Segment(at, float(seconds), answer.read()))


def _changes(pictures: Iterable[tuple[float, float]]) -> Iterator[Sight]:
    """When which shade was seen first, of pictures with their times and greys."""
    before = None
    for at, grey in pictures:
        shade = min(range(SHADES), key=lambda shade: abs(_grey(shade) - grey))
        if shade != before:
            yield Sight(at, shade)
        before = shade


def _settled(pictures: Iterable[tuple[float, float]]) -> Iterator[Sight]:
    """The changes but for the first shade, which began before, and the second, which may come of what was kept."""
    return islice(_changes(pictures), 2, None)


def _grey(shade: int) -> int:
    return 32 + 24 * shade


@dataclass(frozen=True)
class Server:
    """Our nginx-rtmp and its gateway, which let everybody in: where one stream is, and what the gateway takes."""

    page: str
    rtmp: str
    hls: str
    flv: str
    gateway: psutil.Process

    def browse(self, protocol: str) -> list[Sight]:
        """What Chromium shows, with the dashboard's player."""
        epoch, sights = time.time() - time.monotonic(), list[Sight]()
        with chromium() as browser:
            for _ in range(VISITS):
                page = browser.new_page()
                page.goto(f"{self.page}?{urlencode({protocol: getattr(self, protocol)})}")
                page.wait_for_timeout(VISIT_SECONDS * 1000)
                sights += _settled((at - epoch, grey) for at, grey in page.evaluate("window.pictures"))
                page.close()
        return sights

    def spent(self) -> float:
        """Seconds of the processor, of ffmpeg too."""
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def memory(self) -> int:
        """Bytes, of ffmpeg too, pages that others share divided among them."""
        return sum(process.memory_full_info().pss for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        return [self.gateway, *self.gateway.children()]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server, until the block ends."""
    folder.chmod(0o711)  # as root, nginx runs under an account that must pass here
    backend = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    rtmp_port, http_port, control_port, flv_port = (_free_port() for _ in range(4))
    secret, keys_file = secrets.token_hex(), folder / "keys.json"
    keys_file.write_text(json.dumps({"media": [secret]}))
    config = nginx_conf.prepare(
        folder / "media",
        bind="127.0.0.1",
        rtmp_port=rtmp_port,
        http_port=http_port,
        control_port=control_port,
        backend_port=backend.server_port,
        flv_port=flv_port,
        secret=secret,
        user=ownership.unprivileged("www-data"),
    )
    options = flv_gateway.Options(flv_port, "127.0.0.1", backend.server_port, rtmp_port, keys_file)
    nginx = subprocess.Popen(nginx_conf.command(config))
    gateway = subprocess.Popen([sys.executable, *flv_gateway.command(options)], cwd=CHECKOUT)
    try:
        _wait_for(http_port)
        _wait_for(flv_port)
        media = f"http://127.0.0.1:{http_port}"
        yield Server(
            page=f"http://127.0.0.1:{backend.server_port}/",
            rtmp=f"rtmp://127.0.0.1:{rtmp_port}/live/s",
            hls=f"{media}/hls/key/s/index.m3u8",
            flv=f"{media}/flv/key/s.flv",
            gateway=psutil.Process(gateway.pid),
        )
    finally:
        for process in (gateway, nginx):
            process.terminate()
            process.wait()
        backend.shutdown()


class Backend(BaseHTTPRequestHandler):
    """Confr's place: yes to all hooks, and a page with the dashboard's player."""

    def do_POST(self) -> None:  # what the rtmp module asks
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(204)
        self.send_header(nginx_conf.PULL_HEADER, "key")
        self.end_headers()

    def do_GET(self) -> None:  # what nginx, the gateway and Chromium ask
        path = self.path.partition("?")[0]
        if path.startswith("/hooks/"):
            self.do_POST()
        elif path == "/":
            self._send("text/html", PAGE.encode())
        elif path.startswith("/static/"):
            self._send("text/javascript", (CHECKOUT / path[1:]).read_bytes())
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
