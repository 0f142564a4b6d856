"""One input of a mix: a stream that is played, decoded and scaled as long as it is wanted, whatever happens to it."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from conferences.media import ffmpeg
from conferences.media.canvas import Frame, frame_bytes
from conferences.media.scene import Fit
from conferences.media.sound import CHANNELS, RATE, SoundBuffer

logger = logging.getLogger(__name__)

SILENT_SECONDS = 3.0  # older than this, a picture is not shown any more
STALL_SECONDS = 6.0  # longer than ffmpeg itself waits for a silent stream
START_SECONDS = 15.0
LOOK_SECONDS = 0.05
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 3.0)
PIPE_BYTES = 1 << 20
CHUNK = 1 << 14
PICTURE, SOUND = "picture", "sound"
_LACKS = re.compile(r"Output file #(\d) does not contain any stream")
_NEW_TRACK = re.compile(r"New (?:audio|video) stream")


class Decoder:
    """Plays what `url` answers, again and again until it is closed. Its thread owns the ffmpeg."""

    def __init__(self, url: Callable[[], str], *, width: int, height: int, fit: Fit, fps: int) -> None:
        self.sound = SoundBuffer()
        self._url, self._width, self._height, self._fps = url, width, height, fps
        self._scale = _scale(width, height, fit)
        self._frame: tuple[float, Frame] | None = None
        self._heard_at = float("-inf")
        self._tracks: tuple[str, ...] = (PICTURE, SOUND)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mix-input", daemon=True)
        self._thread.start()

    @property
    def picture(self) -> Frame | None:
        """The newest picture; None where there is none that is new enough."""
        newest = self._frame
        return newest[1] if newest and time.monotonic() - newest[0] < SILENT_SECONDS else None

    @property
    def is_live(self) -> bool:
        """Whether anything came lately."""
        return time.monotonic() - self._came_at < SILENT_SECONDS

    @property
    def is_running(self) -> bool:
        """Whether its thread goes on; so may its ffmpeg."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Have it end; it does so by itself."""
        self._closed.set()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    @property
    def _came_at(self) -> float:
        return max(self._heard_at, self._frame[0] if self._frame else float("-inf"))

    def _run(self) -> None:
        failures = 0
        while not self._closed.is_set():
            began = time.monotonic()
            log = self._play()
            if lacks := _LACKS.search(log):
                self._tracks = tuple(track for number, track in enumerate(self._tracks) if number != int(lacks[1]))
            if not lacks or not self._tracks:
                self._tracks = (PICTURE, SOUND)
                failures = 0 if self._came_at > began else failures + 1
                self._closed.wait(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    def _play(self) -> str:
        """One connection, until it ends, stands still, has a new track or is wanted no longer; what ffmpeg said."""
        began = time.monotonic()
        with self._pipes() as pipes:
            outputs = [part for track, pipe in pipes.items() for part in self._output(track, pipe)]
            source = ["-fflags", "nobuffer", "-fpsprobesize", "0", *ffmpeg.live_input(self._url())]
            command = ["ffmpeg", *ffmpeg.QUIET, "-threads", "1", "-filter_threads", "1", *source, *outputs]
            with ffmpeg.Process(command, limit=None, pass_fds=list(pipes.values())) as process:
                for pipe in pipes.values():
                    os.close(pipe)
                while process.running and not self._closed.wait(LOOK_SECONDS):
                    if self._hangs_since(began) or _NEW_TRACK.search(process.log):
                        break
        return process.log

    def _hangs_since(self, began: float) -> bool:
        """Whether a connection that began then has been silent for too long."""
        now = time.monotonic()
        return now - self._came_at > STALL_SECONDS if self._came_at > began else now - began > START_SECONDS

    @contextmanager
    def _pipes(self) -> Iterator[dict[str, int]]:
        """A pipe for each track, each with a thread that reads it to its end; yields where ffmpeg writes."""
        readers, ends = [], {}
        for track in self._tracks:
            source, ends[track] = os.pipe()
            read = self._read_pictures if track == PICTURE else self._read_sound
            readers.append(threading.Thread(target=read, args=(source,), name=f"mix-{track}", daemon=True))
            readers[-1].start()
        yield ends
        for reader in readers:
            reader.join()

    def _output(self, track: str, pipe: int) -> list[str]:
        if track == PICTURE:
            filters = ["-vf", f"fps={self._fps},{self._scale}"]
            return ["-map", "0:v:0?", *filters, "-pix_fmt", "yuv420p", "-f", "rawvideo", f"pipe:{pipe}"]
        return ["-map", "0:a:0?", "-ac", str(CHANNELS), "-ar", str(RATE), "-f", "s16le", f"pipe:{pipe}"]

    def _read_pictures(self, pipe: int) -> None:
        size = frame_bytes(self._width, self._height)
        with open(pipe, "rb", buffering=0) as file:
            while True:
                buffer = np.empty(size, np.uint8)
                view, filled = buffer.data, 0
                while filled < size:
                    count = file.readinto(view[filled:])
                    if not count:
                        return
                    filled += count
                self._frame = time.monotonic(), Frame(self._width, self._height, buffer)

    def _read_sound(self, pipe: int) -> None:
        with open(pipe, "rb", buffering=0) as file:
            while data := file.read(CHUNK):
                self.sound.put(data)
                self._heard_at = time.monotonic()


def _scale(width: int, height: int, fit: Fit) -> str:
    """The filter that makes every picture of this size, also one that changes its own in the middle."""
    if fit == "fill":
        return f"scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}"
    scale = f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    return f"{scale},pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"
