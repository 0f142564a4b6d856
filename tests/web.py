"""The web processes alone, as the supervisor starts them, against the database of the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from django.db import connection

from tests.server import CHECKOUT, free_ports

START_SECONDS = 30.0
STOP_SECONDS = 15.0


class Web:
    """A running uvicorn with its workers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def live(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live"

    def workers(self) -> list[psutil.Process]:
        """The processes that serve."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "multiprocessing.spawn" in " ".join(child.cmdline())]

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def terminate(self) -> None:
        self.process.terminate()
        self.process.wait(STOP_SECONDS)


@contextmanager
def running_web(folder: Path, workers: int = 2, **variables: str) -> Iterator[Web]:
    """Start uvicorn and wait until every worker serves; stop it, and no process stays behind."""
    [port] = free_ports(1)
    metrics = folder / f"metrics-{port}"
    metrics.mkdir()
    ours = {
        "CONFR_PORT": str(port),
        "DATABASE_URL": _database(),
        "CONFR_DB_POOL": "1",
        "CONFR_DB_THREADS": "4",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),  # without it a worker tells of itself alone
    }
    environment = os.environ | ours | variables
    command = [
        sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--loop", "uvloop", "--http", "httptools",
        "--ws", "config.websocket_protocol:ConfrWebSocketProtocol", "--ws-per-message-deflate", "false",
        "--ws-max-size", "65536", "--timeout-graceful-shutdown", "5", "--backlog", "2048", "--no-proxy-headers",
    ]  # fmt: skip
    log = folder / f"web-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=output, stderr=output)
    web = Web(process, port, log)
    try:
        _wait(web, workers)
        yield web
    finally:
        descendants = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            for child in psutil.wait_procs(descendants, timeout=STOP_SECONDS)[1]:
                child.kill()


def _wait(web: Web, workers: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    # A server without workers listens only after its application has started.
    while web.log.read_text().count("Application startup complete") < workers or not web.is_listening():
        assert web.process.poll() is None, web.log.read_text()[-5000:]
        assert time.monotonic() < deadline, web.log.read_text()[-5000:]
        time.sleep(0.05)


def _database() -> str:
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


class OwnRedis:
    """A Redis that a test may kill."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed"
        [self.port] = free_ports(1)
        self._command = [
            program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        ]  # fmt: skip
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
