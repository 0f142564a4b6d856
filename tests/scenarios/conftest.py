from __future__ import annotations

import pytest

from tests.conferences.media.conftest import require_programs
from tests.scenarios.stage import Stage, demo_stage
from tests.server import Confr


@pytest.fixture(scope="session")
def programs() -> None:
    require_programs()


@pytest.fixture(scope="session")
def stage(programs: None, confr: Confr) -> Stage:
    """The running Confr of the session, with the demo's application. For tests that break nothing."""
    return demo_stage(confr)
