"""One process: started so that it never outlives us, found by its pid file, ended with all it started."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from supervisor import ownership

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_KILL_SECONDS = 5.0  # a killed process is gone at once, unless the kernel holds it in a disk wait
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start, and how to stop it.

    `user` is the account it runs under (None: ours). `stop_signal` asks it to end in good order, also when we
    die; after `patience` seconds it is killed with everything it started.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 10.0


@dataclass(frozen=True, slots=True)
class Stat:
    """The line of /proc that tells one process from a later one with the same number."""

    pid: int
    state: str
    session: int
    started: int  # clock ticks after boot


def start(program: Program, *, output: int | None = None) -> subprocess.Popen[bytes]:
    """Start `program` in a session of its own. `output` takes what it prints (None: our own terminal).

    Call it from the main thread: the kernel sends the death signal when the *thread* that forked ends.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, program.stop_signal, 0, 0, 0)
        if os.getppid() != parent:  # it was gone before the line above
            os._exit(1)

    return subprocess.Popen(
        program.command,
        env=program.environment,
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        user=program.user,
        group=ownership.group_of(program.user),
        extra_groups=None if program.user is None else [],
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def stat(pid: int) -> Stat | None:
    """The process with this number, or None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return Stat(pid, state=fields[0], session=int(fields[3]), started=int(fields[19]))


def session_members(session: int) -> Iterator[Stat]:
    """Every living process of a session, whether its leader lives or not."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            found = stat(int(entry.name))
            if found and found.session == session and found.state != "Z":
                yield found


def kill_session(session: int) -> None:
    """Kill what is left of a session, e.g. the worker of a killed nginx master."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (members := list(session_members(session))) and time.monotonic() < deadline:
        for member in members:
            send(member.pid, signal.SIGKILL)
        time.sleep(0.01)


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


class PidFile:
    """Remembers a process across our own death, so that the next start can end what this one left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, pid: int, program: Program) -> None:
        found = stat(pid)
        if found is None:
            return
        record = {
            "pid": pid,
            "started": found.started,
            "boot": _BOOT_ID.read_text().strip(),
            "signal": int(program.stop_signal),
            "patience": program.patience,
        }
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(record))
        draft.replace(self.path)  # a kill in between must not leave half of it: nobody would find the process again

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def end_stale(self) -> bool:
        """End the process of an earlier run and all of its session. Returns whether there was one.

        A number that now belongs to another process is left alone: the start time and the boot must agree.
        """
        try:
            record = json.loads(self.path.read_text())
        except ValueError:  # a power cut left it empty: whoever it named is gone
            self.remove()
            return False
        pid = record["pid"]
        leader = stat(pid)
        if record["boot"] != _BOOT_ID.read_text().strip() or (leader and leader.started != record["started"]):
            self.remove()
            return False
        was_there = any(True for _ in session_members(pid))
        if leader:
            send(pid, signal.Signals(record["signal"]))
            _wait_until_gone(pid, seconds=record["patience"])
        kill_session(pid)
        self.remove()
        return was_there


def _wait_until_gone(pid: int, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (found := stat(pid)) and found.state != "Z" and time.monotonic() < deadline:
        time.sleep(0.02)
