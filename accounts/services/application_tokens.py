"""Application tokens: a backend that knows its application's client secret acts for it, for a while."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from accounts import tokens
from accounts.errors import ApplicationSuspended, CredentialsInvalid
from accounts.models import Application

SECONDS = 86_400


class ApplicationToken(NamedTuple):
    """The text of a token, and for how many seconds it is good."""

    text: str
    seconds: int


def issue_application_token(*, application: Application, client_id: str, client_secret: str) -> ApplicationToken:
    """A token that may do what a key with every scope may; a new client secret makes it worthless.

    Raises: CredentialsInvalid, ApplicationSuspended.
    """
    given, own = f"{client_id}\0{client_secret}", f"{application.client_id}\0{application.client_secret}"
    if not secrets.compare_digest(given.encode(), own.encode()):
        raise CredentialsInvalid
    if application.suspended_at is not None:
        raise ApplicationSuspended
    claims = tokens.ApplicationClaims(application.pk, timezone.now() + timedelta(seconds=SECONDS))
    return ApplicationToken(tokens.encode_application(claims, application.client_secret), SECONDS)
