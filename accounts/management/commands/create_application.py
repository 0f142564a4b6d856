"""`manage.py create_application org#app`: a tenant, with its secrets on the terminal."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.command_line import operator, refusals
from accounts.services import create_application


class Command(BaseCommand):
    help = "Create an application (a tenant) and print its ids and its client secret as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("app_key", help="org#app, each of a-z, 0-9 and -; quote it in a shell")
        parser.add_argument("--name", default="", help="a name for humans")

    def handle(self, *args: Any, **options: Any) -> None:
        org, _, app = options["app_key"].partition("#")
        with refusals():
            application = create_application(actor=operator(), org=org, app=app, name=options["name"])
        shown = {
            "app_key": application.app_key,
            "app_id": application.app_id,
            "client_id": application.client_id,
            "client_secret": application.client_secret,
        }
        self.stdout.write(json.dumps(shown, indent=2))
