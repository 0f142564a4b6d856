"""`manage.py retry_recordings`: try again to make the files of recordings that failed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.management.command_line import operator, refusals
from conferences.models import Recording
from conferences.services.recordings import retry_recording


class Command(BaseCommand):
    help = "Try again to make the files of recordings that failed: of these, or of all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recordings", nargs="*", type=int, help="Their numbers; none: all that failed.")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = Recording.objects.kept().filter(state=Recording.State.FAILED).values_list("pk", flat=True)
        chosen = options["recordings"] or list(failed)
        with refusals():
            for recording_id in chosen:
                retry_recording(actor=operator(), recording_id=recording_id)
        self.stdout.write(f"{len(chosen)} recordings are tried again")
