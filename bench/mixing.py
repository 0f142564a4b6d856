"""`python -m bench.mixing`: what mixing and pictures cost. Needs ffmpeg alone; see README.md beside it."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.media import CODED, SOURCE, live, timed
from conferences.media import ffmpeg, snapshot
from conferences.media.layouts import place
from conferences.media.mixer import Mixer
from conferences.media.scene import Output, Scene, Tile

INPUTS, MIXED_SECONDS = 4, 20
PICTURES = 100
OUTPUT = Output(width=720, height=1280, fps=15, bitrate=800_000)


def main() -> None:
    with TemporaryDirectory(prefix="confr-bench-") as folder:
        film = Path(folder, "film.ts")
        command = ["ffmpeg", *ffmpeg.QUIET, *SOURCE, *CODED, "-t", str(MIXED_SECONDS), str(film)]
        subprocess.run(command, check=True)
        figures = measure_pictures(Path(folder)) | measure_mix(film, Path(folder))
    print("| mixing and pictures | |\n|---|---|")
    for name, figure in figures.items():
        print(f"| {name} | {figure:.3g} |")


def measure_mix(film: Path, folder: Path) -> dict[str, float]:
    """The processor that a mix of four takes, ffmpeg's part and ours, and whether it keeps its pace."""
    with ExitStack() as stack:
        urls = {str(number): stack.enter_context(live(film)) for number in range(INPUTS)}
        players = {child.pid for child in psutil.Process().children()}
        places = place(list(urls), "grid", OUTPUT.width, OUTPUT.height)
        scene = Scene({name: Tile(rectangle) for name, rectangle in places.items()})
        mixer = Mixer(OUTPUT, scene, url=urls.__getitem__, publish_url=lambda: str(folder / f"{time.monotonic()}.flv"))
        thread = threading.Thread(target=mixer.run)
        thread.start()
        while mixer.report().missing or not mixer.report().publishes:
            time.sleep(0.05)
        before, ours, theirs, began = mixer.report(), time.process_time(), _spent(players), time.monotonic()
        time.sleep(MIXED_SECONDS)
        after, seconds = mixer.report(), time.monotonic() - began
        figures = {
            "a mix of 4, 720x1280 at 15: % of a core": (_spent(players) - theirs) / seconds * 100,
            "the same, our process": (time.process_time() - ours) / seconds * 100,
            "the same: frames per second": (after.frames - before.frames) / seconds,
            "the same: frames late or lost": after.late - before.late,
        }
        mixer.stop()
        thread.join()
    return figures


def measure_pictures(folder: Path) -> dict[str, float]:
    """The processor that pictures of a hundred streams take, a batch at a time."""
    segment = folder / "segment.ts"
    command = ["ffmpeg", *ffmpeg.QUIET, *SOURCE, *CODED, "-t", "1", str(segment)]
    subprocess.run(command, check=True)
    batches = [[segment] * snapshot.BATCH] * (PICTURES // snapshot.BATCH) + [[segment] * (PICTURES % snapshot.BATCH)]
    wall, spent = timed(lambda: [snapshot.from_segments(batch) for batch in batches])
    _, alone = timed(lambda: snapshot.from_segments([segment]))
    return {
        "100 pictures: seconds of the processor": spent,
        "100 pictures, every 5 s: % of a core": spent / snapshot.FRESH_SECONDS * 100,
        "100 pictures: seconds by the clock": wall,
        "one picture alone: seconds of the processor": alone,
    }


def _spent(but: set[int]) -> float:
    children = [child for child in psutil.Process().children() if child.pid not in but]
    return sum(sum(child.cpu_times()[:2]) for child in children)


if __name__ == "__main__":
    main()
