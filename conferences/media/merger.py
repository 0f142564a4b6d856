"""Many recorded files, each at its time, as one MP4: pictures side by side, sounds added up.

Knows no Django. What cannot be played is left out and reported; the rest is merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from conferences.media import ffmpeg, files
from conferences.media.files import Content
from conferences.media.finisher import SOUND, NothingToFinish, mixed, placed, whole
from conferences.media.layouts import Rectangle, place

PRESET, QUALITY = "veryfast", "24"


@dataclass(frozen=True, slots=True)
class Clip:
    """A file, and the second of the result at which it begins. Those of one owner share one place."""

    path: Path
    at: float
    owner: str


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the result looks like; `layout` is "grid", "speaker" (the first owner is it), or a place for each owner.

    Who has no place is heard only.
    """

    width: int = 1280
    height: int = 720
    fps: int = 15
    layout: str | Mapping[str, Rectangle] = "grid"


@dataclass(frozen=True, slots=True)
class Merged:
    """The file that was made; its sides are 0 when nobody has a picture. `skipped` could not be played."""

    seconds: float
    width: int
    height: int
    skipped: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Input:
    """A clip that can be played, where it is seen (None: it is not), and the number that ffmpeg gives it."""

    number: int
    clip: Clip
    content: Content
    place: Rectangle | None


def merge(
    clips: Sequence[Clip],
    target: Path,
    *,
    canvas: Canvas = Canvas(),
    on_progress: Callable[[float], object] = lambda share: None,
) -> Merged:
    """Make one MP4 of the clips in `target`, which is there when it is whole, and not before.

    `on_progress` hears the share that is done, from 0 to 1; what it raises ends the work.

    Raises: NothingToFinish, FfmpegFailed.
    """
    playable = {clip: content for clip in clips if (content := files.look(clip.path))}
    if not playable:
        raise NothingToFinish("no clip can be played")
    total = max(clip.at + content.seconds for clip, content in playable.items())

    def heard(seconds: float) -> None:
        on_progress(min(1.0, seconds / total))

    with TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}-") as folder, whole(target) as part:
        inputs = [_steady(each, Path(folder)) for each in _inputs(playable, canvas)]
        graph = Path(folder, "graph")
        graph.write_text(_graph(inputs, canvas, total))
        ffmpeg.run(_options(inputs, canvas, total, graph, part), stall=files.STALL_SECONDS, on_seconds=heard)
        made = files.look(part)
        if made is None:
            raise ffmpeg.FfmpegFailed("the file that was made cannot be played")
    return Merged(made.seconds, made.width, made.height, tuple(clip.path for clip in clips if clip not in playable))


def _inputs(playable: Mapping[Clip, Content], canvas: Canvas) -> list[_Input]:
    seen = list(dict.fromkeys(clip.owner for clip, content in playable.items() if content.video))
    layout = canvas.layout
    places = place(seen, layout, canvas.width, canvas.height) if isinstance(layout, str) else layout
    return [
        _Input(number, clip, content, places.get(clip.owner) if content.video else None)
        for number, (clip, content) in enumerate(playable.items())
    ]


def _steady(each: _Input, folder: Path) -> _Input:
    """The same with a picture of one size: one that changes is decoded on its own first."""
    if each.place is None or files.is_steady([each.clip.path], each.content.video):
        return each
    target = folder / f"{each.number}.ts"
    files.normalise(each.clip.path, target, each.place.width, each.place.height, lambda seconds: None)
    return replace(each, clip=replace(each.clip, path=target))


def _graph(inputs: Sequence[_Input], canvas: Canvas, total: float) -> str:
    seen = [each for each in inputs if each.place]
    heard = [each for each in inputs if each.content.sound]
    parts = (
        [f"color=black:size={canvas.width}x{canvas.height}:rate={canvas.fps}:duration={total:.3f}[c0]"] if seen else []
    )
    for layer, each in enumerate(seen):
        assert each.place
        fit = files.fit(each.place.width, each.place.height)
        parts.append(f"[{each.number}:v:0]fps={canvas.fps},{fit},setpts=PTS+{each.clip.at:.3f}/TB[v{layer}]")
        at = f"x={each.place.x}:y={each.place.y}"
        parts.append(f"[c{layer}][v{layer}]overlay={at}:eof_action=pass:repeatlast=0[c{layer + 1}]")
    if heard:
        parts += [
            f"[{each.number}:a:0]aformat=channel_layouts=stereo,{placed(each.clip.at)}[s{each.number}]"
            for each in heard
        ]
        parts.append(mixed([f"s{each.number}" for each in heard]))
    return ";\n".join(parts)


def _options(inputs: Sequence[_Input], canvas: Canvas, total: float, graph: Path, target: Path) -> list[str]:
    options: list[str] = []
    for each in inputs:
        options += [*files.TOLERANT, "-threads", "1", "-i", str(each.clip.path)]
    options += ["-filter_complex_script", str(graph), "-max_error_rate", "1"]
    if seen := sum(each.place is not None for each in inputs):
        options += ["-map", f"[c{seen}]", "-c:v", "libx264", "-preset", PRESET, "-crf", QUALITY]
        options += ["-pix_fmt", "yuv420p", "-g", str(canvas.fps * 2)]
    if any(each.content.sound for each in inputs):
        options += ["-map", "[sound]", *SOUND]
    return [*options, "-t", f"{total:.3f}", "-movflags", "+faststart", "-f", "mp4", str(target)]
