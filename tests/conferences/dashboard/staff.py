"""Staff without a browser: signed in, reading pages and spreadsheets by HTTP."""

from __future__ import annotations

import csv
import io
import re
import secrets
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from accounts.models import Application, Membership, Staff

SignedIn = Callable[..., Client]


def sign_in(*memberships: Any) -> Client:
    """A browser of somebody with these roles: `sign_in(application, "moderator")`."""
    staff = Staff.objects.create_user(f"staff-{secrets.token_hex(3)}")
    for application, role in zip(memberships[::2], memberships[1::2], strict=True):
        Membership.objects.create(staff=staff, application=application, role=role)
    client = Client()
    client.force_login(staff)
    return client


def url(name: str, scope: Application | str = "all", **more: object) -> str:
    slug = scope if isinstance(scope, str) else scope.app_id
    return reverse(f"dashboard:{name}", kwargs={"slug": slug, **more})


def named(response) -> list[str]:
    """The names of the rooms in the list, in order."""
    return re.findall(
        r'<a class="fw-bold text-break" href="[^"]*" translate="no">([^<]*)</a>', response.content.decode()
    )


def table(response) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))
