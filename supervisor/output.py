"""One terminal for all: whole lines, each with the name of who printed it in front."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

OURS = "confr"
_NAME_WIDTH = 11


def say(text: str, *, name: str = OURS) -> None:
    """Print `text` under `name`. A terminal that went away is no reason to fail."""
    with suppress(OSError):
        for line in text.splitlines():
            print(f"{name:{_NAME_WIDTH}} | {line}", flush=True)  # noqa: T201 it is what this file is for


class Lines:
    """Copies what a process prints into a pipe to our terminal, until nobody holds the pipe any more."""

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self._descriptor = descriptor
        self._rest = b""
        self.ended = asyncio.Event()
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        chunk = os.read(self._descriptor, 65536)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk:
            lines.append(self._rest)
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self.ended.set()
        for line in lines:
            say(line.decode(errors="replace"), name=self._name)
