"""`manage.py serve`: becomes the supervisor, which is small because it is no Django."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Runs all of Confr in this terminal: PostgreSQL, Redis, nginx-rtmp, the workers and the web server."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        os.chdir(settings.BASE_DIR)
        os.environ["CONFR_VAR"] = str(settings.VAR_DIR)
        os.execv(sys.executable, [sys.executable, "-m", "supervisor"])  # noqa: S606 no shell is needed
