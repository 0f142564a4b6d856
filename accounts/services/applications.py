"""Applications: made, changed, suspended; their client secret."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import BadParameters
from accounts.log import Fact, record
from accounts.models import Application
from accounts.permissions import Act, require
from accounts.services.checks import require_valid

EDITABLE = frozenset(
    {
        "name",
        "limits",
        "max_conferences",
        "ticket_seconds",
        "grace_seconds",
        "hold_seconds",
        "max_recording_bytes",
        "recording_days",
        "requests_per_minute",
        "total_requests_per_minute",
    }
)


@transaction.atomic
def create_application(*, actor: Actor, org: str, app: str, name: str = "") -> Application:
    """Make a tenant with fresh ids and a fresh client secret.

    Raises: NotAllowed, BadParameters (also when `org#app` exists or the organisation's name is reserved).
    Records: application.created.
    """
    require(actor, Act.CREATE_APPLICATION)
    application = Application(
        org=org,
        app=app,
        name=name,
        app_id=_free_app_id(),
        client_id=secrets.token_urlsafe(18),
        client_secret=_new_client_secret(),
    )
    require_valid(application)
    try:
        with transaction.atomic():
            application.save(force_insert=True)
    except IntegrityError:
        raise BadParameters(fields={"app": [_("There is such an application already.")]}) from None
    record(
        application,
        Fact(
            "application.created",
            actor,
            {"app_key": application.app_key, "app_id": application.app_id, "name": name},
        ),
    )
    return application


@transaction.atomic
def update_application(*, actor: Actor, application: Application, changes: Mapping[str, Any]) -> Application:
    """Change limits, defaults or the display name; `changes` maps fields of `EDITABLE` to their new values.

    Raises: ApplicationNotFound, NotAllowed, BadParameters. Records: application.updated, when anything
    changed.
    """
    require(actor, Act.UPDATE_APPLICATION, application)
    if unknown := sorted(changes.keys() - EDITABLE):
        raise BadParameters(fields={name: [_("There is no such field.")] for name in unknown})
    row = _locked(application)
    before = {name: getattr(row, name) for name, value in changes.items() if getattr(row, name) != value}
    if not before:
        return row
    after = {name: changes[name] for name in before}
    for name, value in after.items():
        setattr(row, name, value)
    require_valid(row)
    row.save(update_fields=list(after))
    record(row, Fact("application.updated", actor, before=before, after=after))
    return row


@transaction.atomic
def suspend_application(*, actor: Actor, application: Application, reason: str = "") -> Application:
    """Refuse every key and token of the application from now on (within a second in all processes).

    Raises: NotAllowed. Records: application.suspended, unless it was already.
    """
    require(actor, Act.SUSPEND_APPLICATION, application)
    row = _locked(application)
    if row.suspended_at is None:
        row.suspended_at = timezone.now()
        row.save(update_fields=["suspended_at"])
        record(row, Fact("application.suspended", actor, reason=reason))
    return row


@transaction.atomic
def resume_application(*, actor: Actor, application: Application, reason: str = "") -> Application:
    """End a suspension. Raises: NotAllowed. Records: application.resumed, unless it was not suspended."""
    require(actor, Act.SUSPEND_APPLICATION, application)
    row = _locked(application)
    if row.suspended_at is not None:
        row.suspended_at = None
        row.save(update_fields=["suspended_at"])
        record(row, Fact("application.resumed", actor, reason=reason))
    return row


@transaction.atomic
def rotate_client_secret(*, actor: Actor, application: Application) -> Application:
    """Replace the client secret; the old one is worthless at once, and so is what vendors' SDKs signed with
    it.

    Raises: ApplicationNotFound, NotAllowed. Records: application.secret_rotated.
    """
    require(actor, Act.ROTATE_SECRET, application)
    row = _locked(application)
    row.client_secret = _new_client_secret()
    row.save(update_fields=["client_secret"])
    record(row, Fact("application.secret_rotated", actor))
    return row


@transaction.atomic
def read_client_secret(*, actor: Actor, application: Application) -> str:
    """The client secret, for a human's eyes; that somebody looked is a fact too.

    Raises: ApplicationNotFound, NotAllowed. Records: application.secret_read.
    """
    require(actor, Act.READ_SECRET, application)
    row = _locked(application)
    record(row, Fact("application.secret_read", actor))
    return str(row.client_secret)


def _locked(application: Application) -> Application:
    return Application.objects.select_for_update(no_key=True).get(pk=application.pk)


def _new_client_secret() -> str:
    """32 characters, since ZEGO's tokens use it as an AES-256 key as it stands."""
    return secrets.token_hex(16)


def _free_app_id() -> int:
    """Ten digits that fit a signed 32-bit integer, which is what vendors' tokens have room for."""
    while True:
        app_id = 1_000_000_000 + secrets.randbelow(1_100_000_000)
        if not Application.objects.filter(app_id=app_id).exists():
            return app_id
