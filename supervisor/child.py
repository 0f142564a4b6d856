"""A program that is kept running: started again when it ends, until it is stopped or ends too often."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress

from supervisor.errors import StartError
from supervisor.output import Lines, say
from supervisor.process import PidFile, Program, kill_session, send, start

QUICK_SECONDS = 10.0  # who ends sooner than this after a start has failed
MOST_QUICK_FAILURES = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
_OUTPUT_SECONDS = 1.0  # how long we wait for the last lines of one that ended


class Child:
    """One program and, between `start` and its end, its process."""

    def __init__(self, program: Program, pid_file: PidFile) -> None:
        self.program = program
        self._pid_file = pid_file
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Lines | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        reading, writing = os.pipe()
        try:
            self._process = start(self.program, output=writing)
        except OSError as error:
            os.close(reading)
            raise StartError(f"{self.program.name} cannot be started: {error}") from error
        finally:
            os.close(writing)
        self._lines = Lines(self.program.name, reading)
        self._pid_file.write(self._process.pid, self.program)

    async def ended(self) -> int:
        """Wait until the process ends, then end all that it started. Returns its exit code."""
        assert self._process
        await _gone(self._process.pid)
        return self._bury(self._process)

    async def keep(self) -> None:
        """Start the program again whenever it ends.

        Raises: StartError after five failures in a row within ten seconds of a start.
        """
        failures = 0
        while True:
            began = time.monotonic()
            code = await self.ended()
            failures = failures + 1 if time.monotonic() - began < QUICK_SECONDS else 0
            if failures == MOST_QUICK_FAILURES:
                raise StartError(
                    f"{self.program.name} failed {failures} times in a row ({_explain(code)}): gave up. "
                    "Its own words are above."
                )
            pause = min(FIRST_PAUSE * 3 ** max(failures - 1, 0), LONGEST_PAUSE)
            say(f"{self.program.name} ended ({_explain(code)}), starts again in {pause:.1f} s")
            await asyncio.sleep(pause)
            self.start()

    async def stop(self) -> None:
        """Ask the process to end; kill it, with all that it started, when it does not."""
        if self._process:
            send(self._process.pid, self.program.stop_signal)
            try:
                async with asyncio.timeout(self.program.patience):
                    await self.ended()
            except TimeoutError:
                say(f"{self.program.name} does not end: killed")
                self._bury(self._process)
        if self._lines:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lines.ended.wait(), _OUTPUT_SECONDS)

    def _bury(self, process: subprocess.Popen[bytes]) -> int:
        """Only when all others of its session are gone may its number belong to somebody else."""
        kill_session(process.pid)
        code = process.wait()
        self._process = None
        self._pid_file.remove()
        return code


async def _gone(pid: int) -> None:
    """Wait until our child ends. It is not reaped: its number stays its own."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _explain(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
