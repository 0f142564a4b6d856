"""The mixer: many streams become one. A clock of its own asks whatever there is of each input for the next frame, so
that no input can hold up the output: they may stall, die, come back and change their size.

Knows no Django and no media server.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from conferences.media.canvas import Canvas, Frame
from conferences.media.decoder import Decoder
from conferences.media.encoder import Encoder
from conferences.media.scene import Fit, Output, Scene, Tile
from conferences.media.sound import RATE, mixed

logger = logging.getLogger(__name__)

BEHIND_SECONDS = 1.0  # further behind than this, the clock begins anew
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Report:
    """How a mix fares: frames made in all, of these late or lost, and which inputs bring nothing."""

    frames: int
    late: int
    missing: tuple[str, ...]
    idle_seconds: float
    publishes: bool


class _Input:
    """An input that stays visible while its place changes: the next decoder takes over when it has a picture."""

    def __init__(self, open_decoder: Callable[[Tile], Decoder], retire: Callable[[Decoder], None], tile: Tile) -> None:
        self._open, self._retire = open_decoder, retire
        self.tile = tile
        self.current = open_decoder(tile)
        self._next: Decoder | None = None

    def place(self, tile: Tile) -> None:
        """Be seen there from now on."""
        before, self.tile = self.tile, tile
        if _shape(tile) != _shape(before):
            if self._next:
                self._retire(self._next)
            self._next = self._open(tile)

    def turn(self) -> None:
        """Let the next decoder take over once it brings what this one brings."""
        if self._next and _replaces(self._next, self.current):
            self._retire(self.current)
            self.current, self._next = self._next, None

    def close(self) -> None:
        self._retire(self.current)
        if self._next:
            self._retire(self._next)


class Mixer:
    """One mix, from `run` to `stop`. `url` answers where an input is played, `publish_url` where the output goes;
    both are asked anew for each connection."""

    def __init__(
        self, output: Output, scene: Scene, *, url: Callable[[str], str], publish_url: Callable[[], str]
    ) -> None:
        self._output, self._url, self._publish_url = output, url, publish_url
        self._scene = scene
        self._inputs: dict[str, _Input] = {}
        self._closing: list[Decoder] = []
        self._stopped = threading.Event()
        self._frames = self._late = self._failures = 0
        self._live_at = time.monotonic()
        self._encoder: Encoder | None = None
        self._began_at = self._retry_at = 0.0

    def show(self, scene: Scene) -> None:
        """Change what is seen, with the next frame. From any thread."""
        self._scene = scene

    def stop(self) -> None:
        """End `run`. From any thread."""
        self._stopped.set()

    def report(self) -> Report:
        """From any thread."""
        missing = tuple(sorted(name for name, each in self._inputs.copy().items() if not each.current.is_live))
        idle = time.monotonic() - self._live_at
        lost = self._encoder.lost if self._encoder else 0
        return Report(self._frames, self._late + lost, missing, idle, bool(self._encoder and self._encoder.works))

    def run(self) -> None:
        """Mix until `stop`. The thread that calls it owns the encoder."""
        shown: Scene | None = None
        try:
            start, ticks = time.monotonic(), 0
            while not self._stopped.wait(max(0.0, start + ticks / self._output.fps - time.monotonic())):
                if self._scene is not shown:
                    shown = self._scene
                    canvas = Canvas(self._output.width, self._output.height, shown.background)
                    self._set(shown.tiles)
                self._tick(canvas, ticks)
                ticks += 1
                behind = time.monotonic() - start - ticks / self._output.fps
                self._late += behind > 0
                if behind > BEHIND_SECONDS:
                    start, ticks = time.monotonic(), 0
        finally:
            self._close()

    def _tick(self, canvas: Canvas, tick: int) -> None:
        for each in self._inputs.values():
            each.turn()
            if each.current.is_live:
                self._live_at = time.monotonic()
        pictures = [(each.tile, each.current.picture) for each in self._inputs.values()]
        frame = canvas.paint([(tile, picture) for tile, picture in pictures if picture])
        count = RATE * (tick + 1) // self._output.fps - RATE * tick // self._output.fps
        samples = mixed(count, (each.current.sound.take(count) for each in self._inputs.values()))
        self._frames += 1
        self._publish(frame, samples)

    def _publish(self, frame: Frame, samples: bytes) -> None:
        now = time.monotonic()
        if self._encoder is None and now >= self._retry_at:
            self._encoder = Encoder(self._output, self._publish_url())
            self._began_at = now
        elif self._encoder and not self._encoder.works:
            self._failures = 0 if now - self._began_at > 2 * RETRY_SECONDS[-1] else self._failures + 1
            self._retry_at = now + RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            logger.warning("a mix is not published: %s", self._encoder.log)
            self._encoder.close()
            self._encoder = None
        if self._encoder:
            self._encoder.put(frame.buffer.data, samples)

    def _set(self, tiles: Mapping[str, Tile]) -> None:
        for name in self._inputs.keys() - tiles.keys():
            self._inputs.pop(name).close()
        for name, tile in tiles.items():
            if name in self._inputs:
                self._inputs[name].place(tile)
            else:
                self._inputs[name] = _Input(partial(self._open, name), self._retire, tile)

    def _retire(self, decoder: Decoder) -> None:
        """Have a decoder end, beside the clock."""
        decoder.close()
        self._closing = [*(each for each in self._closing if each.is_running), decoder]

    def _open(self, name: str, tile: Tile) -> Decoder:
        width, height, fit = _shape(tile)
        return Decoder(lambda: self._url(name), width=width, height=height, fit=fit, fps=self._output.fps)

    def _close(self) -> None:
        self._set({})
        if self._encoder:
            self._encoder.close()
        for decoder in self._closing:
            decoder.join(JOIN_SECONDS)


def _replaces(new: Decoder, old: Decoder) -> bool:
    """Whether nobody would miss the old one."""
    return bool(new.picture) if old.picture else new.is_live or not old.is_live


def _shape(tile: Tile) -> tuple[int, int, Fit]:
    return tile.rectangle.width, tile.rectangle.height, tile.fit
