"""The whole product, started by `manage.py serve` from its own state folder on free ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from supervisor.settings import CHECKOUT
from tests.server import free_ports
from tests.supervisor.stand_ins import eventually

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.media]

PORTS = ("CONFR_PORT", "CONFR_RTMP_PORT", "CONFR_MEDIA_HTTP_PORT")
CHILDREN = {"postgres", "redis", "nginx", "control", "media", "media_worker", "web"}


def pid_in(path: Path) -> int | None:
    """Whom the file names; None when it has just gone with its process."""
    try:
        pid: int = json.loads(path.read_text())["pid"]
    except FileNotFoundError:
        return None
    return pid


class Served:
    """One `manage.py serve`, what it printed, and its processes."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.var = Path(environment["CONFR_VAR"])
        self.output = ""
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line

    def until_ready(self) -> float:
        """Seconds from the start to the word."""
        eventually(lambda: "Confr is ready." in self.output or self.process.poll() is not None, seconds=60)
        assert self.process.poll() is None, self.output
        return time.monotonic() - self.began

    def answers(self) -> bool:
        url = f"http://127.0.0.1:{self.environment['CONFR_PORT']}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def children(self) -> dict[str, int]:
        files = (self.var / "run").glob("*.pid")
        return {path.stem: pid for path in files if (pid := pid_in(path)) is not None}

    def runs_again(self, name: str, killed: int) -> bool:
        return self.children().get(name, killed) != killed

    def processes(self) -> list[psutil.Process]:
        """Itself and all that descends from it."""
        ourselves = psutil.Process(self.process.pid)
        return [ourselves, *ourselves.children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(10)
        return code


@contextmanager
def state_folder() -> Iterator[Path]:
    """One that the unprivileged accounts can reach."""
    var = Path(tempfile.mkdtemp(prefix="serve-"))
    var.chmod(0o711)
    try:
        yield var
    finally:
        shutil.rmtree(var)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A state folder, free ports, no servers of others."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("CONFR_", "PYTEST"))}
    for name in ("DATABASE_URL", "REDIS_URL", "PROMETHEUS_MULTIPROC_DIR"):
        ours.pop(name, None)
    with state_folder() as var:
        yield ours | ports | {"CONFR_VAR": str(var)}


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[Served]:
    served = Served(environment)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.stop()


@pytest.fixture(scope="module")
def first(environment) -> Iterator[Served]:
    """The very first start on this state. The tests below share it, in their order."""
    with serving(environment) as served:
        served.until_ready()
        yield served


@pytest.fixture
def stopped(first: Served) -> Served:
    if first.process.poll() is None:
        first.stop()
    return first


@pytest.fixture
def served(environment, stopped) -> Iterator[Served]:
    """A later start."""
    with serving(environment) as served:
        served.until_ready()
        yield served


def test_the_first_start_prints_the_addresses_and_the_demo_once(first):
    demo_file = first.var / "demo.json"
    demo = json.loads(demo_file.read_text())

    assert stat.S_IMODE(demo_file.stat().st_mode) == 0o600
    assert set(demo) == {
        "url", "app_key", "app_id", "client_id", "client_secret", "api_key", "staff_user", "staff_password",
    }  # fmt: skip
    assert set(first.children()) == CHILDREN
    assert first.output.count(demo["api_key"]) == 1
    assert f"rtmp://127.0.0.1:{first.environment['CONFR_RTMP_PORT']}" in first.output
    assert first.answers()


def test_no_secret_is_on_a_command_line_or_open_to_others(first):
    secrets = [key for ring in json.loads((first.var / "keys.json").read_text()).values() for key in ring]
    demo = json.loads((first.var / "demo.json").read_text())
    secrets += [demo["client_secret"], demo["api_key"], demo["staff_password"]]
    lines = [" ".join(process.cmdline()) for process in first.processes()]
    assert not [line for line in lines if any(secret in line for secret in secrets)]

    readable = [path for path in first.var.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert not [path for path in readable if any(secret in path.read_bytes().decode("latin-1") for secret in secrets)]


def test_as_root_the_servers_run_under_accounts_that_own_their_folder_only(first):
    if os.geteuid() != 0:
        pytest.skip("only root has other accounts to use")
    postgres = psutil.Process(first.children()["postgres"])
    nginx_workers = psutil.Process(first.children()["nginx"]).children()
    assert nginx_workers
    assert all(process.uids().real != 0 for process in [postgres, *postgres.children(), *nginx_workers])
    assert {path.name for path in first.var.iterdir() if path.stat().st_uid != 0} == {"postgres"}


def test_idle_everything_takes_less_than_450_megabytes(first):
    proportional = sum(process.memory_full_info().pss for process in first.processes())

    assert proportional < 450_000_000


def test_ctrl_c_ends_everything_in_order(first):
    processes = first.processes()

    first.process.send_signal(signal.SIGTERM)  # an impatient one presses twice
    assert first.stop(signal.SIGINT) == 0

    assert not _living(processes)
    assert not (first.var / "run").exists()
    last = first.output.rpartition("stopping")[2]
    places = [last.index(words) for words in ("web ", "nginx", "redis ", "postgres ") if words in last]
    assert places == sorted(places)


def test_a_later_start_is_quick_and_tells_no_secret(environment, stopped):
    api_key = json.loads((stopped.var / "demo.json").read_text())["api_key"]

    def seconds_of_a_start() -> float:
        with serving(environment) as later:
            seconds = later.until_ready()
            assert later.stop(signal.SIGTERM) == 0
            assert api_key not in later.output
            return seconds

    # Three tries, since other tests run beside it: on a machine of its own it takes three seconds.
    assert any(seconds_of_a_start() < 8 for _ in range(3))


def test_each_killed_child_comes_back(served):
    for name, pid in served.children().items():
        os.kill(pid, signal.SIGKILL)

        eventually(partial(served.runs_again, name, pid), seconds=30)
        eventually(served.answers, seconds=30)


def test_nothing_outlives_a_killed_supervisor(environment, served):
    processes = served.processes()
    assert len(processes) > len(CHILDREN)

    served.process.kill()

    eventually(lambda: not _living(processes), seconds=20)
    with serving(environment) as later:
        later.until_ready()
        assert later.stop() == 0


def test_a_killed_master_and_a_killed_supervisor_leave_nothing_for_the_next_start(environment, served):
    processes = served.processes()
    os.kill(served.process.pid, signal.SIGSTOP)  # too late to notice
    os.kill(served.children()["nginx"], signal.SIGKILL)
    served.process.kill()

    with serving(environment) as later:
        later.until_ready()

        assert not _living(processes)
        assert later.stop() == 0


def test_a_backup_is_restored_while_nothing_but_the_database_runs(environment, stopped, tmp_path):
    def run(*command: str, var: Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "supervisor", *command],
            cwd=CHECKOUT,
            env=environment | {"CONFR_VAR": str(var)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    archive = str(tmp_path / "confr.tar")
    run("backup", archive, var=stopped.var)
    with state_folder() as fresh:
        run("restore", archive, var=fresh)
        assert (fresh / "keys.json").read_text() == (stopped.var / "keys.json").read_text()
        assert "demo#live" in run(
            "shell", "-c", "from accounts.models import *; print(Application.objects.get().app_key)", var=fresh
        )


def test_a_taken_port_is_named_and_nothing_is_left(environment, stopped):
    rtmp = ("127.0.0.1", int(environment["CONFR_RTMP_PORT"]))
    with closing(socket.create_server(rtmp)), serving(environment) as refused:
        assert refused.process.wait(30) == 1

    eventually(lambda: "CONFR_RTMP_PORT: cannot listen on 127.0.0.1" in refused.output)


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != "zombie"]
