"""Runs the vendor's web SDK (npm easemob-emedia, unmodified) in Node with jsdom against a running Confr."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import Confr

HERE = Path(__file__).parent
LONGEST_SECONDS = 240.0


@pytest.fixture
def node() -> str:
    """The path of Node, where the packages beside this file are installed."""
    found = shutil.which("node")
    if found is not None and (HERE / "node_modules").is_dir():
        return found
    why = f"needs Node.js, and `npm ci` in {HERE}"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.mark.server
@pytest.mark.timeout(LONGEST_SECONDS)
def test_the_vendors_web_sdk_has_its_control_plane_and_meets_others(node: str, confr: Confr) -> None:
    environment = os.environ | {
        "CONFR_URL": confr.url,
        "CONFR_APP_KEY": confr.demo["app_key"],
        "CONFR_API_KEY": confr.demo["api_key"],
    }
    run = subprocess.run(
        [node, "--test", "control.test.js", "mixed.test.js"],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS - 20,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
