"""A whole Confr for behaviour tests: what `script/server` runs, on free ports, with its own database and Redis."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
START_SECONDS = 90.0
STOP_SECONDS = 60.0
OURS = ("CONFR_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PYTEST_")


@dataclass(frozen=True)
class Confr:
    """A running Confr: where it is, and the credentials of its demo application."""

    process: subprocess.Popen[bytes]
    var: Path
    log: Path
    port: int
    rtmp_port: int
    media_http_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def demo(self) -> dict[str, Any]:
        """`demo.json`: app_key, app_id, client_id, client_secret, api_key, staff_user, staff_password."""
        found: dict[str, Any] = json.loads((self.var / "demo.json").read_text())
        return found

    @property
    def environment(self) -> dict[str, str]:
        """What `manage.py` needs to reach the same database and Redis."""
        lines = (self.var / "run" / "environment").read_text().splitlines()
        pairs = (line.removeprefix("export ").partition("=") for line in lines)
        return _clean_environment() | {name: value.strip("'") for name, _, value in pairs}

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):  # noqa: S310 an address of ours
                return (self.var / "demo.json").exists()
        except (OSError, urllib.error.HTTPError):
            return False


@contextmanager
def running_confr(**variables: str) -> Iterator[Confr]:
    """Start Confr with two web processes and wait until it is ready; stop it cleanly. `variables` are added."""
    var = Path(tempfile.mkdtemp(prefix="confr-server-"))
    var.chmod(0o711)  # as root, PostgreSQL and nginx run under accounts that must pass here
    log = var / "log"
    port, rtmp_port, media_http_port = free_ports(3)
    environment = _clean_environment() | {
        "CONFR_VAR": str(var),
        "CONFR_PORT": str(port),
        "CONFR_RTMP_PORT": str(rtmp_port),
        "CONFR_MEDIA_HTTP_PORT": str(media_http_port),
        "CONFR_WORKERS": "2",
        **variables,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor"], cwd=CHECKOUT, env=environment, stdout=output, stderr=output
        )
    server = Confr(process, var, log, port, rtmp_port, media_http_port)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()  # its children do not outlive it
            shutil.rmtree(var, ignore_errors=True)


def _wait(server: Confr) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        assert server.process.poll() is None, f"Confr ended:\n{server.log.read_text()[-5000:]}"
        assert time.monotonic() < deadline, f"Confr is not ready:\n{server.log.read_text()[-5000:]}"
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
