"""What axes asks of a project: whose attempt it is, where it comes from, and what who is locked out is told."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts import services
from accounts.actors import system
from accounts.models import Staff
from accounts.origin import KEY, origin

# A client on a unix socket, without a proxy in between that says more, has none.
NO_ADDRESS = "0.0.0.0"  # noqa: S104 an address that nobody has


@dataclass(frozen=True, slots=True)
class LockOut:
    """From this address nobody signs in under this name until then."""

    username: str
    address: str
    until: datetime


def lock_outs(usernames: Collection[str]) -> list[LockOut]:
    """Those in force under these names."""
    cool_off = _cool_off()
    rows = AccessAttempt.objects.filter(username__in=usernames, attempt_time__gt=timezone.now() - cool_off)
    counted = rows.values("username", "ip_address").annotate(
        failures=Sum("failures_since_start"), last=Max("attempt_time")
    )
    locked = counted.filter(failures__gte=settings.AXES_FAILURE_LIMIT).order_by("username", "ip_address")
    return [LockOut(row["username"], row["ip_address"], row["last"] + cool_off) for row in locked]


def username_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """One name however it was typed: that of the staff member, or a digest, since strangers' input may be a secret."""
    given = credentials or {}
    typed = str(given.get("username") or given.get("email") or request.POST.get("login", "")).replace("\0", "")
    known = Staff.objects.filter(Q(username__iexact=typed) | Q(email__iexact=typed)) if typed else Staff.objects.none()
    name = known.order_by("pk").values_list("username", flat=True).first()
    return name or f"unknown-{hashlib.sha256(typed.encode()).hexdigest()[:16]}"


def address_of(request: HttpRequest) -> str:
    """The client's, by our own rule about proxies; a request that some code made up has none."""
    return (KEY in request.META and origin(request).address) or NO_ADDRESS


def answer(request: Any, response: HttpResponse, credentials: Mapping[str, Any] | None) -> HttpResponse:
    """The page for who is locked out; the attempt that brought it about (axes has counted it) is recorded."""
    if request.axes_failures_since_start is not None:
        where = origin(request)
        services.record_lock_out(
            actor=system(where.request_id, where.address), username=username_of(request, credentials)
        )
    cool_off = _cool_off()
    page = render(request, "account/locked_out.html", {"minutes": cool_off.seconds // 60}, status=429)
    page["Retry-After"] = str(cool_off.seconds)
    return page


def _cool_off() -> timedelta:
    return settings.AXES_COOLOFF_TIME
