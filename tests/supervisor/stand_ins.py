"""Small programs that stand in for the real ones, and ways to watch processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from supervisor.process import Program, session_members, stat

T = TypeVar("T")

PARENT_WITH_WORKER = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("worker", worker.pid, flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
FAILING = "raise SystemExit(3)"


def program(source: str, folder: Path, *, patience: float = 5.0) -> Program:
    """A program in Python that runs in `folder`."""
    command = [sys.executable, "-c", source]
    return Program(name="stand-in", command=command, environment={}, folder=folder, patience=patience)


def eventually(probe: Callable[[], T], *, seconds: float = 15.0) -> T:
    """What `probe` answers once that is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {probe}"
        time.sleep(0.02)
    return answer


def is_alive(pid: int) -> bool:
    found = stat(pid)
    return found is not None and found.state != "Z"


def living(session: int) -> list[int]:
    return [member.pid for member in session_members(session)]
