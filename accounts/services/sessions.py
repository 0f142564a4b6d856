"""Sessions of the staff: noted while they are used, ended by their owner, or by who manages the staff."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.actors import Actor
from accounts.errors import NotFound
from accounts.log import Fact, record
from accounts.models import Membership, Staff
from accounts.permissions import Act, require

SEEN_RESOLUTION = timedelta(minutes=1)


def note_session(request: HttpRequest) -> None:
    """Note the device and the address of the session that a request came with, once a minute."""
    seen = UserSession.objects.filter(session_key=request.session.session_key).only("last_seen_at").first()
    if seen is None or seen.last_seen_at < timezone.now() - SEEN_RESOLUTION:
        UserSession.objects.create_from_request(request)


@transaction.atomic
def end_own_session(*, actor: Actor, session_id: int) -> None:
    """Sign oneself out on one device. Raises: NotFound. Records: staff.session_ended, per application."""
    if not _end(UserSession.objects.filter(pk=session_id, user_id=int(actor.id))):
        raise NotFound
    for membership in Membership.objects.filter(staff_id=int(actor.id)).select_related("application", "staff"):
        _record(actor, membership)


@transaction.atomic
def end_session(*, actor: Actor, membership: Membership, session_id: int) -> None:
    """Sign a member of an application's staff out on one device.

    Raises: ApplicationNotFound, NotAllowed, NotFound. Records: staff.session_ended.
    """
    require(actor, Act.MANAGE_STAFF, membership.application)
    if not _end(UserSession.objects.filter(pk=session_id, user_id=membership.staff_id)):
        raise NotFound
    _record(actor, membership)


def end_sessions(*, staff: Staff, but: str | None = None) -> int:
    """End all sessions of a staff member, except the one with the key `but`; returns how many.

    For who changed the password or switched the person off; it is recorded there.
    """
    return _end(UserSession.objects.filter(user=staff).exclude(session_key=but or ""))


def _end(sessions: QuerySet[UserSession]) -> int:
    keys = list(sessions.values_list("session_key", flat=True))
    with transaction.atomic():
        Session.objects.filter(session_key__in=keys).delete()
        UserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)


def _record(actor: Actor, membership: Membership) -> None:
    personal = {"staff_name": membership.staff.get_username()}
    record(
        membership.application, Fact("staff.session_ended", actor, {"staff": membership.staff_id}, personal=personal)
    )
