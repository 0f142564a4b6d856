from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.scenarios.faults.processes import Processes
from tests.scenarios.stage import Stage, application_stage
from tests.server import running_confr

GRACE_SECONDS = 5
SPARE_BYTES = 2 << 30  # more than the tests write


@pytest.fixture(scope="package")
def house(programs: None) -> Iterator[Stage]:
    """A Confr to break, with an application whose members have 5 s to come back. Its disk is nearly full."""
    min_free_bytes = shutil.disk_usage(tempfile.gettempdir()).free - SPARE_BYTES
    with running_confr(CONFR_RECORDING_MIN_FREE_BYTES=str(min_free_bytes)) as server:
        stage = application_stage(server, grace_seconds=GRACE_SECONDS)
        stage.min_free_bytes = min_free_bytes
        yield stage


@pytest.fixture(scope="package")
def patient_house(house: Stage) -> Stage:
    """The same Confr, with an application whose members have a minute."""
    return application_stage(house.server, grace_seconds=60)


@pytest.fixture
def processes(house: Stage) -> Processes:
    return Processes(house.server)
