"""Node, run by a test: whether it fails or hangs, the test tells what it had printed until then."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.server import CHECKOUT, Confr

TOLD = 20_000  # characters, the last ones


def require(packages: Path = CHECKOUT, *, programs: tuple[str, ...] = ()) -> None:
    """Skip the test where Node, one of `programs` or the packages of a folder are not installed: with CI=true it
    fails."""
    missing = [name for name in ("node", *programs) if shutil.which(name) is None]
    if not (packages / "node_modules").is_dir():
        missing.append(f"node_modules (`npm ci` in {packages})")
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


def run(
    *arguments: str, folder: Path = CHECKOUT, confr: Confr | None = None, given: str = "", seconds: float = 60.0
) -> str:
    """What Node printed. Where `confr` runs, and its demo's credentials, are in the environment. Nothing that Node
    started outlives it.

    Raises: AssertionError with what it printed, when it fails or is not done after `seconds`.
    """
    process = subprocess.Popen(
        [shutil.which("node") or "node", *arguments],
        cwd=folder,
        env=os.environ | (_told_of(confr) if confr else {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # `node --test` has a process for each file
    )
    try:
        printed, complained = process.communicate(given, seconds)
        outcome = f"ended with {process.returncode}"
    except subprocess.TimeoutExpired:
        outcome = f"was not done after {seconds:.0f} s"
        _end(process)
        printed, complained = process.communicate()
    finally:
        _end(process)
    assert process.returncode == 0, f"{printed[-TOLD:]}\n{complained[-TOLD:]}\nnode {' '.join(arguments)} {outcome}"
    return printed


def _told_of(confr: Confr) -> dict[str, str]:
    return {
        "CONFR_URL": confr.url,
        "CONFR_APP_KEY": confr.demo["app_key"],
        "CONFR_API_KEY": confr.demo["api_key"],
        "CONFR_PID": str(confr.process.pid),
    }


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
