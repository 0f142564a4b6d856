"""`python -m supervisor`, which `manage.py serve` becomes.

With arguments it runs that `manage.py` command beside nothing but the database and Redis: a restore needs
the embedded PostgreSQL while nobody else does.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from supervisor.errors import StartError
from supervisor.settings import Settings, from_environment
from supervisor.state import State
from supervisor.supervisor import Supervisor

_OPEN_FILES = 65536


def main(command: Sequence[str]) -> int:
    """Run Confr until a signal ends it, or `command` until it is done. Returns the exit code."""
    exit_code = 0
    try:
        settings = from_environment(os.environ)
        _raise_open_files()
        state = State(settings.var)
        with state.locked():
            asyncio.run(_supervise(settings, state, command))
    except* StartError as errors:
        for error in errors.exceptions:
            print(f"confr: {error}", file=sys.stderr)  # noqa: T201 a program's last words
        exit_code = 1
    return exit_code


def _raise_open_files() -> None:
    """A terminal allows 1024 open files; every member's socket is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _supervise(settings: Settings, state: State, command: Sequence[str]) -> None:
    supervisor = Supervisor(settings, state)
    running = asyncio.create_task(supervisor.run_command(command) if command else supervisor.run())
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants us to stay
        numbers.append(signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        await supervisor.stop()  # no signal interrupts this


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
