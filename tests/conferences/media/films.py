"""Short films of one colour and one tone, and what can be seen and heard in a file at a moment."""

from __future__ import annotations

import cmath
import subprocess
from array import array
from pathlib import Path

BLACK, RED, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (0, 128, 0), (0, 0, 255)
NAMES = {RED: "red", GREEN: "green", BLUE: "blue"}
RATE = 8000
FPS = 10

Colour = tuple[int, int, int]


def film(
    path: Path,
    *,
    colour: Colour | None = RED,
    tone: int | None = 440,
    size: str = "160x120",
    seconds: float = 3,
    offset: float = 0,
) -> Path:
    """A film with a key frame every second; without colour it is only heard, without tone only seen."""
    command = ["ffmpeg", "-loglevel", "error", "-y"]
    if colour:
        command += ["-f", "lavfi", "-i", f"color={NAMES[colour]}:size={size}:rate={FPS}"]
    if tone:
        command += ["-f", "lavfi", "-i", f"sine={tone}:sample_rate=48000"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]
    command += ["-g", str(FPS), "-c:a", "aac", "-t", str(seconds), "-output_ts_offset", str(offset), str(path)]
    subprocess.run(command, check=True)
    return path


def pixel(path: Path, at: float, x: int, y: int) -> Colour:
    """The colour of a pixel at a moment."""
    command = ["ffmpeg", "-loglevel", "error", "-ss", str(at), "-i", str(path), "-frames:v", "1"]
    command += ["-vf", f"crop=2:2:{x}:{y}", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    found = subprocess.run(command, check=True, capture_output=True).stdout
    return found[0], found[1], found[2]


def looks(path: Path, at: float, x: int, y: int, colour: Colour) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel(path, at, x, y), colour, strict=True))


def tones(path: Path, at: float, *candidates: int) -> set[int]:
    """Which of these tones can be heard at a moment."""
    command = ["ffmpeg", "-loglevel", "error", "-ss", str(at), "-i", str(path), "-t", "0.2", "-vn"]
    command += ["-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1"]
    samples = array("h", subprocess.run(command, check=True, capture_output=True).stdout)
    return {tone for tone in candidates if _loudness(samples, tone) > 300}


def _loudness(samples: array[int], tone: int) -> float:
    turn = cmath.exp(-2j * cmath.pi * tone / RATE)
    angle, total = 1 + 0j, 0j
    for sample in samples:
        total += sample * angle
        angle *= turn
    return abs(total) * 2 / max(len(samples), 1)


def starts_with_its_index(path: Path) -> bool:
    """Whether it can be played while it comes: the index is before the media."""
    data = path.read_bytes()
    return 0 < data.find(b"moov") < data.find(b"mdat")
