"""Who may do what to an application: one table. What a conference's members may do is not here."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from django.db.models import Q

from accounts.actors import Actor, ActorKind
from accounts.errors import ApplicationNotFound, NotAllowed, ScopeMissing
from accounts.models import Application, Membership, Scope, Staff, StaffRole


class Act(StrEnum):
    CREATE_APPLICATION = "create_application"
    SUSPEND_APPLICATION = "suspend_application"
    UPDATE_APPLICATION = "update_application"
    READ_SECRET = "read_secret"  # noqa: S105 the name of an act
    ROTATE_SECRET = "rotate_secret"  # noqa: S105 the name of an act
    MANAGE_KEYS = "manage_keys"
    MANAGE_STAFF = "manage_staff"
    MANAGE_TOKENS = "manage_tokens"
    READ_LOG = "read_log"


class Rule(NamedTuple):
    """The least staff role and the scope of an application key that suffice; None: nobody of that kind."""

    role: StaffRole | None = None
    scope: Scope | None = None


# A superuser and the system itself may do everything. End users may do nothing here.
RULES: dict[Act, Rule] = {
    Act.CREATE_APPLICATION: Rule(),
    Act.SUSPEND_APPLICATION: Rule(),
    Act.UPDATE_APPLICATION: Rule(StaffRole.OPERATOR),
    Act.READ_SECRET: Rule(StaffRole.OWNER),
    Act.ROTATE_SECRET: Rule(StaffRole.OWNER),
    Act.MANAGE_KEYS: Rule(StaffRole.OWNER),
    Act.MANAGE_STAFF: Rule(StaffRole.OWNER),
    Act.MANAGE_TOKENS: Rule(StaffRole.OPERATOR, Scope.TOKENS),
    Act.READ_LOG: Rule(StaffRole.AUDITOR),
}
RANKS = {StaffRole.AUDITOR: 1, StaffRole.MODERATOR: 2, StaffRole.OPERATOR: 3, StaffRole.OWNER: 4}

# What a staff role is worth where calls ask for an application key's scopes.
ROLE_SCOPES: dict[StaffRole, frozenset[Scope]] = {
    StaffRole.AUDITOR: frozenset({Scope.READ}),
    StaffRole.MODERATOR: frozenset({Scope.READ, Scope.MODERATE, Scope.MESSAGES}),
    StaffRole.OPERATOR: frozenset(Scope),
    StaffRole.OWNER: frozenset(Scope),
}


def require(actor: Actor, act: Act, application: Application | None = None) -> None:
    """Let `actor` do `act` to `application` (None: to the installation), or refuse.

    Raises: ApplicationNotFound (somebody else's application), NotAllowed, ScopeMissing.
    """
    rule = RULES[act]
    if actor.kind is ActorKind.SYSTEM:
        return
    if actor.kind is ActorKind.STAFF:
        _require_role(actor, rule.role, application)
        return
    if application is None or actor.application_id != application.pk:
        raise ApplicationNotFound
    if actor.kind is not ActorKind.APPLICATION or rule.scope is None:
        raise NotAllowed(action=act.value)
    if rule.scope not in actor.scopes:
        raise ScopeMissing(scope=rule.scope.value)


def allows(actor: Actor, act: Act, application: Application | None = None) -> bool:
    """Whether `require` would pass: for buttons."""
    try:
        require(actor, act, application)
    except (ApplicationNotFound, NotAllowed, ScopeMissing):
        return False
    return True


def is_superuser(actor: Actor) -> bool:
    """Whether `actor` is a staff member to whom every application is open."""
    return actor.kind is ActorKind.STAFF and Staff.objects.filter(_active(actor), is_superuser=True).exists()


def roles_for(act: Act) -> list[StaffRole]:
    """The staff roles that suffice for `act`."""
    least = RULES[act].role
    return [role for role in StaffRole if least is not None and RANKS[role] >= RANKS[least]]


def staff_role(actor: Actor, application_id: int) -> StaffRole | None:
    """The role of the staff member `actor` in an application; a superuser is an owner everywhere."""
    if is_superuser(actor):
        return StaffRole.OWNER
    role = (
        Membership.objects.filter(application_id=application_id, staff_id=int(actor.id), staff__is_active=True)
        .values_list("role", flat=True)
        .first()
    )
    return StaffRole(role) if role else None


def _active(actor: Actor) -> Q:
    return Q(pk=int(actor.id), is_active=True)


def _require_role(actor: Actor, least: StaffRole | None, application: Application | None) -> None:
    if application is None or least is None:
        if not is_superuser(actor):
            raise NotAllowed
        return
    role = staff_role(actor, application.pk)
    if role is None:
        raise ApplicationNotFound
    if RANKS[role] < RANKS[least]:
        raise NotAllowed(role=least.value)
