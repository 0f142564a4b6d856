"""One archive with everything that a restore needs: the database and the server keys."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from conferences.management.postgres import connection_environment, program

DUMP, KEYS = "database.dump", "keys.json"


class Command(BaseCommand):
    help = "Write the database and the server keys to one archive (0600). Runs beside a live server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("archive", type=Path, help="the file to write, e.g. confr.tar")

    def handle(self, *args: Any, archive: Path, **options: Any) -> None:
        if archive.exists():
            raise CommandError(f"{archive} exists; name a new file")
        with tempfile.TemporaryDirectory(dir=archive.resolve().parent) as folder:
            dump = Path(folder) / DUMP
            command = [program("pg_dump"), "--format=custom", "--no-owner", f"--file={dump}"]
            result = subprocess.run(command, env=connection_environment(), capture_output=True, text=True, check=False)
            if result.returncode:
                raise CommandError(f"pg_dump failed: {result.stderr.strip()}")
            descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(dump, DUMP)
                tar.add(settings.KEYS_FILE, KEYS)
        self.stdout.write(f"wrote {archive}; it holds the server keys: keep it as safe as the server")
