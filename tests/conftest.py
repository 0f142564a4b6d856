"""What every test stands on: its surroundings first, then the fixtures of `tests.fixtures`."""

from __future__ import annotations

import os
from typing import Any

import django
import pytest

from tests import environment, scheduling

environment.prepare()
django.setup()
# A process of pytest-xdist inherits our variables: it must not load settings before it has its own.
del os.environ["DJANGO_SETTINGS_MODULE"]

pytest_plugins = ["tests.fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    scheduling.heaviest_first(items)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist one process runs everything
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.FromBothEnds:
    return scheduling.FromBothEnds(config, log)
