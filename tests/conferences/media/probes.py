"""Streams of one colour and one tone, and what is seen and heard of them."""

from __future__ import annotations

import array
import math
import subprocess
from pathlib import Path

from conferences.media import ffmpeg

RATE = 8000
Rgb = tuple[int, int, int]

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def publish(
    url: str, colour: str = "red", *, tone: int = 440, size: str = "160x120", audio: bool = True, video: bool = True
) -> ffmpeg.Process:
    """Start to publish a plain colour with a tone, a key frame every second."""
    command = ["ffmpeg", *ffmpeg.QUIET]
    if video:
        command += ["-re", "-f", "lavfi", "-i", f"color=c={colour}:size={size}:rate=15"]
    if audio:
        command += ["-re", "-f", "lavfi", "-i", f"sine=frequency={tone}:sample_rate=48000"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]
    command += ["-g", "15", "-threads", "1", "-c:a", "aac", "-ac", "1", "-b:a", "48k", *ffmpeg.INTERLEAVE]
    return ffmpeg.Process([*command, "-f", "flv", url], limit=120)


def pixels(image: bytes | Path, *places: tuple[int, int]) -> list[Rgb]:
    """The colours at these places of the first picture of a JPEG, or of a file."""
    return frame(image).at(*places)


class Frame:
    def __init__(self, width: int, rgb: bytes) -> None:
        self.width, self.height, self.rgb = width, len(rgb) // (3 * width), rgb

    def at(self, *places: tuple[int, int]) -> list[Rgb]:
        starts = (3 * (y * self.width + x) for x, y in places)
        return [(self.rgb[start], self.rgb[start + 1], self.rgb[start + 2]) for start in starts]


def frame(image: bytes | Path) -> Frame:
    """The first picture of it."""
    source = "pipe:0" if isinstance(image, bytes) else str(image)
    command = ["ffmpeg", "-loglevel", "error", "-i", source, "-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm"]
    given = image if isinstance(image, bytes) else b""
    ppm = subprocess.run([*command, "pipe:1"], input=given, capture_output=True, check=True, timeout=20).stdout
    _, size, _, rgb = ppm.split(b"\n", 3)
    return Frame(int(size.split()[0]), rgb)


def near(seen: Rgb, colour: Rgb) -> bool:
    """Whether it is that colour, as far as a codec leaves it."""
    return all(abs(a - b) < 60 for a, b in zip(seen, colour, strict=True))


def loudness(file: Path, *tones: int, start: float = 0.0, seconds: float = 1.0) -> list[float]:
    """How loud each of these tones is in a piece of the file, from 0 to 1 (Goertzel)."""
    command = ["ffmpeg", "-loglevel", "error", "-ss", str(start), "-t", str(seconds), "-i", str(file)]
    command += ["-map", "0:a", "-ac", "1", "-ar", str(RATE), "-f", "s16le", "pipe:1"]
    samples = array.array("h", subprocess.run(command, capture_output=True, check=True, timeout=20).stdout)
    return [_goertzel(samples, tone) for tone in tones]


def _goertzel(samples: array.array, tone: int) -> float:
    turn, before, last = 2 * math.cos(2 * math.pi * tone / RATE), 0.0, 0.0
    for sample in samples:
        before, last = last, sample / 32768 + turn * last - before
    power = before**2 + last**2 - turn * before * last
    return 2 * math.sqrt(max(power, 0.0)) / max(len(samples), 1)
