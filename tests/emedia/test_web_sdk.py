"""Runs the vendor's web SDK (npm easemob-emedia, unmodified) in Node with jsdom against a running Confr."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import node
from tests.server import Confr

HERE = Path(__file__).parent
LONGEST_SECONDS = 240.0


@pytest.fixture
def _packages() -> None:
    node.require(HERE)


@pytest.mark.server
@pytest.mark.timeout(LONGEST_SECONDS)
@pytest.mark.usefixtures("_packages")
def test_the_vendors_web_sdk_has_its_control_plane_and_meets_others(confr: Confr) -> None:
    node.run("--test", "control.test.js", "mixed.test.js", folder=HERE, confr=confr, seconds=LONGEST_SECONDS - 20)
