"""The Confr under load: a fresh one on PostgreSQL and Redis of its own, and what it costs in CPU and memory.

With DATABASE_URL or REDIS_URL in the environment those are used instead, and their CPU is not counted.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from supervisor import programs, settings
from supervisor.embedded import postgres, redis
from supervisor.process import Program, start

CHECKOUT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 15
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running Confr: where it listens, the key of its application, and when its web server was started."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    started: float
    log: Path

    def cpu(self) -> float:
        """CPU seconds that Confr, PostgreSQL and Redis have used: all that this process has started."""
        return sum(_cpu(pid) for pid in _descendants(os.getpid()))

    def pss(self) -> int:
        """Bytes of memory of the web server's processes, shared pages divided by who shares them."""
        return sum(_pss(pid) for pid in (self.process.pid, *_descendants(self.process.pid)))

    def complaint(self) -> str:
        """The end of what the web server wrote."""
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def surroundings() -> Iterator[dict[str, str]]:
    """The variables of a Confr that is measured, and what they name: its folder, PostgreSQL and Redis."""
    with ExitStack() as stack:
        yield {
            "CONFR_VAR": stack.enter_context(TemporaryDirectory(prefix="confr-bench-")),
            "CONFR_MEDIA_SERVER": "conferences.media.fake.FakeMediaServer",  # no media is part of the load
            "DATABASE_URL": os.environ.get("DATABASE_URL") or stack.enter_context(postgres()),
            "REDIS_URL": os.environ.get("REDIS_URL") or stack.enter_context(redis()),
        }


@contextmanager
def running(workers: int) -> Iterator[Server]:
    """Start a Confr with this many uvicorn workers; it may not answer yet. Stop it in the end."""
    with surroundings() as given:
        var, port = Path(given["CONFR_VAR"]), _free_port()
        ours = {"CONFR_PORT": str(port), "CONFR_WORKERS": str(workers), "PROMETHEUS_MULTIPROC_DIR": str(var)}
        environment = os.environ | given | ours
        prepared = subprocess.run(
            [sys.executable, "-m", "bench.prepare"], cwd=CHECKOUT, env=environment, check=True, stdout=subprocess.PIPE
        )
        program = programs.web(settings.from_environment(environment), environment)
        with _web(program, port, prepared.stdout.decode().strip(), var / "web.log") as server:
            yield server


@contextmanager
def _web(program: Program, port: int, key: str, log: Path) -> Iterator[Server]:
    with log.open("wb") as output:
        started = time.perf_counter()
        process = start(program, output=output.fileno())
        try:
            yield Server(process, port, key, started, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def _descendants(root: int) -> list[int]:
    parents = {pid: int(fields[1]) for pid, fields in _processes()}
    found, fresh = list[int](), [root]
    while fresh:
        fresh = [pid for pid, parent in parents.items() if parent in fresh]
        found += fresh
    return found


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Every process and the fields of its line in /proc from the state on."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), fields


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _cpu(pid: int) -> float:
    """User and system time, that of ended children included."""
    return sum(map(int, _stat(pid)[11:15])) / TICKS


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
