"""From the pieces of a recorded stream to one MP4 that can be played from its beginning.

Knows no Django. Nothing is decoded where nothing must be: when a picture changes its size, or sound has gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from conferences.media import ffmpeg, files
from conferences.media.files import Content

GAP_SECONDS = 0.3
SOUND = ("-c:a", "aac", "-b:a", "64k", "-ar", "48000")


class NothingToFinish(ffmpeg.FfmpegFailed):
    """No piece can be played."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, where in the result it begins, and its length in seconds. Pieces of one run go on without a gap."""

    path: Path
    at: float
    seconds: float
    run: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of the result, in seconds, in which nothing was recorded: the picture stands, the sound is silent."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The file that was made; its sides are 0 when it has no picture. `skipped` could not be played."""

    seconds: float
    width: int
    height: int
    gaps: tuple[Gap, ...]
    skipped: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What was recorded without a gap: an input of ffmpeg, where it begins, and what is in it."""

    source: str
    at: float
    seconds: float
    content: Content

    @property
    def end(self) -> float:
        return self.at + self.seconds


def finish(
    pieces: Sequence[Piece], target: Path, *, on_progress: Callable[[float], object] = lambda share: None
) -> Finished:
    """Make one MP4 of the pieces, in `target`, which is there when it is whole, and not before.

    `on_progress` hears the share that is done, from 0 to 1; what it raises ends the work.

    Raises: NothingToFinish, FfmpegFailed.
    """
    playable = {piece: content for piece in pieces if (content := files.look(piece.path))}
    skipped = tuple(piece.path for piece in pieces if piece not in playable)
    if not playable:
        raise NothingToFinish("no piece can be played")
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}-") as folder, whole(target) as part:
        stretches = _stretches(playable, Path(folder))
        total = stretches[-1].end

        def heard(seconds: float) -> None:
            on_progress(min(1.0, seconds / total))

        stretches = _of_one_size(stretches, Path(folder), heard)
        _write(stretches, Path(folder), part, heard)
        made = files.look(part)
        if made is None:
            raise ffmpeg.FfmpegFailed("the file that was made cannot be played")
    gaps = tuple(Gap(one.end, other.at) for one, other in _gaps(stretches))
    return Finished(made.seconds, made.width, made.height, gaps, skipped)


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write to, which becomes `target` at the end of the block, or is deleted when that fails."""
    part = target.with_name(f"{target.name}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _stretches(playable: dict[Piece, Content], folder: Path) -> list[_Stretch]:
    groups: list[list[Piece]] = []
    for piece in sorted(playable, key=lambda piece: (piece.at, piece.path.name)):
        last = groups[-1][-1] if groups else None
        if last and _follows(piece, last) and _tracks(playable[piece]) == _tracks(playable[last]):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    found: list[_Stretch] = []
    for number, group in enumerate(groups):
        at = max(group[0].at, found[-1].end if found else 0.0)
        listing = folder / f"{number}.txt"
        listing.write_text("".join(f"{piece.path.resolve()}\n" for piece in group))
        seconds = group[-1].at + group[-1].seconds - group[0].at
        found.append(_Stretch(f"concatf:{listing}", at, seconds, playable[group[0]]))
    return found


def _follows(piece: Piece, last: Piece) -> bool:
    return piece.run == last.run and abs(piece.at - last.at - last.seconds) < GAP_SECONDS


def _tracks(content: Content) -> tuple[str, str]:
    return content.video, content.sound


def _gaps(stretches: Sequence[_Stretch]) -> Iterator[tuple[_Stretch, _Stretch]]:
    return ((one, other) for one, other in pairwise(stretches) if other.at - one.end > GAP_SECONDS)


def _of_one_size(stretches: list[_Stretch], folder: Path, on_seconds: Callable[[float], object]) -> list[_Stretch]:
    """The same with a picture that can be copied: decoded where it changes, on a canvas that holds every size."""
    seen = [stretch for stretch in stretches if stretch.content.video]
    if not seen:
        return stretches
    codecs = {stretch.content.video for stretch in seen}
    if len(codecs) == 1 and files.is_steady((stretch.source for stretch in seen), codecs.pop()):
        return stretches
    sizes = [size for stretch in seen for size in files.sizes(stretch.source)]
    width, height = (max(side) + max(side) % 2 for side in zip(*sizes, strict=True))
    for number, stretch in enumerate(stretches):
        if stretch.content.video:
            target = folder / f"{number}.ts"
            files.normalise(stretch.source, target, width, height, on_seconds)
            content = replace(stretch.content, video="h264", width=width, height=height)
            stretches[number] = replace(stretch, source=str(target), content=content)
    return stretches


def _write(stretches: Sequence[_Stretch], folder: Path, target: Path, on_seconds: Callable[[float], object]) -> None:
    sound = [stretch for stretch in stretches if stretch.content.sound]
    options = [*files.LOCAL, *files.TOLERANT]
    if len(stretches) == 1:
        codec = ["-c:a", "copy"] if not sound or sound[0].content.sound in files.PLAYABLE_SOUND else [*SOUND]
        options += ["-i", stretches[0].source, *ffmpeg.TRACKS, "-c:v", "copy", *codec]
    else:
        options += _joined(stretches, sound, folder)
    output = ["-movflags", "+faststart", "-max_interleave_delta", "0", "-f", "mp4", str(target)]
    ffmpeg.run([*options, *output], stall=files.STALL_SECONDS, on_seconds=on_seconds)


def _joined(stretches: Sequence[_Stretch], sound: Sequence[_Stretch], folder: Path) -> list[str]:
    """Pictures one after the other, each until the next; and sound that is silent in between."""
    options: list[str] = []
    seen = [stretch for stretch in stretches if stretch.content.video]
    if seen:
        listing = folder / "pictures.ffconcat"
        lengths = [other.at - one.at for one, other in pairwise(seen)] + [seen[-1].seconds]
        rows = [f"file '{one.source}'\nduration {length:.6f}\n" for one, length in zip(seen, lengths, strict=True)]
        listing.write_text("ffconcat version 1.0\n" + "".join(rows))
        options += ["-itsoffset", f"{seen[0].at:.6f}", "-f", "concat", "-safe", "0", "-i", str(listing)]
    for stretch in sound:
        options += [*files.LOCAL, *files.TOLERANT, "-i", stretch.source]
    if sound:
        first = 1 if seen else 0
        parts = [f"[{first + n}:a:0]{placed(one.at)}[s{n}]" for n, one in enumerate(sound)]
        options += ["-filter_complex", ";".join([*parts, mixed([f"s{n}" for n in range(len(sound))])])]
        options += ["-map", "[sound]", *SOUND]
    return [*options, *(["-map", "0:v:0", "-c:v", "copy"] if seen else [])]


def placed(at: float) -> str:
    """The filters that begin a sound at its time. A delay of all channels alike takes no memory."""
    return f"aresample=48000:async=1:first_pts=0,adelay={round(at * 1000)}:all=1"


def mixed(names: Sequence[str]) -> str:
    """The filters that add sounds up to [sound]."""
    inputs = "".join(f"[{name}]" for name in names)
    return (
        f"{inputs}amix=inputs={len(names)}:duration=longest:dropout_transition=0:normalize=0,"
        "alimiter=level=false[sound]"
    )
