"""Put a backup back: into an empty database, with the keys that it was written with."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from conferences.management.commands.backup import DUMP, KEYS
from conferences.management.postgres import connection_environment, program


class Command(BaseCommand):
    help = "Restore an archive of `backup` into an empty database. The server must not be running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("archive", type=Path)

    def handle(self, *args: Any, archive: Path, **options: Any) -> None:
        if not archive.is_file():
            raise CommandError(f"there is no {archive}")
        if connection.introspection.table_names():
            raise CommandError("the database is not empty; create a new one and set DATABASE_URL")
        connection.close()
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(archive) as tar:
                for name in (DUMP, KEYS):
                    _extract(tar, name, Path(folder) / name)
            self._load(Path(folder) / DUMP)
            self._put_keys(Path(folder) / KEYS)
        self.stdout.write("restored; run `manage.py migrate`, then `manage.py verify_audit`")

    def _load(self, dump: Path) -> None:
        environment = connection_environment()
        command = [program("pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction"]
        command += [f"--dbname={environment['PGDATABASE']}", str(dump)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise CommandError(f"pg_restore failed: {result.stderr.strip()}")

    def _put_keys(self, keys: Path) -> None:
        """The keys of the backup replace those that this installation made at its first start."""
        settings.KEYS_FILE.parent.mkdir(parents=True, exist_ok=True)
        draft = settings.KEYS_FILE.with_name(".keys.json.restored")
        draft.touch(mode=0o600)
        shutil.copyfile(keys, draft)
        draft.replace(settings.KEYS_FILE)


def _extract(tar: tarfile.TarFile, name: str, target: Path) -> None:
    """The content alone, whatever else the archive says of it. (Python 3.11.2 has no extraction filters.)"""
    member = tar.extractfile(name)
    if member is None:
        raise CommandError(f"{name} is no file in this archive")
    with member, target.open("wb") as file:
        shutil.copyfileobj(member, file)
