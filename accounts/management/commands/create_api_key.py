"""`manage.py create_api_key org#app --name backend`: an API key, with its secret on the terminal, once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from accounts.management.command_line import application_named, operator, refusals
from accounts.models import Scope
from accounts.services import create_api_key


class Command(BaseCommand):
    help = "Create an API key of an application and print it as JSON. It is shown this once and never again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_key", help="org#app; quote it in a shell")
        parser.add_argument("--name", required=True, help="what the key is for, e.g. backend")
        parser.add_argument(
            "--scopes", nargs="+", choices=Scope.values, default=Scope.values, help="default: all of them"
        )
        parser.add_argument("--days", type=int, help="how long it lives; default: until it is revoked")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        with refusals():
            new = create_api_key(
                actor=operator(),
                application=application_named(options["app_key"]),
                name=options["name"],
                scopes=options["scopes"],
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
        expires_at = new.key.expires_at
        shown = {
            "api_key": new.secret,
            "scopes": new.key.scopes,
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        self.stdout.write(json.dumps(shown, indent=2))
