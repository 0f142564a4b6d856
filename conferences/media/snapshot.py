"""Pictures of live streams: a small JPEG of each, from its newest finished HLS segment or else from RTMP.

Knows no Django. One ffmpeg takes the pictures of many segments, since starting it costs more than a picture does.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from conferences.media import ffmpeg

logger = logging.getLogger(__name__)

SIDE = 320
BATCH = 24
FRESH_SECONDS = 5.0
LATE_SECONDS = 10.0
PATIENCE_SECONDS = 10.0
AGAIN_SECONDS = 1.0
# A player waits for a key frame, which may be two seconds away: so many may wait at a time.
PLAYERS = 8

_SCALE = f"scale='min({SIDE},iw)':'min({SIDE},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2"
_INPUT = ("-threads", "1", "-probesize", "64k", "-analyzeduration", "0", "-skip_frame", "nokey")
_OUTPUT = ("-frames:v", "1", "-vf", _SCALE, "-q:v", "5", "-threads", "1", "-update", "1", "-f", "image2")


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG, and when it was seen, in seconds since the epoch."""

    jpeg: bytes
    taken_at: float


@dataclass(frozen=True, slots=True)
class Load:
    """How many streams are looked at, and of how many the picture is older than it should be."""

    wanted: int = 0
    late: int = 0


def newest_segment(folder: Path) -> Path | None:
    """The newest finished segment of an HLS folder; None while there is none."""
    try:
        lines = (folder / "index.m3u8").read_text().splitlines()
    except OSError:
        return None
    names = [line for line in lines if line and not line.startswith("#")]
    return folder / names[-1] if names else None


def from_segments(segments: Sequence[Path]) -> list[Picture | None]:
    """A picture of each; None where a segment has none or is gone. One that is broken does not spoil the others."""
    found = _run([(segment, _seen_at(segment)) for segment in segments])
    if len(segments) > 1:
        found = [picture or from_segments([segment])[0] for picture, segment in zip(found, segments, strict=True)]
    return found


def from_rtmp(url: str) -> Picture | None:
    """A picture of what is played there now. It waits for a key frame."""
    return _run([(url, None)])[0]


def _seen_at(segment: Path) -> float | None:
    try:
        return segment.stat().st_mtime
    except OSError:
        return None


def _run(sources: Iterable[tuple[Path | str, float | None]]) -> list[Picture | None]:
    """Run one ffmpeg for all sources; what has no time of its own was seen when it was taken."""
    inputs, outputs, files = list[str](), list[str](), list[Path]()
    with TemporaryDirectory(prefix="confr-pictures-") as folder:
        for number, (source, _) in enumerate(sources := list(sources)):
            files.append(Path(folder, f"{number}.jpg"))
            wait = ["-rw_timeout", ffmpeg.STALL_MICROSECONDS, "-fflags", "nobuffer"] if isinstance(source, str) else []
            inputs += [*_INPUT, *wait, "-i", str(source)]
            outputs += ["-map", f"{number}:v:0", *_OUTPUT, str(files[-1])]
        with ffmpeg.Process(
            ["ffmpeg", *ffmpeg.QUIET, "-filter_threads", "1", *inputs, *outputs], limit=PATIENCE_SECONDS
        ) as process:
            try:
                process.wait(PATIENCE_SECONDS + ffmpeg.STOP_SECONDS)
            except subprocess.TimeoutExpired:
                logger.warning("ffmpeg hung over %d pictures", len(sources))
        now = time.time()
        return [_read(file, seen_at or now) for file, (_, seen_at) in zip(files, sources, strict=True)]


def _read(file: Path, seen_at: float) -> Picture | None:
    try:
        jpeg = file.read_bytes()
    except FileNotFoundError:
        return None
    return Picture(jpeg, seen_at) if jpeg.endswith(b"\xff\xd9") else None


@dataclass(slots=True)
class _Look:
    """What the pool remembers of a stream: since when it is wanted, when it last looked, and what it saw then."""

    since: float
    at: float = 0.0
    seen: tuple[Path, float | None] | None = None
    blind: bool = False
    waiting: Future[Picture | None] | None = field(default=None, repr=False)


class Pool:
    """Keeps the pictures of the streams fresh that somebody wants to see, in less than half a core.

    `segment` and `url` answer where a stream can be seen, `keep` is given what was taken. One thread calls `turn`
    again and again; it sleeps as long as it worked.
    """

    def __init__(
        self,
        *,
        segment: Callable[[str], Path | None],
        url: Callable[[str], str],
        keep: Callable[[Mapping[str, Picture]], None],
    ) -> None:
        self._segment, self._url, self._keep = segment, url, keep
        self._looks: dict[str, _Look] = {}
        self._players = ThreadPoolExecutor(max_workers=PLAYERS, thread_name_prefix="pictures")

    def turn(self, wanted: Collection[str]) -> Load:
        """Look at those streams that are due, at most a batch of them; the longest unseen come first."""
        began = time.monotonic()
        self._remember(wanted, began)
        due = sorted((look.at, name) for name, look in self._looks.items() if _is_due(look, began))
        try:
            self._collect(began)
            self._look([name for _, name in due[:BATCH]], began)
        except OSError as error:  # a full disk, or no more processes: what is due stays so, and is late before long
            logger.warning("no pictures can be taken: %s", error)
            time.sleep(AGAIN_SECONDS)
        time.sleep(time.monotonic() - began)
        return Load(len(wanted), sum(_is_late(look, time.monotonic()) for look in self._looks.values()))

    def close(self) -> None:
        """Wait for what still plays."""
        self._players.shutdown(cancel_futures=True)

    def _remember(self, wanted: Collection[str], now: float) -> None:
        self._looks = {name: self._looks.get(name) or _Look(since=now) for name in wanted}

    def _look(self, names: Collection[str], now: float) -> None:
        batch: dict[str, tuple[Path, float | None]] = {}
        for name in names:
            look, segment = self._looks[name], self._segment(name)
            if segment is None:
                look.waiting = self._players.submit(from_rtmp, self._url(name))
            elif look.blind:
                self._note({name: from_segments([segment])[0]}, now)
            elif (seen := (segment, _seen_at(segment))) == look.seen:
                look.at = now  # nothing new came of it
            else:
                batch[name] = seen
        if batch:
            found = from_segments([segment for segment, _ in batch.values()])
            self._note(dict(zip(batch, found, strict=True)), now)
            for name, seen in batch.items():
                self._looks[name].seen = seen

    def _collect(self, now: float) -> None:
        for name, look in self._looks.items():
            if look.waiting and look.waiting.done():
                waiting, look.waiting = look.waiting, None
                self._note({name: waiting.result()}, now)

    def _note(self, pictures: Mapping[str, Picture | None], now: float) -> None:
        for name, picture in pictures.items():
            look = self._looks[name]
            look.at, look.blind, look.waiting = now, picture is None, None
        if taken := {name: picture for name, picture in pictures.items() if picture}:
            self._keep(taken)


def _is_due(look: _Look, now: float) -> bool:
    return look.waiting is None and now - look.at >= (LATE_SECONDS if look.blind else FRESH_SECONDS)


def _is_late(look: _Look, now: float) -> bool:
    return not look.blind and now - max(look.at, look.since) > LATE_SECONDS
