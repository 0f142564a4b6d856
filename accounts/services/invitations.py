"""Invitations: offered by owners, shown once, taken up by a link or by a verified address."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import NamedTuple

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.authentication import staff_actor
from accounts.errors import BadParameters, InvitationInvalid
from accounts.log import Fact, record
from accounts.models import Application, Invitation, Membership, Staff
from accounts.permissions import Act, require
from accounts.services.checks import require_valid
from accounts.services.memberships import insert_membership

LIFE = timedelta(days=7)


class NewInvitation(NamedTuple):
    """An invitation and the secret of its link, which nobody can read again."""

    invitation: Invitation
    token: str


@transaction.atomic
def invite_staff(*, actor: Actor, application: Application, role: str, email: str = "") -> NewInvitation:
    """Offer a role (a value of `StaffRole`) to whoever holds the link, for a week.

    Raises: ApplicationNotFound, NotAllowed, BadParameters. Records: invitation.created.
    """
    require(actor, Act.MANAGE_STAFF, application)
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        application=application,
        role=role,
        email=email.strip().lower(),
        digest=_digest(token),
        expires_at=timezone.now() + LIFE,
    )
    require_valid(invitation)
    invitation.save(force_insert=True)
    _record("invitation.created", actor, invitation)
    return NewInvitation(invitation, token)


@transaction.atomic
def withdraw_invitation(*, actor: Actor, invitation: Invitation) -> None:
    """Make the link worthless.

    Raises: ApplicationNotFound, NotAllowed, InvitationInvalid (used already). Records: invitation.withdrawn.
    """
    require(actor, Act.MANAGE_STAFF, invitation.application)
    row = open_invitations().select_for_update(of=("self",)).filter(pk=invitation.pk).first()
    if row is None:
        raise InvitationInvalid
    row.withdrawn_at = timezone.now()
    row.save(update_fields=["withdrawn_at"])
    _record("invitation.withdrawn", actor, row)


def invitation_of(token: str) -> Invitation:
    """The open invitation with this link. Raises: InvitationInvalid."""
    found = open_invitations().filter(digest=_digest(token)).first()
    if found is None:
        raise InvitationInvalid
    return found


def open_invitations() -> QuerySet[Invitation]:
    """Those that can still be taken up."""
    rows = Invitation.objects.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())
    return rows.select_related("application")


@transaction.atomic
def accept_invitation(*, actor: Actor, token: str, staff: Staff) -> Membership:
    """Take an invitation up as somebody who is of the staff already (and is `actor`).

    Raises: InvitationInvalid, BadParameters (belongs to the application already). Records: membership.added.
    """
    return _take_up(actor, _locked(token), staff)


@transaction.atomic
def join_staff(*, actor: Actor, token: str, username: str, password: str) -> Staff:
    """Take an invitation up as somebody new, who signs in with this name and password from now on.

    The invitation's address is not theirs yet: a link proves nothing about an address.

    Raises: InvitationInvalid, BadParameters. Records: membership.added, in the new person's name.
    """
    staff = Staff(username=username)
    _require_good_password(password, staff)
    staff.set_password(password)  # slow on purpose, so before the lock
    invitation = _locked(token)
    _insert(staff)
    _take_up(staff_actor(staff, actor.address, actor.request_id), invitation, staff)
    return staff


@transaction.atomic
def recognise(*, actor: Actor, email: str) -> Staff | None:
    """The staff member with this address, which a single sign-on has verified; made, where it was invited.

    Open invitations to the address are taken up. Records: membership.added, per application.
    """
    staff = Staff.objects.filter(email__iexact=email).first() if email else None
    invitations = list(open_invitations().filter(email__iexact=email).select_for_update(of=("self",))) if email else []
    if staff is None and invitations:
        staff = Staff(username=email, email=email)
        staff.set_unusable_password()
        _insert(staff)
    if staff is None or not staff.is_active:
        return staff
    known = set(staff.memberships.values_list("application_id", flat=True))
    for invitation in invitations:
        if invitation.application_id not in known:
            known.add(invitation.application_id)
            _take_up(staff_actor(staff, actor.address, actor.request_id), invitation, staff)
    return staff


def _take_up(actor: Actor, invitation: Invitation, staff: Staff) -> Membership:
    membership = insert_membership(actor, invitation.application, staff, invitation.role, invitation=invitation.pk)
    invitation.accepted_at, invitation.accepted_by = timezone.now(), staff
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    return membership


def _locked(token: str) -> Invitation:
    found = open_invitations().select_for_update(of=("self",)).filter(digest=_digest(token)).first()
    if found is None:
        raise InvitationInvalid
    return found


def _require_good_password(password: str, staff: Staff) -> None:
    try:
        validate_password(password, staff)
    except ValidationError as error:
        raise BadParameters(fields={"password": error.messages}) from None


def _insert(staff: Staff) -> None:
    require_valid(staff)
    taken = BadParameters(fields={"username": [_("This name is taken; choose another.")]})
    if Staff.objects.filter(username__iexact=staff.username).exists():
        raise taken
    try:
        with transaction.atomic():
            staff.save(force_insert=True)
    except IntegrityError:
        raise taken from None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _record(event_type: str, actor: Actor, invitation: Invitation) -> None:
    data = {"invitation": invitation.pk, "role": invitation.role}
    personal = {"email": invitation.email} if invitation.email else {}
    record(invitation.application, Fact(event_type, actor, data, personal=personal))
