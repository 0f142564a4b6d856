"""Recordings as the recorder leaves them, with real pictures and tones."""

from __future__ import annotations

from datetime import datetime

from conferences.models import Recording, Stream
from conferences.services import recorder
from tests.conferences.media.films import RED, Colour, film


def write_pieces(
    recording: int, *begin: datetime, seconds: float = 2, colour: Colour | None = RED, tone: int | None = 440
) -> None:
    """A piece for each of these beginnings, each in a run of its own."""
    folder = recorder.folder_of(recording)
    folder.mkdir(parents=True, exist_ok=True)
    for number, at in enumerate(begin):
        film(folder / f"{number}-00000.ts", colour=colour, tone=tone, seconds=seconds)
        (folder / f"{number}.csv").write_text(f"{number}-00000.ts,0.0,{seconds}\n")
        (folder / f"{number}.began").write_text(str(at.timestamp()))


def record(stream: Stream, *begin: datetime, **options: object) -> int:
    """Begin to record a live stream, and write its pieces."""
    recording = recorder.began(stream=stream.pk, at=begin[0])
    assert recording is not None
    write_pieces(recording, *begin, **options)  # type: ignore[arg-type]
    return recording


def hand_in() -> None:
    """What is over is complete."""
    for recording in recorder.over():
        recorder.ended(recording=recording)


def kept(recording: int) -> Recording:
    return Recording.objects.get(pk=recording)
