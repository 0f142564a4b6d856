"""Memberships: which staff member may do what in which application."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, ActorKind
from accounts.errors import BadParameters, LastOwner, NotFound
from accounts.log import Fact, record
from accounts.models import Application, Membership, Staff, StaffRole
from accounts.permissions import Act, require
from accounts.services.checks import require_valid


@transaction.atomic
def add_membership(*, actor: Actor, application: Application, staff: Staff, role: str) -> Membership:
    """Give a staff member a role (a value of `StaffRole`) in an application.

    Raises: ApplicationNotFound, NotAllowed, BadParameters (also when there is a membership already).
    Records: membership.added.
    """
    require(actor, Act.MANAGE_STAFF, application)
    return insert_membership(actor, application, staff, role)


@transaction.atomic
def change_membership(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Give a member of the staff another role.

    Raises: ApplicationNotFound, NotAllowed, NotFound, BadParameters, LastOwner.
    Records: membership.changed, when it differs.
    """
    require(actor, Act.MANAGE_STAFF, membership.application)
    row = _locked(membership)
    if row.role == role:
        return row
    _require_another_owner(actor, row)
    before, row.role = row.role, role
    require_valid(row)
    row.save(update_fields=["role"])
    _record("membership.changed", actor, row, before={"role": before}, after={"role": role})
    return row


@transaction.atomic
def remove_membership(*, actor: Actor, membership: Membership) -> None:
    """Take a staff member's role away.

    Raises: ApplicationNotFound, NotAllowed, NotFound, LastOwner. Records: membership.removed.
    """
    require(actor, Act.MANAGE_STAFF, membership.application)
    row = _locked(membership)
    _require_another_owner(actor, row)
    _record("membership.removed", actor, row, before={"role": row.role})
    row.delete()


def insert_membership(actor: Actor, application: Application, staff: Staff, role: str, **data: object) -> Membership:
    """Write and record a membership that the caller has allowed. Raises: BadParameters."""
    membership = Membership(application=application, staff=staff, role=role)
    require_valid(membership)
    try:
        with transaction.atomic():
            membership.save(force_insert=True)
    except IntegrityError:
        raise BadParameters(fields={"staff": [_("This person belongs to the application already.")]}) from None
    _record("membership.added", actor, membership, data, after={"role": role})
    return membership


def _locked(membership: Membership) -> Membership:
    """The row, locked after those of all owners: of two who demote each other, the second sees what the first did."""
    rows = Membership.objects.filter(application_id=membership.application_id).order_by("pk")
    concerned = rows.filter(Q(role=StaffRole.OWNER) | Q(pk=membership.pk))
    for row in concerned.select_for_update(of=("self",)).select_related("application", "staff"):
        if row.pk == membership.pk:
            return row
    raise NotFound


def _require_another_owner(actor: Actor, membership: Membership) -> None:
    if membership.role != StaffRole.OWNER or actor.kind is ActorKind.SYSTEM:
        return
    owners = Membership.objects.filter(application_id=membership.application_id, role=StaffRole.OWNER)
    if not owners.filter(staff__is_active=True).exclude(pk=membership.pk).exists():
        raise LastOwner


def _record(
    event_type: str,
    actor: Actor,
    membership: Membership,
    data: dict[str, object] | None = None,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    fact = Fact(
        event_type,
        actor,
        {"staff": membership.staff_id} | (data or {}),
        personal={"staff_name": membership.staff.get_username()},
        before=before,
        after=after,
    )
    record(membership.application, fact)
