"""`manage.py media_worker`: records and mixes, and keeps the pictures of live streams fresh, until it is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand

from conferences.media_worker.mixing import MixerWork
from conferences.media_worker.recording import RecorderWork
from conferences.media_worker.worker import Worker
from conferences.services import pictures


class Command(BaseCommand):
    help = "Records and mixes what is live, until SIGTERM. `manage.py serve` keeps one running; more may run beside it."
    requires_system_checks: list[str] = []  # they would load every view

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(Worker([RecorderWork(), MixerWork()], companions=[pictures.keep_fresh]).run())
