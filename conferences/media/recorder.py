"""Recording a live stream as it comes: pieces of it in a folder, cut at key frames, nothing decoded.

Knows no Django and no media server. A folder belongs to one recording, and it is the memory: which pieces are whole,
and when they were live, can be read from it whoever died. A piece is an MPEG transport stream, which takes a change
of size or of codec, and which can be read as far as it was written.

Every connection is a run of its own. It leaves `<run>.csv` with a line for each finished piece, `<run>.began` with the
moment of its beginning, and the pieces `<run>-<number>.ts`, whose times within the run go on from one to the next.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from conferences.media import ffmpeg

SEGMENT_SECONDS = 10
STALL_SECONDS = 6.0  # longer than ffmpeg itself waits for a silent stream
# A picture begins with a key frame, and phones send one every five seconds. What comes meanwhile is kept.
PICTURE_SECONDS = 6.0
SOUND_SECONDS = 1.0
FIRST_LOOK_SECONDS = 0.05
LOOK_SECONDS = 0.5
# What comes first may come late, all at once. By then the beginning is known as exactly as it will be.
SETTLE_SECONDS = 8.0
PROBE_SECONDS = 20.0
_OUTPUT = (
    "-f", "segment", "-segment_format", "mpegts",
    # A piece begins as if nothing had come before, and what was written can be read.
    "-segment_format_options", "mpegts_flags=initial_discontinuity:flush_packets=1",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A whole piece. `began_at` is in seconds since the epoch, by our clock."""

    name: str
    began_at: float
    seconds: float
    size: int

    @property
    def run(self) -> str:
        """Pieces of one run follow each other without a gap."""
        return self.name.partition("-")[0]


class Run:
    """One connection to a stream and what it writes, until the stream or the block ends.

    `name` must be new in the folder and sort after the names of earlier runs. `picture` says whether one is awaited.
    """

    def __init__(
        self, url: str, folder: Path, name: str, *, picture: bool = True, piece_seconds: float = SEGMENT_SECONDS
    ) -> None:
        self.name = name
        self._patience = PICTURE_SECONDS if picture else SOUND_SECONDS
        self.began_at: float | None = None
        self._folder = folder
        self._settled_at = float("inf")
        self._listed_bytes = 0
        folder.mkdir(parents=True, exist_ok=True)
        source = ["-fpsprobesize", "0", *ffmpeg.live_input(url, analyze=self._patience)]
        listing = ["-segment_list_type", "csv", "-segment_list", str(folder / f"{name}.csv")]
        output = [*ffmpeg.TRACKS, "-c", "copy", *ffmpeg.INTERLEAVE, *_OUTPUT, "-segment_time", str(piece_seconds)]
        self._job = ffmpeg.Job([*source, *output, *listing, str(folder / f"{name}-%05d.ts")], niceness=0)

    @property
    def pid(self) -> int:
        """Of its ffmpeg."""
        return self._job.pid

    @property
    def log(self) -> str:
        return self._job.log

    @property
    def has_new_track(self) -> bool:
        """Whether the stream has a track that it had not when it was opened: only another run can take it up."""
        return bool(ffmpeg.NEW_TRACK.search(self.log))

    def has_more(self) -> bool:
        """Whether a piece was finished since this was asked last."""
        try:
            size = (self._folder / f"{self.name}.csv").stat().st_size
        except FileNotFoundError:
            size = 0
        grew, self._listed_bytes = size > self._listed_bytes, size
        return grew

    def watch(self) -> Iterator[None]:
        """Come back every so often as long as the stream lasts. Raises: FfmpegStalled, when it stands still."""
        for progress in self._job.watch(stall=self._patience + STALL_SECONDS, every=FIRST_LOOK_SECONDS):
            self._note_beginning(progress)
            yield
            if self.began_at is not None:
                break
        for progress in self._job.watch(stall=STALL_SECONDS, every=LOOK_SECONDS):
            self._note_beginning(progress)
            yield

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._job.stop()
        with suppress(OSError):  # where the disk is full, `salvage` does it later
            if self.began_at is None:  # it was over before anybody looked
                self._note_beginning(self._job.progress)
            _note_unfinished(self._folder, self.name)

    def _note_beginning(self, progress: ffmpeg.Progress) -> None:
        """The beginning is the earliest that any of the first reports speaks for: media is never early."""
        if progress.seconds <= 0 or time.monotonic() > self._settled_at:
            return
        began_at = time.time() - (time.monotonic() - progress.at) - progress.seconds
        if self.began_at is None:
            self._settled_at = time.monotonic() + SETTLE_SECONDS
        if self.began_at is None or began_at < self.began_at - 0.01:
            self.began_at = began_at
            _began(self._folder, self.name).write_text(json.dumps(began_at))


def segments(folder: Path) -> list[Segment]:
    """Every whole piece in the folder, in the order of time. What is being written is none yet."""
    return [segment for listing in sorted(folder.glob("*.csv")) for segment in _segments_of(folder, listing.stem)]


def salvage(folder: Path) -> None:
    """Make pieces of what runs left unfinished whose owner died. To be called while nobody writes. Raises: OSError."""
    for listing in sorted(folder.glob("*.csv")):
        _note_unfinished(folder, listing.stem)


def _segments_of(folder: Path, run: str) -> list[Segment]:
    began_at = _read_began(folder, run)
    if began_at is None:
        return []
    return [
        Segment(name, began_at + start, end - start, (folder / name).stat().st_size)
        for name, start, end in _listed(folder, run)
        if (folder / name).exists()
    ]


def _listed(folder: Path, run: str) -> list[tuple[str, float, float]]:
    """The finished pieces of a run: name, start and end within it. A line that is being written does not count."""
    text = (folder / f"{run}.csv").read_text()
    rows = [line.split(",") for line in text.rpartition("\n")[0].splitlines()]
    return [(name, float(start), float(end)) for name, start, end in rows]


def _note_unfinished(folder: Path, run: str) -> None:
    """Finish the list of a run that was killed: its last piece ends with what can be read of it."""
    listing = folder / f"{run}.csv"
    if not listing.exists():
        return
    listed = _listed(folder, run)
    start = listed[-1][2] if listed else 0.0
    rest = sorted({path.name for path in folder.glob(f"{run}-*.ts")} - {name for name, _, _ in listed})
    for name in rest:
        if seconds := _length(folder / name):
            _write_began(folder, run, (folder / name).stat().st_mtime - start - seconds)
            with listing.open("a") as file:
                file.write(f"{name},{start:.6f},{start + seconds:.6f}\n")
            start += seconds


def _write_began(folder: Path, run: str, began_at: float) -> None:
    """For a run that died before it knew: its last byte was live when it was written."""
    if _read_began(folder, run) is None:
        _began(folder, run).write_text(json.dumps(began_at))


def _read_began(folder: Path, run: str) -> float | None:
    """None where it is not known, or where the disk was full when it was written."""
    try:
        began_at: float = json.loads(_began(folder, run).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return began_at


def _began(folder: Path, run: str) -> Path:
    return folder / f"{run}.began"


def _length(path: Path) -> float:
    """The seconds of media in a file, 0 when there is none."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PROBE_SECONDS)
        return float(found.stdout)
    except (subprocess.SubprocessError, ValueError):
        return 0.0
