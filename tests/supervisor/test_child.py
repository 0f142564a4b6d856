from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from supervisor.child import Child
from supervisor.errors import StartError
from supervisor.process import PidFile, start
from tests.supervisor.stand_ins import (
    DEAF,
    FAILING,
    PARENT_WITH_WORKER,
    SLEEPER,
    eventually,
    is_alive,
    living,
    program,
)

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from supervisor.child import Child
from supervisor.process import PidFile
from tests.supervisor.stand_ins import PARENT_WITH_WORKER, program
async def main():
    folder = Path(sys.argv[1])
    child = Child(program(PARENT_WITH_WORKER, folder), PidFile(folder / "stand-in.pid"))
    child.start()
    print(child.pid, flush=True)
    await child.keep()
asyncio.run(main())
"""


@pytest.fixture
def pid_file(tmp_path: Path) -> PidFile:
    return PidFile(tmp_path / "stand-in.pid")


async def until(probe) -> None:
    async with asyncio.timeout(15):
        while not probe():  # noqa: ASYNC110 what happens elsewhere sets no event
            await asyncio.sleep(0.02)


async def test_a_killed_program_starts_again_and_leaves_no_worker_behind(tmp_path, pid_file):
    child = Child(program(PARENT_WITH_WORKER, tmp_path), pid_file)
    child.start()
    keeper = asyncio.create_task(child.keep())
    first = child.pid
    assert first
    await until(lambda: len(living(first)) == 2)

    os.kill(first, signal.SIGKILL)

    await until(lambda: child.pid not in {first, None})
    assert living(first) == []
    second = child.pid
    assert second
    keeper.cancel()
    await child.stop()
    assert living(second) == []
    assert not pid_file.path.exists()


async def test_a_program_that_ends_at_once_is_given_up_after_five_times(tmp_path, pid_file, capsys):
    child = Child(program(FAILING, tmp_path), pid_file)
    child.start()

    with pytest.raises(StartError, match=r"stand-in failed 5 times in a row \(exit code 3\): gave up"):
        await child.keep()

    assert capsys.readouterr().out.count("starts again in") == 4


async def test_a_program_that_cannot_be_found_says_so(tmp_path, pid_file):
    with pytest.raises(StartError, match="stand-in cannot be started"):
        Child(program(SLEEPER, tmp_path / "nowhere"), pid_file).start()


async def test_a_program_that_ignores_the_stop_is_killed(tmp_path, pid_file, capsys):
    child = Child(program(DEAF, tmp_path, patience=0.3), pid_file)
    child.start()
    pid = child.pid
    assert pid
    await until(lambda: "deaf" in capsys.readouterr().out)

    await child.stop()

    assert not is_alive(pid)


async def test_each_line_carries_the_name_of_who_printed_it(tmp_path, pid_file, capsys):
    child = Child(program("print('one\\ntwo'); print('three', end='')", tmp_path), pid_file)
    child.start()

    assert await child.ended() == 0
    await child.stop()

    assert capsys.readouterr().out == "stand-in    | one\nstand-in    | two\nstand-in    | three\n"


def test_no_process_outlives_a_killed_supervisor(tmp_path):
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout
    pid = int(supervisor.stdout.readline())
    eventually(lambda: len(living(pid)) == 2)

    supervisor.kill()
    supervisor.communicate()

    eventually(lambda: not is_alive(pid))  # its worker is what the next start ends, see below
    assert PidFile(tmp_path / "stand-in.pid").end_stale()
    assert living(pid) == []


def test_the_next_start_ends_what_an_earlier_one_left(tmp_path, pid_file):
    process = start(program(PARENT_WITH_WORKER, tmp_path), output=subprocess.DEVNULL)
    pid_file.write(process.pid, program(PARENT_WITH_WORKER, tmp_path))
    eventually(lambda: len(living(process.pid)) == 2)

    assert pid_file.end_stale()

    assert living(process.pid) == []
    assert not pid_file.path.exists()
    process.wait()


def test_a_pid_file_that_a_power_cut_left_empty_hinders_nobody(pid_file):
    pid_file.path.touch()

    assert not pid_file.end_stale()

    assert not pid_file.path.exists()


def test_a_process_that_only_has_the_number_of_a_stale_one_is_left_alone(tmp_path, pid_file):
    process = start(program(SLEEPER, tmp_path), output=subprocess.DEVNULL)
    pid_file.write(process.pid, program(SLEEPER, tmp_path))
    record = pid_file.path.read_text()
    for other in (record.replace('"started": ', '"started": 1'), record.replace('"boot": "', '"boot": "0')):
        pid_file.path.write_text(other)

        assert not pid_file.end_stale()

        assert is_alive(process.pid)
        assert not pid_file.path.exists()
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
