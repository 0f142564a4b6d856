"""The output of a mix: frames and samples go in, a stream is published. One ffmpeg; it may die or hang."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from queue import Empty, Full, Queue

from conferences.media import ffmpeg
from conferences.media.scene import Output
from conferences.media.sound import CHANNELS, RATE

STALL_SECONDS = 5.0
START_SECONDS = 10.0  # more at the beginning, when it opens its pipes and connects
QUEUED_SECONDS = 2
END_SECONDS = 0.2


class Encoder:
    """Publishes to `url` from its making to `close`. What it cannot take in time is lost, and counted.

    Pictures and samples are written by a thread each: ffmpeg waits for one of the pipes while it reads the other.
    """

    def __init__(self, output: Output, url: str) -> None:
        self.lost = 0
        self._wrote_at = time.monotonic()
        self._patient_until = self._wrote_at + START_SECONDS
        self._closed = threading.Event()
        pictures, picture_end = os.pipe()
        sound, sound_end = os.pipe()
        self._process = ffmpeg.Process(_command(output, url, pictures, sound), limit=None, pass_fds=(pictures, sound))
        os.close(pictures)
        os.close(sound)
        size = output.fps * QUEUED_SECONDS
        self._queues: tuple[Queue[memoryview | bytes], ...] = (Queue(size), Queue(size))
        ends = (picture_end, sound_end)
        self._writers = [
            threading.Thread(target=self._write, args=pair, name="mix-output", daemon=True)
            for pair in zip(self._queues, ends, strict=True)
        ]
        for writer in self._writers:
            writer.start()

    @property
    def works(self) -> bool:
        """Whether it is there and takes what it is given."""
        return self._process.running and time.monotonic() - max(self._wrote_at, self._patient_until) < STALL_SECONDS

    @property
    def log(self) -> str:
        return self._process.log

    def put(self, picture: memoryview, samples: bytes) -> None:
        """One tick of the clock."""
        try:
            self._queues[0].put_nowait(picture)
            self._queues[1].put_nowait(samples)
        except Full:
            self.lost += 1

    def close(self) -> None:
        """End it; ffmpeg says goodbye to the media server when it can."""
        self._closed.set()
        self._process.stop()
        for writer in self._writers:
            writer.join()

    def _write(self, queue: Queue[memoryview | bytes], pipe: int) -> None:
        with open(pipe, "wb", buffering=0) as file, suppress(BrokenPipeError):
            while not self._closed.is_set():
                with suppress(Empty):
                    view = memoryview(queue.get(timeout=END_SECONDS))
                    while view:
                        view = view[file.write(view) :]
                    self._wrote_at = time.monotonic()


def _command(output: Output, url: str, pictures: int, sound: int) -> list[str]:
    raw = ["-probesize", "32", "-analyzeduration", "0", "-thread_queue_size", "64"]
    size = f"{output.width}x{output.height}"
    video = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-threads", "1"]
    video += ["-g", str(output.fps), "-b:v", str(output.bitrate), "-maxrate", str(output.bitrate)]
    video += ["-bufsize", str(output.bitrate)]
    return [
        "ffmpeg", *ffmpeg.QUIET,
        *raw, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(output.fps), "-i", f"pipe:{pictures}",
        *raw, "-f", "s16le", "-ar", str(RATE), "-ac", str(CHANNELS), "-i", f"pipe:{sound}",
        "-map", "0:v", "-map", "1:a", *video, "-c:a", "aac", "-b:a", "96k",
        *ffmpeg.INTERLEAVE, "-rw_timeout", ffmpeg.STALL_MICROSECONDS, "-f", "flv", url,
    ]  # fmt: skip
