"""Runs the tests of our JavaScript with Node's own test runner, those that need a server against a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import node
from tests.server import Confr, running_confr

HERE = Path(__file__).parent
LONGEST_SECONDS = 300.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS)


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    node.require(programs=("ffmpeg",))


def _node(*files: str, confr: Confr | None = None) -> None:
    node.run("--test", *(str(HERE / file) for file in files), confr=confr, seconds=LONGEST_SECONDS - 20)


def test_the_file_and_its_logic() -> None:
    _node("file.test.js", "logic.test.js")


def test_the_examples_as_files() -> None:
    _node("miniprogram_files.test.js", "browser_files.test.js")


@pytest.mark.server
def test_the_sdk_with_a_real_server(confr: Confr) -> None:
    _node("server.test.js", confr=confr)


@pytest.mark.server
def test_the_mini_program_with_a_real_server(confr: Confr) -> None:
    _node("miniprogram.test.js", confr=confr)


@pytest.mark.server
def test_the_page_with_a_real_server(confr: Confr) -> None:
    _node("browser.test.js", confr=confr)


@pytest.mark.server
@pytest.mark.media
def test_the_sdk_with_real_media(confr: Confr) -> None:
    _node("media.test.js", confr=confr)


@pytest.mark.server
@pytest.mark.slow
def test_a_hundred_clients_survive_the_death_of_every_web_process() -> None:
    with running_confr() as server:
        _node("survival.test.js", confr=server)
