"""Credentials → Actor, for REST and sockets alike. Knows no framework: strings in, an actor or a refusal out.

What is true of a credential is remembered for at most a second per process: revocation and suspension hold
within that second, and a busy backend costs no query per call.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from accounts import tokens
from accounts.actors import Actor, ActorKind
from accounts.errors import ApplicationNotFound, ApplicationSuspended, CredentialsInvalid, NotAuthenticated
from accounts.memory import MOMENT_SECONDS, Moment
from accounts.models import ApiKey, Application, Scope, Staff, UserToken
from accounts.permissions import ROLE_SCOPES, staff_role

API_KEY = re.compile(r"ck_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What a request needs of an API key that was just verified."""

    id: int
    application_id: int
    name: str
    scopes: frozenset[str]


class Revocations:
    """The ids of revoked user tokens that are otherwise still good, at most a second old. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: frozenset[int] = frozenset()
        self._good_until = 0.0

    def __contains__(self, token_id: int) -> bool:
        with self._lock:
            asked_at = time.monotonic()
            if asked_at >= self._good_until:
                revoked = UserToken.objects.filter(revoked_at__isnull=False, expires_at__gt=timezone.now())
                self._ids = frozenset(revoked.values_list("pk", flat=True))
                self._good_until = asked_at + MOMENT_SECONDS
            return token_id in self._ids

    def clear(self) -> None:
        with self._lock:
            self._good_until = 0.0


_keys: Moment[bytes, KnownKey] = Moment()
_applications: Moment[int, Application] = Moment()
_revocations = Revocations()


def forget() -> None:
    """Ask the database again at the next call: for tests, and for whoever cannot wait a second."""
    _keys.clear()
    _applications.clear()
    _revocations.clear()


def bearer(header: str) -> str:
    """The credential in an `Authorization` header. Raises: NotAuthenticated when there is none."""
    scheme, _, credential = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAuthenticated
    return credential.strip()


def authenticate(credential: str, address: str | None, request_id: str) -> Actor:
    """Whom an API key, a user token or an application token stands for.

    Raises: CredentialsInvalid, ApplicationNotFound, ApplicationSuspended.
    """
    if credential.startswith(tokens.PREFIX):
        return user_token_actor(credential, address, request_id)
    if credential.startswith(tokens.APPLICATION_PREFIX):
        return application_token_actor(credential, address, request_id)
    return api_key_actor(credential, address, request_id)


def api_key_actor(secret: str, address: str | None, request_id: str) -> Actor:
    """The application whose key this is. Raises: as `authenticate`."""
    match = API_KEY.fullmatch(secret)
    if match is None:
        raise CredentialsInvalid
    prefix, digest = match[1], hashlib.sha256(secret.encode()).digest()
    key = _keys.get(digest, lambda: _verified_key(prefix, digest))
    application(key.application_id)
    return Actor(
        ActorKind.APPLICATION,
        application_id=key.application_id,
        id=str(key.id),
        name=key.name,
        scopes=key.scopes,
        address=address,
        request_id=request_id,
    )


def application_token_actor(token: str, address: str | None, request_id: str) -> Actor:
    """The application that showed its client secret for this token. Raises: as `authenticate`."""
    try:
        found = application(tokens.application_of(token))
    except ApplicationNotFound:
        raise CredentialsInvalid from None
    tokens.decode_application(token, found.client_secret)
    return Actor(
        ActorKind.APPLICATION,
        application_id=found.pk,
        id=found.client_id,
        name=found.app_key,
        scopes=frozenset(Scope.values),
        address=address,
        request_id=request_id,
    )


def user_token_actor(token: str, address: str | None, request_id: str) -> Actor:
    """The end user that this token names. Raises: as `authenticate`."""
    claims = tokens.decode(token)
    if claims.token_id in _revocations:
        raise CredentialsInvalid
    application(claims.application_id)
    return Actor(
        ActorKind.USER,
        application_id=claims.application_id,
        id=str(claims.user_id),
        name=claims.user_name,
        address=address,
        request_id=request_id,
    )


def staff_actor(staff: Staff, address: str | None, request_id: str, application_id: int | None = None) -> Actor:
    """The signed-in staff member; with `application_id`, bound to that application with the scopes of the
    role.

    Raises: CredentialsInvalid (switched off), ApplicationNotFound (no role in that application).
    """
    if not staff.is_active:
        raise CredentialsInvalid
    actor = Actor(
        ActorKind.STAFF,
        id=str(staff.pk),
        name=staff.get_username(),
        address=address,
        request_id=request_id,
    )
    if application_id is None:
        return actor
    role = staff_role(actor, application_id)
    if role is None:
        raise ApplicationNotFound
    return Actor(
        ActorKind.STAFF,
        application_id=application_id,
        id=actor.id,
        name=actor.name,
        scopes=frozenset(ROLE_SCOPES[role]),
        address=address,
        request_id=request_id,
    )


def application(application_id: int) -> Application:
    """The application of an authenticated actor: shared between threads, at most a second old, only to be
    read.

    Raises: ApplicationNotFound, ApplicationSuspended.
    """
    return _applications.get(application_id, lambda: _active_application(application_id))


def _active_application(application_id: int) -> Application:
    try:
        found = Application.objects.get(pk=application_id)
    except Application.DoesNotExist:
        raise ApplicationNotFound from None
    if found.suspended_at is not None:
        raise ApplicationSuspended
    return found


def _verified_key(prefix: str, digest: bytes) -> KnownKey:
    key = ApiKey.objects.filter(prefix=prefix).first()
    # Compared also when there is no such key, so that time does not tell which prefixes exist.
    matches = hmac.compare_digest(digest, bytes(key.digest) if key else bytes(32))
    now = timezone.now()
    if key is None or not matches or key.revoked_at or (key.expires_at and key.expires_at <= now):
        raise CredentialsInvalid
    if key.last_used_at is None or key.last_used_at <= now - USED_RESOLUTION:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_RESOLUTION)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return KnownKey(key.pk, key.application_id, str(key), frozenset(key.scopes))
