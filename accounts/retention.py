"""What accounts keep no longer than they must: answers of yesterday, sessions that ended, what expired long ago."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django.utils import timezone

from accounts.models import IdempotentAnswer, Invitation, UserToken

BATCH = 10_000
EXPIRED_KEPT = timedelta(days=30)
ATTEMPTS_KEPT = timedelta(days=1)


def purge() -> int:
    """Delete answers whose day is over, sessions that ended, refused attempts to sign in of yesterday, and tokens and
    invitations that expired 30 days ago: a batch of each; returns how many.

    That a token was issued or revoked, or somebody invited, stays in the log.
    """
    now = timezone.now()
    _delete(Session.objects.filter(expire_date__lte=now))
    rows: list[QuerySet[Any]] = [
        IdempotentAnswer.objects.filter(expires_at__lte=now),
        UserToken.objects.filter(expires_at__lte=now - EXPIRED_KEPT),
        Invitation.objects.filter(expires_at__lte=now - EXPIRED_KEPT),
        UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")),
        AccessAttempt.objects.filter(attempt_time__lte=now - ATTEMPTS_KEPT),
    ]
    return sum(_delete(expired) for expired in rows)


def _delete(rows: QuerySet[Any]) -> int:
    model: type[Model] = rows.model
    batch = rows.order_by("pk").values_list("pk", flat=True)[:BATCH]
    return model._default_manager.filter(pk__in=list(batch)).delete()[0]
