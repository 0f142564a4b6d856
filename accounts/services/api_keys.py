"""API keys: made, rotated with an overlap, revoked. The secret is returned once and stored as its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import BadParameters
from accounts.log import Fact, record
from accounts.models import ApiKey, Application
from accounts.permissions import Act, require
from accounts.services.checks import require_valid


class NewKey(NamedTuple):
    """A key and its secret, which nobody can read again."""

    key: ApiKey
    secret: str


@transaction.atomic
def create_api_key(
    *,
    actor: Actor,
    application: Application,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key that may do what `scopes` (values of `Scope`) say, until `expires_at` (None: for ever).

    Raises: ApplicationNotFound, NotAllowed, BadParameters. Records: api_key.created.
    """
    require(actor, Act.MANAGE_KEYS, application)
    if expires_at is not None and expires_at <= timezone.now():
        raise BadParameters(fields={"expires_at": [_("Choose a time to come.")]})
    new = _insert(application, name, sorted(set(scopes)), expires_at)
    record(application, Fact("api_key.created", actor, _facts(new.key)))
    return new


@transaction.atomic
def rotate_api_key(*, actor: Actor, key: ApiKey, overlap_seconds: int) -> NewKey:
    """Make a successor with the same name, scopes and expiry; the old key works `overlap_seconds` more.

    Raises: ApplicationNotFound, NotAllowed, BadParameters (negative overlap, or the key is no longer good).
    Records: api_key.rotated.
    """
    require(actor, Act.MANAGE_KEYS, key.application)
    if overlap_seconds < 0:
        raise BadParameters(fields={"overlap_seconds": [_("Use 0 or more seconds.")]})
    old = _locked(key)
    now = timezone.now()
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise BadParameters(fields={"key": [_("This key is no longer good; create a new one.")]})
    new = _insert(old.application, old.name, old.scopes, old.expires_at)
    last_day = now + timedelta(seconds=overlap_seconds)
    old.expires_at = last_day if old.expires_at is None else min(last_day, old.expires_at)
    old.save(update_fields=["expires_at"])
    data = {"old": old.prefix, "overlap_seconds": overlap_seconds} | _facts(new.key)
    record(old.application, Fact("api_key.rotated", actor, data))
    return new


@transaction.atomic
def revoke_api_key(*, actor: Actor, key: ApiKey, reason: str = "") -> ApiKey:
    """Refuse the key from now on: within a second in all processes.

    Raises: ApplicationNotFound, NotAllowed. Records: api_key.revoked, unless it was already.
    """
    require(actor, Act.MANAGE_KEYS, key.application)
    row = _locked(key)
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        record(row.application, Fact("api_key.revoked", actor, {"prefix": row.prefix}, reason=reason))
    return row


def _insert(application: Application, name: str, scopes: list[str], expires_at: datetime | None) -> NewKey:
    prefix = secrets.token_hex(6)
    secret = f"ck_{prefix}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode()).digest()
    key = ApiKey(
        application=application,
        name=name,
        prefix=prefix,
        digest=digest,
        scopes=scopes,
        expires_at=expires_at,
    )
    require_valid(key)
    key.save(force_insert=True)
    return NewKey(key, secret)


def _locked(key: ApiKey) -> ApiKey:
    return ApiKey.objects.select_for_update(of=("self",), no_key=True).select_related("application").get(pk=key.pk)


def _facts(key: ApiKey) -> dict[str, object]:
    expires_at = key.expires_at.isoformat() if key.expires_at else None
    return {"prefix": key.prefix, "name": key.name, "scopes": key.scopes, "expires_at": expires_at}
