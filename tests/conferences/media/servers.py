"""Real nginx-rtmp from a folder of its own, and the edge of these tests: a backend that stands in for Django.

The backend runs the adapter's own parsing and reply on every hook; only the decision is the test's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp

from django.http import HttpResponse
from django.test import RequestFactory

from conferences.media import nginx_conf
from conferences.media.base import MediaEvent, MediaHookInvalid, MediaServer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@dataclass
class Backend:
    """Answers hooks by `decide`; remembers what came, and what the adapter would not read."""

    adapter: MediaServer
    port: int = field(default_factory=free_port)
    decide: Callable[[MediaEvent], bool] = lambda event: True
    delay: float = 0.0
    status: int | None = None
    events: list[MediaEvent] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def kinds(self, name: str) -> list[str]:
        return [event.kind for event in self.events if event.name == name]

    def last(self, kind: str, name: str) -> MediaEvent:
        return [event for event in self.events if (event.kind, event.name) == (kind, name)][-1]

    def start(self) -> None:
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                response = backend.answer(self.path, dict(self.headers), body)
                self.send_response(response.status_code)
                for name, value in response.items():
                    self.send_header(name, value)
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> HttpResponse:
        time.sleep(self.delay)
        if self.status:
            return HttpResponse(status=self.status)
        request = RequestFactory().generic("POST", path, body, headers.get("Content-Type", ""), headers=headers)
        try:
            event = self.adapter.parse_hook(path.removeprefix("/hooks/nginx/"), request)
        except MediaHookInvalid:
            self.refused.append(body)
            return HttpResponse(status=403)
        self.events.append(event)
        return self.adapter.hook_reply(event, allow=self.decide(event))


@dataclass
class Nginx:
    """A running nginx-rtmp; `folder` holds its configuration and everything that it writes."""

    folder: Path
    rtmp_port: int
    http_port: int
    control_port: int
    flv_port: int
    process: subprocess.Popen[str]

    @property
    def worker(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        titles = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        return next((pid for pid, title in titles.items() if b"worker process" in title), 0)

    def written(self) -> str:
        """All that nginx wrote: its logs, and what it said."""
        return "".join(path.read_text(errors="replace") for path in (self.folder / "logs").iterdir())


@contextmanager
def run_nginx(*, backend_port: int, secret: str) -> Iterator[Nginx]:
    root = Path(mkdtemp(prefix="confr-media-"))
    root.chmod(0o711)
    ports = {name: free_port() for name in ("rtmp_port", "http_port", "control_port")}
    flv_port = free_port()  # of a gateway, should there be one
    config = nginx_conf.prepare(
        root / "media",
        bind="127.0.0.1",
        backend_port=backend_port,
        secret=secret,
        user=unprivileged_user(),
        rtmp_port=ports["rtmp_port"],
        http_port=ports["http_port"],
        control_port=ports["control_port"],
        flv_port=flv_port,
    )
    process = subprocess.Popen(
        nginx_conf.command(config), text=True, stdout=(root / "said").open("w"), stderr=subprocess.STDOUT
    )
    try:
        assert eventually(lambda: all(map(is_open, ports.values())) or process.poll() is not None)
        assert process.poll() is None, (root / "said").read_text()
        yield Nginx(config.parent, process=process, flv_port=flv_port, **ports)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(root)


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def unprivileged_user() -> str | None:
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None
