"""`manage.py ensure_demo`: the first start's application, key and staff user, in `$CONFR_VAR/demo.json`."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from accounts.management.command_line import operator, refusals
from accounts.models import Application, Scope, Staff
from accounts.services import create_api_key, create_application

FIRST_START = 0xDE30  # the advisory lock that makes two first starts one
STAFF_USER = "admin"


class Command(BaseCommand):
    help = "At the first start, create the demo application, its key and a staff user; later, do nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.VAR_DIR / "demo.json"
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '30s'")  # the twin hashes a password meanwhile
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_START])
            if path.exists() or Application.objects.exists():
                return
            demo = self._create()
            # Before the commit: secrets that cannot be written down must not come to life.
            draft = _write_draft(path, demo)
        draft.replace(path)
        self.stdout.write(f"Created the demo application and staff user {STAFF_USER}; see {path}.")

    def _create(self) -> dict[str, object]:
        if Staff.objects.filter(username=STAFF_USER).exists():
            raise CommandError(
                f"There is a staff user {STAFF_USER} but no application; make one with create_application."
            )
        actor = operator()
        with refusals():
            application = create_application(actor=actor, org="demo", app="live", name="Demo")
            key = create_api_key(actor=actor, application=application, name="demo", scopes=Scope.values)
        password = secrets.token_urlsafe(12)
        Staff.objects.create_superuser(STAFF_USER, password=password)
        return {
            "url": settings.PUBLIC_URL,
            "app_key": application.app_key,
            "app_id": application.app_id,
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "api_key": key.secret,
            "staff_user": STAFF_USER,
            "staff_password": password,
        }


def _write_draft(path: Path, demo: dict[str, object]) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(demo, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    return draft
