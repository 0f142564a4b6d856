"""What our commands share: in whose name they act, and how a refusal reads in a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.core.management.base import CommandError

from accounts.actors import Actor, system
from accounts.errors import DomainError
from accounts.models import Application


def operator() -> Actor:
    """Whoever may run commands on this machine: the system itself, with the account's number for the log."""
    return replace(system(), name=f"command line, uid {os.geteuid()}")


@contextmanager
def refusals() -> Iterator[None]:
    """Show a refusal as a command's error, without a traceback."""
    try:
        yield
    except DomainError as refusal:
        lines = [f"{refusal.detail} ({refusal.code})"]
        fields = refusal.fields.get("fields")
        if isinstance(fields, dict):
            lines += [f"  {name}: {' '.join(map(str, messages))}" for name, messages in fields.items()]
        raise CommandError("\n".join(lines)) from None


def application_named(app_key: str) -> Application:
    """The application `org#app`. Raises: CommandError."""
    org, _, app = app_key.partition("#")
    try:
        return Application.objects.get(org=org, app=app)
    except Application.DoesNotExist:
        raise CommandError(f"There is no application {app_key}; make it with create_application.") from None
