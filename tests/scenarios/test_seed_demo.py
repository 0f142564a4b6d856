"""`manage.py seed_demo` against a running Confr: rooms that were, and rooms that live as long as it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import requests

from tests.scenarios.stage import Stage
from tests.server import CHECKOUT, Confr

pytestmark = [pytest.mark.media, pytest.mark.server]


def seed(confr: Confr, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "seed_demo", *options],
        cwd=CHECKOUT, env=confr.environment, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names(confr: Confr, state: str) -> list[str]:
    answer = requests.get(
        f"{confr.url}/api/v1/conferences",
        params={"state": state, "limit": "100"},
        headers={"Authorization": f"Bearer {confr.demo['api_key']}"},
        timeout=10,
    ).json()
    return [item["name"] for item in answer["items"]]


def test_rooms_with_a_history_and_rooms_with_a_life(stage: Stage):
    said = seed(stage.server, "--live", "--minutes", "0.05", "--rooms", "2", "--streams", "1")

    assert "publishes testsrc2" in said
    assert "Monday stand-up" in names(stage.server, "closed")
    assert "三年级数学 第 12 课" in names(stage.server, "live")  # its members are gone, and wait for their grace to end


def test_twice_is_no_error(stage: Stage):
    assert "over" in seed(stage.server)
