"""Staff: that they signed in or were locked out, what changed about them, and their lost second factors.

Their rows are Django's own and written by its admin.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.actors import Actor
from accounts.errors import NotAllowed
from accounts.log import Fact, record
from accounts.models import Application, Staff
from accounts.permissions import is_superuser
from accounts.services.sessions import end_sessions

logger = logging.getLogger("confr.signin")


@transaction.atomic
def record_staff_change(*, actor: Actor, staff: Staff, fields: Sequence[str]) -> None:
    """Tell every application that a staff member belongs to which of the person's fields were changed; whoever was
    switched off or has another password is signed out everywhere.

    Raises: NotAllowed. Records: staff.changed, per application.
    """
    if not is_superuser(actor):
        raise NotAllowed
    if not staff.is_active or "password" in fields:
        end_sessions(staff=staff)
    state: dict[str, object] = {"is_active": staff.is_active, "is_superuser": staff.is_superuser}
    _tell(actor, staff, "staff.changed", {"fields": sorted(fields)}, after=state)


@transaction.atomic
def record_sign_in(*, actor: Actor, staff: Staff, methods: Sequence[str]) -> None:
    """Tell the person's applications that and how somebody signed in. Records: staff.signed_in, per application."""
    _tell(actor, staff, "staff.signed_in", {"methods": list(methods)})


@transaction.atomic
def record_lock_out(*, actor: Actor, username: str) -> None:
    """Tell the person's applications that too many attempts in this name were refused.

    Attempts themselves are logged and not recorded: strangers must not be able to fill a log that is kept.
    Records: staff.locked_out, per application.
    """
    logger.warning("locked out %s from %s", username, actor.address)
    if staff := Staff.objects.filter(username=username).first():
        _tell(actor, staff, "staff.locked_out", {})


@transaction.atomic
def reset_second_factor(*, actor: Actor, staff: Staff) -> None:
    """Take away what the person confirms sign-ins with (a lost phone), and sign the person out everywhere.

    Raises: NotAllowed. Records: staff.second_factor_reset, per application.
    """
    if not is_superuser(actor):
        raise NotAllowed
    Authenticator.objects.filter(user=staff).delete()
    end_sessions(staff=staff)
    _tell(actor, staff, "staff.second_factor_reset", {})


def _tell(
    actor: Actor, staff: Staff, event_type: str, data: dict[str, object], after: dict[str, object] | None = None
) -> None:
    personal = {"staff_name": staff.get_username()}
    for application in Application.objects.filter(memberships__staff=staff).order_by("pk"):
        record(application, Fact(event_type, actor, {"staff": staff.pk} | data, personal=personal, after=after))
