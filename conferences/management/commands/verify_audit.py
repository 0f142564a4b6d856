"""Prove the logs: nothing changed, nothing missing, no tail cut."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Seal
from conferences.services import audit


class Command(BaseCommand):
    help = "Verify the hash chains and seals of every log. Exits with 1 when something is not as it was written."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--newest-seal",
            type=int,
            default=0,
            help="the number of a seal that you noted elsewhere: shows when the newest seals were cut off too",
        )

    def handle(self, *args: Any, newest_seal: int, **options: Any) -> None:
        findings = 0
        for finding in audit.verify(newest_seal=newest_seal):
            self.stderr.write(str(finding))
            findings += 1
        if findings:
            raise CommandError(f"{findings} findings: the log has been tampered with, or was restored in part")
        newest = Seal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        self.stdout.write(f"ok: every log is as it was written; the newest seal is number {newest}, note it elsewhere")
