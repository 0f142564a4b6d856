"""The state folder: one supervisor at a time, its pid files, the ports it may have, what it tells others."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from supervisor.errors import StartError
from supervisor.process import PidFile


class State:
    """`var` and its folder `run`, which holds nothing worth keeping between two runs."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.run = var / "run"
        self.metrics = self.run / "metrics"
        self.demo_file = var / "demo.json"
        self.environment_file = self.run / "environment"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state for ourselves. Raises: StartError while another supervisor does."""
        self.var.mkdir(mode=0o711, parents=True, exist_ok=True)
        with (self.var / "serve.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StartError(f"Confr runs on {self.var} already, as process {file.read()}") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def pid_file(self, name: str) -> PidFile:
        return PidFile(self.run / f"{name}.pid")

    def clean_up(self) -> list[str]:
        """End what an earlier run left behind, empty `run`. Returns the names of what was ended."""
        self.run.mkdir(mode=0o700, exist_ok=True)
        ended = [path.stem for path in sorted(self.run.glob("*.pid")) if PidFile(path).end_stale()]
        for link in self.run.glob("*.sockets"):
            shutil.rmtree(link.readlink(), ignore_errors=True)
            link.unlink()
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir()
        return ended

    def remember_sockets(self, name: str, folder: Path) -> None:
        """Keep the place of a socket folder, so that the next start can remove it if we cannot."""
        (self.run / f"{name}.sockets").symlink_to(folder)

    def private_port(self, name: str) -> int:
        """A port on loopback for what `name` says: picked once and kept, until somebody else takes it."""
        path = self.var / name
        kept = path.read_text().strip() if path.exists() else ""
        if kept.isdecimal() and _is_free("127.0.0.1", int(kept)):
            return int(kept)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        path.write_text(f"{port}\n")
        return port

    def tell_environment(self, variables: Mapping[str, str]) -> None:
        """Write what `manage.py` in another terminal needs: `. run/environment` there (0600)."""
        self.environment_file.unlink(missing_ok=True)
        descriptor = os.open(self.environment_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def check_ports(bind: str, ports: Mapping[str, int]) -> None:
    """Raises: StartError that names the variable of a port that is taken, also by one of the others."""
    with ExitStack() as held:
        for name, port in ports.items():
            try:
                held.enter_context(_listener(bind, port))
            except OSError as error:
                raise StartError(
                    f"{name}: cannot listen on {bind} port {port} ({error.strerror}). "
                    f"End what uses it, or set {name} to a free port."
                ) from None


def _is_free(bind: str, port: int) -> bool:
    try:
        _listener(bind, port).close()
    except OSError:
        return False
    return True


def _listener(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    return socket.create_server((bind, port), family=family)
