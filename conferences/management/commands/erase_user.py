"""Forget who a user was."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actors import system
from accounts.models import User
from conferences.services import audit


class Command(BaseCommand):
    help = "Erase a user's name, addresses and texts everywhere. The proof of the logs stays whole."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_key", help="org#app")
        parser.add_argument("user", help="the user's name")
        parser.add_argument("--reason", default="", help="why, for the application's log")

    def handle(self, *args: Any, app_key: str, user: str, reason: str, **options: Any) -> None:
        org, _, app = app_key.partition("#")
        found = User.objects.filter(application__org=org, application__app=app, name=user).first()
        if found is None:
            raise CommandError(f"{app_key} has no user {user!r}; names are case-sensitive")
        rows = audit.erase_user(actor=system(), user=found, reason=reason)
        self.stdout.write(f"erased: user {found.pk}, {rows} rows of the log")
