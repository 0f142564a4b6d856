"""Runs the tests of our JavaScript with Node's own test runner, those that need a server against a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import CHECKOUT, Confr, running_confr

HERE = Path(__file__).parent
LONGEST_SECONDS = 300.0


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    missing = [name for name in ("node", "ffmpeg") if shutil.which(name) is None]
    if not (CHECKOUT / "node_modules").is_dir():
        missing.append("node_modules (npm ci)")
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"missing: {', '.join(missing)}")


def _node(*files: str, server: Confr | None = None) -> None:
    environment = dict(os.environ)
    if server is not None:
        environment |= {
            "CONFR_URL": server.url,
            "CONFR_APP_KEY": server.demo["app_key"],
            "CONFR_API_KEY": server.demo["api_key"],
            "CONFR_PID": str(server.process.pid),
        }
    node = shutil.which("node") or "node"
    run = subprocess.run(
        [node, "--test", *(str(HERE / file) for file in files)],
        env=environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS - 20,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]


@pytest.mark.timeout(LONGEST_SECONDS)
def test_the_file_and_its_logic() -> None:
    _node("file.test.js", "logic.test.js")


def test_the_examples_as_files() -> None:
    _node("miniprogram_files.test.js", "browser_files.test.js")


@pytest.mark.server
@pytest.mark.timeout(LONGEST_SECONDS)
def test_the_sdk_with_a_real_server(confr: Confr) -> None:
    _node("server.test.js", server=confr)


@pytest.mark.server
@pytest.mark.timeout(LONGEST_SECONDS)
def test_the_mini_program_with_a_real_server(confr: Confr) -> None:
    _node("miniprogram.test.js", server=confr)


@pytest.mark.server
@pytest.mark.timeout(LONGEST_SECONDS)
def test_the_page_with_a_real_server(confr: Confr) -> None:
    _node("browser.test.js", server=confr)


@pytest.mark.server
@pytest.mark.media
@pytest.mark.timeout(LONGEST_SECONDS)
def test_the_sdk_with_real_media(confr: Confr) -> None:
    _node("media.test.js", server=confr)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.timeout(LONGEST_SECONDS)
def test_a_hundred_clients_survive_the_death_of_every_web_process() -> None:
    with running_confr() as server:
        _node("survival.test.js", server=server)
