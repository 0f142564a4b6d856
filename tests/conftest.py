"""What every test stands on: its surroundings first, then the fixtures of `tests.fixtures`."""

from __future__ import annotations

import os

import django

from tests import environment

environment.prepare()
django.setup()
# A process of pytest-xdist inherits our variables: it must not load settings before it has its own.
del os.environ["DJANGO_SETTINGS_MODULE"]

pytest_plugins = ["tests.fixtures"]
