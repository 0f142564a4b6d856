"""One way to run, bound, watch and end ffmpeg: jobs with progress, publishing a test picture, playing, probing.

Knows no Django and no media server. What ffmpeg says is kept in memory only, without the media keys of its
addresses; its command line, which only users of this machine see, has them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Self

STALL_MICROSECONDS = "5000000"
# Long enough for a key frame, which nginx waits for; sound comes at once.
ANALYZE_SECONDS = 2.0
LIMIT_SECONDS = 600.0
STOP_SECONDS = 2.0
LOG_LINES = 50
PROGRESS_SECONDS = "0.5"
# Ends a program with its owner, also one that is gone before this is asked for. It is made of programs, since code
# of ours between fork and exec could meet a lock of another thread. The owner's number and the niceness follow.
GUARD = ("setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec nice -n "$@"')
NICENESS = 10  # what runs by the hour leaves the processor to whoever answers calls
KEY = re.compile(r"\?[^\s'\"]*|(?<=/(?:hls|flv)/)[^/\s]+")
# A track that falls silent must not hold back the other one; ffmpeg would wait ten seconds for it.
INTERLEAVE = ("-max_interleave_delta", "100000")
NEW_TRACK = re.compile(r"^\[.*\] New (audio|video) stream", re.MULTILINE)
"""What ffmpeg says of a track that a stream had not when it was opened: only another run can take it up."""
TRACKS = ("-map", "0:v?", "-map", "0:a?")
QUIET = ("-hide_banner", "-nostdin", "-loglevel", "warning")


class FfmpegFailed(Exception):
    """ffmpeg ended with an error; the text is the end of its log."""


class FfmpegStalled(FfmpegFailed):
    """ffmpeg made no progress for too long, and was ended."""


class Process:
    """A program of ours in a process group of its own, killed when its time is up or its owner leaves.

    `limit` is its life in seconds (None: as long as its owner's), `pass_fds` are its pipes `pipe:<n>`. Use it as a
    context manager: leaving the block ends it. The kernel ends it with the thread that started it, so that it outlives
    no owner, killed ones included.

    Raises: FileNotFoundError, when there is no such program.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        limit: float | None,
        stdout: int = subprocess.DEVNULL,
        niceness: int = 0,
        pass_fds: Sequence[int] = (),
    ) -> None:
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(f"{command[0]} is not installed")
        self._process = subprocess.Popen(
            [*GUARD, str(os.getpid()), str(niceness), *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
            pass_fds=pass_fds,
        )
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._readers = [_thread(self._read_log)]
        self._timer: threading.Timer | None = None
        if limit is not None:
            self._timer = threading.Timer(limit, self._expire)
            self._timer.daemon = True
            self._timer.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """The last lines of what it said."""
        return "\n".join(self._log)

    def wait(self, timeout: float) -> int:
        """The exit code, once it ends by itself. Raises: subprocess.TimeoutExpired."""
        code = self._process.wait(timeout)
        self._close()
        return code

    def stop(self) -> int:
        """End it and all that it started, by force if it does not hurry; returns the exit code."""
        if self.running:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)
            deadline = time.monotonic() + STOP_SECONDS
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(0.01)
            self._signal(signal.SIGKILL)
        return self.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """Stop it without closing its connection, as a phone does that lost its network."""
        if self.running:
            self._signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _has_ended(self) -> bool:
        """Whether the leader is over. It is left unburied, so that its number and its group stay ours."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # another thread looked at `running` and buried it
            return True

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _expire(self) -> None:
        if self.running:
            self._signal(signal.SIGKILL)

    def _close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for reader in self._readers:
            reader.join(STOP_SECONDS)

    def _read_log(self) -> None:
        for line in _lines(self._process.stderr):
            self._log.append(KEY.sub("…", line.rstrip()))


@dataclass(frozen=True, slots=True)
class Progress:
    """How much media ffmpeg has written, and when it said so (on the monotonic clock)."""

    seconds: float
    at: float


class Job(Process):
    """An ffmpeg that says how far it has come. `options` are all but the general ones."""

    def __init__(self, options: Sequence[str], *, limit: float | None = None, niceness: int = NICENESS) -> None:
        command = ["ffmpeg", *QUIET, "-y", "-progress", "pipe:1", "-stats_period", PROGRESS_SECONDS, *options]
        super().__init__(command, limit=limit, stdout=subprocess.PIPE, niceness=niceness)
        self.progress = Progress(0.0, time.monotonic())
        self._readers.append(_thread(self._read_progress))

    def watch(self, *, stall: float, every: float = 0.5) -> Iterator[Progress]:
        """Its progress, again and again until it ends.

        Raises: FfmpegStalled, when it stands still for `stall` seconds; it is over then.
        """
        while not self._ends_within(every):
            yield self.progress
            if time.monotonic() - self.progress.at > stall:
                self.stop()
                raise FfmpegStalled(f"no progress for {stall:.0f} s\n{self.log}")
        self.wait(STOP_SECONDS)

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read_progress(self) -> None:
        for line in _lines(self._process.stdout):
            name, _, value = line.partition("=")
            if name == "out_time_us" and value.strip().isdecimal():  # before anything is written it is no number
                seconds = int(value) / 1_000_000
                if seconds > self.progress.seconds:
                    self.progress = Progress(seconds, time.monotonic())


def run(
    options: Sequence[str],
    *,
    stall: float,
    limit: float | None = None,
    niceness: int = NICENESS,
    on_seconds: Callable[[float], object] = lambda seconds: None,
) -> None:
    """Run ffmpeg to its end. `on_seconds` hears how much media it has written; what it raises ends the work.

    Raises: FfmpegFailed, FfmpegStalled.
    """
    with Job(options, limit=limit, niceness=niceness) as job:
        for progress in job.watch(stall=stall):
            on_seconds(progress.seconds)
        if job.wait(STOP_SECONDS):
            raise FfmpegFailed(job.log or "killed")


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of media as it arrived; `at` is on the monotonic clock, `track` counts from 0."""

    at: float
    track: int
    size: int


