"""What is in a media file, and how a picture that changes its size becomes one that does not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conferences.media import ffmpeg

PROBE_SECONDS = 30.0
STALL_SECONDS = 120.0
SMALLEST_BYTES = 1000
# What an MP4 holds as it is: name of the codec → its units that say how to decode what follows.
PARAMETER_UNITS = {"h264": "7-8", "hevc": "32-34"}
PLAYABLE_SOUND = frozenset({"aac", "mp3"})
_START_CODE = re.compile(b"\x00\x00\x01")
# A broken packet is left out, and the rest is used.
TOLERANT = ("-err_detect", "ignore_err", "-fflags", "+genpts")
LOCAL = ("-protocol_whitelist", "file,concat,concatf")


@dataclass(frozen=True, slots=True)
class Content:
    """The tracks of a file; "" and 0 for one that is not there."""

    video: str
    width: int
    height: int
    sound: str
    seconds: float


def look(source: Path | str) -> Content | None:
    """What is in it; None when nothing can be played."""
    if isinstance(source, Path) and (not source.exists() or source.stat().st_size < SMALLEST_BYTES):
        return None
    entries = "stream=codec_type,codec_name,width,height:format=duration"
    command = ["ffprobe", "-v", "error", *LOCAL, "-show_entries", entries, "-of", "json", str(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PROBE_SECONDS)
    except subprocess.SubprocessError:
        return None
    return _content(json.loads(done.stdout))


def _content(found: dict[str, Any]) -> Content | None:
    tracks = {track["codec_type"]: track for track in reversed(found.get("streams", [])) if "codec_type" in track}
    video, sound = tracks.get("video", {}), tracks.get("audio", {})
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    content = Content(
        video=video.get("codec_name", "") if width and height else "",
        width=width,
        height=height,
        sound=sound.get("codec_name", ""),
        seconds=float(found.get("format", {}).get("duration", 0)),
    )
    return content if content.video or content.sound else None


def is_steady(sources: Iterable[Path | str], codec: str) -> bool:
    """Whether pictures of one codec can be copied one after the other: none was turned, none is of another phone."""
    if codec not in PARAMETER_UNITS:
        return False
    first, _, last = PARAMETER_UNITS[codec].partition("-")
    return len(set[bytes]().union(*(_parameters(source, codec) for source in sources))) <= int(last) - int(first) + 1


def _parameters(source: Path | str, codec: str) -> frozenset[bytes]:
    """Everything that a picture says of how it is to be decoded. Nothing is decoded for it."""
    chain = f"filter_units=pass_types={PARAMETER_UNITS[codec]}"
    if codec == "h264":
        chain = f"h264_mp4toannexb,{chain}"
    command = ["ffmpeg", *ffmpeg.QUIET, "-loglevel", "fatal", *LOCAL, *TOLERANT, "-i", str(source), "-map", "0:v:0"]
    done = subprocess.run([*command, "-c", "copy", "-bsf:v", chain, "-f", codec, "pipe:1"], capture_output=True)
    units = (unit.rstrip(b"\x00") for unit in _START_CODE.split(done.stdout))
    return frozenset(unit for unit in units if unit)


def sizes(source: Path | str) -> set[tuple[int, int]]:
    """Every size that a picture has; its key frames are decoded for it."""
    entries = ["-select_streams", "v:0", "-skip_frame", "nokey", "-show_entries", "frame=width,height", "-of", "json"]
    command = ["ffprobe", "-v", "error", *LOCAL, *entries, str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    return {(frame["width"], frame["height"]) for frame in json.loads(done.stdout)["frames"]}


def fit(width: int, height: int) -> str:
    """The filters that put a picture of any size in the middle of a black one of this size."""
    inside = f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    return f"{inside},pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,setsar=1"


def normalise(source: Path | str, target: Path, width: int, height: int, on_seconds: Callable[[float], object]) -> None:
    """Write a picture that changes as one of one size, with its sound as it is. Raises: FfmpegFailed.

    In a process of its own: ffmpeg makes all filters anew when a size changes, and other inputs would suffer.
    """
    options = [*LOCAL, *TOLERANT, "-i", str(source), *ffmpeg.TRACKS, "-vf", fit(width, height)]
    options += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-pix_fmt", "yuv420p", "-c:a", "copy"]
    ffmpeg.run(
        [*options, "-max_error_rate", "1", "-f", "mpegts", str(target)], stall=STALL_SECONDS, on_seconds=on_seconds
    )
