"""`manage.py rotate_keys signing`: a new server key in front of a ring."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from accounts.keys import RINGS, rotate


class Command(BaseCommand):
    help = (
        "Put a new key in front of the given rings. It signs from the next start of every process on; what the "
        "older keys signed or encrypted stays good. Make a new backup of the keys file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rings", nargs="+", choices=RINGS)

    def handle(self, *args: Any, **options: Any) -> None:
        for ring in dict.fromkeys(options["rings"]):
            rotate(settings.KEYS_FILE, ring)
            self.stdout.write(f"{ring}: a new key is in {settings.KEYS_FILE}")
        self.stdout.write("Restart all processes at once, and back the file up.")
