"""Scope: what a page is about, one application or all that the staff member may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.http import HttpRequest

from accounts.actors import Actor
from accounts.authentication import staff_actor
from accounts.errors import ApplicationNotFound
from accounts.models import Application, Staff, StaffRole
from accounts.origin import origin
from accounts.permissions import RANKS

ALL = "all"


@dataclass(frozen=True, slots=True)
class Scope:
    """The applications of a page, in the order of their keys, and the role in each.

    `one` is the application of a page about a single one, None where the page is about all. `visible` are all that
    the staff member may choose.
    """

    staff: Staff
    applications: dict[int, Application]
    roles: dict[int, StaffRole]
    one: Application | None
    visible: dict[int, Application]

    @property
    def slug(self) -> str:
        """The scope as it is in addresses."""
        return ALL if self.one is None else str(self.one.app_id)

    def allows(self, least: StaffRole) -> bool:
        """Whether the role suffices in every application of this scope: for buttons."""
        return all(RANKS[role] >= RANKS[least] for role in self.roles.values())


def scope_of(request: HttpRequest, slug: str) -> Scope:
    """The scope that an address names. Raises: ApplicationNotFound, also for somebody else's."""
    staff = cast(Staff, request.user)
    roles = roles_of(staff)
    visible = {found.pk: found for found in Application.objects.filter(pk__in=roles).order_by("org", "app")}
    if slug == ALL:
        return Scope(staff, visible, roles, None, visible)
    for pk, found in visible.items():
        if slug == str(found.app_id):
            return Scope(staff, {pk: found}, {pk: roles[pk]}, found, visible)
    raise ApplicationNotFound


def roles_of(staff: Staff) -> dict[int, StaffRole]:
    """The role in each application that the staff member may see; a superuser is an owner everywhere."""
    if staff.is_superuser:
        return dict.fromkeys(Application.objects.values_list("pk", flat=True), StaffRole.OWNER)
    return {pk: StaffRole(role) for pk, role in staff.memberships.values_list("application_id", "role")}


def actor_of(request: HttpRequest, application: Application | None = None) -> Actor:
    """Who acts on a page: within `application` with the scopes of the role, or on the installation.

    Raises: ApplicationNotFound, CredentialsInvalid.
    """
    where = origin(request)
    return staff_actor(
        cast(Staff, request.user), where.address, where.request_id, application.pk if application else None
    )
