"""The open sessions of staff, as lists show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import Staff
from accounts.signin.devices import device


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One browser in which a staff member is signed in. Its key is not here: who holds it is that person."""

    id: int
    staff_id: int
    device: str
    address: str
    opened_at: datetime
    seen_at: datetime
    is_current: bool


def open_sessions(staff: Iterable[Staff], current: str | None = None) -> list[OpenSession]:
    """Those that have neither ended nor expired, last seen first; `current` is the key of who asks."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    rows = UserSession.objects.filter(user__in=list(staff), session_key__in=alive).order_by("-last_seen_at", "-pk")
    return [
        OpenSession(
            row.pk,
            row.user_id,
            device(row.user_agent),
            row.ip,
            row.created_at,
            row.last_seen_at,
            row.session_key == current,
        )
        for row in rows
    ]
