"""A stream that is being recorded: what the tables say of it, what lies in its folder, and who writes there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from conferences.media import recorder
from conferences.media.recorder import Segment
from tests.scenarios.stage import Published, eventually

NEWEST = (
    "SELECT r.id FROM conferences_recording r JOIN conferences_stream s ON s.id = r.stream_id "
    "WHERE media_name = %s ORDER BY r.id DESC"
)


class Recorded:
    """The newest recording of a stream, once it has begun."""

    def __init__(self, stream: Published) -> None:
        self.stream, self.stage = stream, stream.room.stage
        self.id: int = eventually(lambda: self.stage.value(NEWEST, stream.media_name), what="a recording begins")

    def _value(self, column: str) -> Any:
        return self.stage.value(f"SELECT {column} FROM conferences_recording WHERE id = %s", self.id)  # noqa: S608

    @property
    def folder(self) -> Path:
        return self.stage.server.var / "recordings" / "pieces" / str(self.id)

    @property
    def state(self) -> str:
        return str(self._value("state"))

    @property
    def seconds(self) -> float:
        return float(self._value("duration_ms")) / 1000

    @property
    def gaps(self) -> list[tuple[str, float]]:
        """The cause and the length of each."""
        return [(gap["cause"], (gap["until"] - gap["from"]) / 1000) for gap in self._value("gaps")]

    def whole(self) -> list[Segment]:
        return recorder.segments(self.folder)

    def runs(self) -> int:
        """How many connections have brought something."""
        return len(list(self.folder.glob("*.began")))

    def writers(self) -> list[int]:
        """The ffmpegs that write to the folder."""
        found = psutil.process_iter(["name", "cmdline"])
        return [
            process.pid
            for process in found
            if process.info["name"] == "ffmpeg" and str(self.folder) in " ".join(process.info["cmdline"] or ())
        ]

    def until_runs(self, count: int, *, seconds: float = 30) -> None:
        eventually(lambda: self.runs() >= count, seconds=seconds, what=f"run {count} of recording {self.id}")

    def until_state(self, state: str, *, seconds: float = 60) -> None:
        eventually(lambda: self.state == state, seconds=seconds, what=f"recording {self.id} is {state}")
