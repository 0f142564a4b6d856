"""The processes of a running Confr, and what can happen to them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.scenarios.stage import eventually
from tests.server import Confr


class Processes:
    """Finds the children of one supervisor by name: postgres, redis, nginx, control, media, web."""

    def __init__(self, server: Confr) -> None:
        self.server = server

    def pid(self, name: str) -> int:
        """Of one that is kept running. Fails when it does not come (back) in time."""
        path = self.server.var / "run" / f"{name}.pid"
        return eventually(lambda: _pid_in(path.read_text()) if path.exists() else 0, seconds=20, what=f"{name} runs")

    def kill(self, name: str) -> int:
        """`kill -9`; answers whom."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def web_workers(self) -> list[int]:
        """The processes that hold sockets. The spawner's own helper is none of them."""
        children = psutil.Process(self.pid("web")).children()
        return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]

    def nginx_worker(self) -> int:
        workers = psutil.Process(self.pid("nginx")).children()
        return next((child.pid for child in workers if "worker process" in " ".join(child.cmdline())), 0)

    def restart_postgres(self) -> int:
        """What an upgrade does: everybody's connection is cut, and the server is back in a moment."""
        pid = self.pid("postgres")
        os.kill(pid, signal.SIGINT)
        return pid

    def until_back(self, name: str, gone: int) -> None:
        """Wait until another process has taken the place of `gone`, and Confr says that it is ready."""
        eventually(lambda: self.pid(name) != gone, seconds=30, what=f"{name} runs again")
        eventually(self.server.is_ready, seconds=40, what="ready again")

    @contextmanager
    def held_down(self, name: str) -> Iterator[None]:
        """Killed, and for as long as the block lasts nobody starts it again."""
        supervisor = self.server.process.pid
        gone = self.pid(name)
        children = psutil.Process(gone).children(recursive=True)
        os.kill(supervisor, signal.SIGSTOP)
        try:
            os.kill(gone, signal.SIGKILL)
            for child in children:
                child.kill()
            yield
        finally:
            os.kill(supervisor, signal.SIGCONT)
        self.until_back(name, gone)

    @contextmanager
    def hung(self, name: str) -> Iterator[None]:
        """It and its children do nothing while the block lasts, and close nothing."""
        leader = psutil.Process(self.pid(name))
        family = [leader, *leader.children(recursive=True)]
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()


def _pid_in(text: str) -> int:
    pid: int = json.loads(text)["pid"] if text else 0
    return pid
