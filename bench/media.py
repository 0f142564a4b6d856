"""`python -m bench.media`: what recording and merging cost. Needs ffmpeg alone; see README.md beside it."""

from __future__ import annotations

import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from conferences.media import ffmpeg, finisher, merger, recorder
from conferences.media.finisher import Piece
from conferences.media.merger import Canvas, Clip

STREAMS, RECORDED_SECONDS = 8, 20
FILM_SECONDS = 40
# A phone's stream, as in docs/recording.md.
SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=360x640:rate=15", "-f", "lavfi", "-i", "sine=440:sample_rate=48000"]
CODED = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "15"]
CODED += ["-b:v", "600k", "-maxrate", "600k", "-bufsize", "600k", "-c:a", "aac", "-b:a", "48k"]


def main() -> None:
    with TemporaryDirectory(prefix="confr-bench-") as folder:
        film = Path(folder, "film.ts")
        command = ["ffmpeg", *ffmpeg.QUIET, *SOURCE, *CODED, "-t", str(FILM_SECONDS), str(film)]
        subprocess.run(command, check=True)
        figures = measure_recording(film, Path(folder)) | measure_files(film, Path(folder))
    print("| media | |\n|---|---|")
    for name, figure in figures.items():
        print(f"| {name} | {figure:.3g} |")


def measure_recording(film: Path, folder: Path) -> dict[str, float]:
    """The processor that recorders of live streams take, ours and ffmpeg's."""
    with ExitStack() as stack:
        runs = [
            stack.enter_context(recorder.Run(stack.enter_context(live(film)), folder / str(number), "1"))
            for number in range(STREAMS)
        ]
        watches = [run.watch() for run in runs]
        while any(run.began_at is None for run in runs):
            for watch in watches:
                next(watch)
        us, theirs, began = time.process_time(), _spent(runs), time.monotonic()
        while time.monotonic() - began < RECORDED_SECONDS:
            for watch in watches:
                next(watch)
        seconds = (time.monotonic() - began) * STREAMS
        return {
            "recording: % of a core per stream": (_spent(runs) - theirs) / seconds * 100,
            "recording: % of a core per stream, our process": (time.process_time() - us) / seconds * 100,
        }


def measure_files(film: Path, folder: Path) -> dict[str, float]:
    """How many seconds of a file are made in a second, by the clock and of the processor."""
    pieces = [Piece(film, at=number * FILM_SECONDS, seconds=FILM_SECONDS, run=str(number)) for number in range(15)]
    finished, finishing = timed(lambda: finisher.finish(pieces, folder / "finished.mp4"))
    clips = [Clip(film, at=5.0 * number, owner=str(number)) for number in range(4)]
    length = FILM_SECONDS + 15
    merged, merging = timed(lambda: merger.merge(clips, folder / "merged.mp4", canvas=Canvas(720, 1280)))
    return {
        "one stream's file: times real time": len(pieces) * FILM_SECONDS / finished,
        "one stream's file: times real time, of one core": len(pieces) * FILM_SECONDS / finishing,
        "4 merged, 720x1280 at 15: times real time": length / merged,
        "4 merged, 720x1280 at 15: times real time, of one core": length / merging,
    }


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """The seconds that it takes, by the clock and of the processor."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, spent


@contextmanager
def live(film: Path) -> Iterator[str]:
    """The address where a film is played once, as fast as it was made."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    command = ["ffmpeg", *ffmpeg.QUIET, "-re", "-stream_loop", "-1", "-i", str(film), "-c", "copy"]
    with ffmpeg.Process([*command, "-f", "flv", "-listen", "1", url], limit=300) as player:
        while not any(each.laddr.port == port for each in psutil.Process(player.pid).net_connections()):
            time.sleep(0.02)
        yield url


def _spent(runs: list[recorder.Run]) -> float:
    times = [psutil.Process(run.pid).cpu_times() for run in runs]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    main()