class Player(Process):
    """Plays without decoding, and knows when which packet came."""

    def __init__(self, command: Sequence[str], *, limit: float) -> None:
        super().__init__(command, limit=limit, stdout=subprocess.PIPE)
        self.packets: list[Packet] = []
        self.tracks: dict[int, str] = {}
        self._readers.append(_thread(self._read_packets))

    @property
    def received(self) -> int:
        """How many bytes of media came so far."""
        return sum(packet.size for packet in self.packets)

    @property
    def last_at(self) -> float | None:
        """When the last packet came, on the monotonic clock: silence began then."""
        return self.packets[-1].at if self.packets else None

    def count(self, kind: str) -> int:
        """How many packets of "video" or "audio" came so far."""
        return sum(self.tracks.get(packet.track) == kind for packet in self.packets)

    def wait_for_packets(self, number: int, *, kind: str, timeout: float) -> bool:
        """Whether `number` packets of a kind came before the time was up or the stream was over."""
        deadline = time.monotonic() + timeout
        while self.count(kind) < number:
            if time.monotonic() > deadline or not self.running:
                return False
            time.sleep(0.02)
        return True

    def _read_packets(self) -> None:
        for line in _lines(self._process.stdout):
            if line.startswith("#media_type "):
                track, _, kind = line.removeprefix("#media_type ").partition(":")
                self.tracks[int(track)] = kind.strip()
            elif not line.startswith("#"):
                track, _dts, _pts, _duration, size = line.split(",")[:5]
                self.packets.append(Packet(time.monotonic(), int(track), int(size)))


@dataclass(frozen=True, slots=True)
class Probe:
    """What a stream is made of; `frames` is how many pictures could be decoded."""

    video_codec: str = ""
    audio_codec: str = ""
    width: int = 0
    height: int = 0
    frames: int = 0


def publish(
    url: str,
    *,
    size: str = "360x640",
    fps: int = 15,
    seconds: float | None = None,
    audio: bool = True,
    video: bool = True,
    video_seconds: float | None = None,
    picture: str = "testsrc",
) -> Process:
    """Start to publish a test picture with a tone, a key frame every second.

    It ends after `seconds`, or ten minutes; the picture alone ends after `video_seconds`. `picture` is the name of
    one of ffmpeg's sources.
    """
    length = f":duration={video_seconds}" if video_seconds else ""
    command = ["ffmpeg", *QUIET]
    if video:
        command += ["-re", "-f", "lavfi", "-i", f"{picture}=size={size}:rate={fps}{length}"]
    if audio:
        command += ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    command += ["-t", str(seconds or LIMIT_SECONDS)]
    if video:
        command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
        command += ["-pix_fmt", "yuv420p", "-g", str(fps), "-b:v", "600k", "-threads", "1"]
    if audio:
        command += ["-c:a", "aac", "-ac", "1", "-b:a", "48k"]
    return Process([*command, *INTERLEAVE, "-f", "flv", url], limit=LIMIT_SECONDS)


def play(url: str, *, seconds: float | None = None) -> Player:
    """Start to play; it ends with the stream, after `seconds`, or after ten minutes."""
    command = ["ffmpeg", *QUIET, *live_input(url), "-t", str(seconds or LIMIT_SECONDS)]
    command += [*TRACKS, "-c", "copy", *INTERLEAVE, "-flush_packets", "1", "-f", "framecrc", "pipe:1"]
    return Player(command, limit=LIMIT_SECONDS)


def probe(url: str, *, seconds: float = 2.0, timeout: float = 15.0) -> Probe:
    """Look at `seconds` of a stream and decode its pictures.

    Raises: FfmpegFailed, when there is no such stream, it is refused, or it takes longer than `timeout`.
    """
    # ffprobe 5.1 crashes now and then when it counts frames of a live stream.
    with TemporaryDirectory() as folder:
        copied, decoded = Path(folder, "copied"), Path(folder, "decoded")
        output = [*TRACKS, "-t", str(seconds), "-f", "framecrc"]
        command = ["ffmpeg", *QUIET, *live_input(url), *output, "-c", "copy", str(copied), *output, str(decoded)]
        with Process(command, limit=timeout) as process:
            code = process.wait(timeout + STOP_SECONDS)
        if code:
            raise FfmpegFailed(process.log or "timed out")
        return _probe(copied.read_text(), decoded.read_text())


def _probe(copied: str, decoded: str) -> Probe:
    kinds = dict(re.findall(r"^#media_type (\d+): (\w+)", copied, re.MULTILINE))
    codecs = {kinds[track]: codec for track, codec in re.findall(r"^#codec_id (\d+): (\S+)", copied, re.MULTILINE)}
    size = re.search(r"^#dimensions \d+: (\d+)x(\d+)", copied, re.MULTILINE)
    pictures = [line for line in decoded.splitlines() if kinds.get(line.partition(",")[0]) == "video"]
    return Probe(
        video_codec=codecs.get("video", ""),
        audio_codec=codecs.get("audio", ""),
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        frames=len(pictures),
    )


def live_input(url: str, *, analyze: float = ANALYZE_SECONDS) -> list[str]:
    """The options that open a stream, wait for its tracks, and give it up when it is silent for too long."""
    return ["-rw_timeout", STALL_MICROSECONDS, "-analyzeduration", str(round(analyze * 1_000_000)), "-i", url]


def _lines(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
