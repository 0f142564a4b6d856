"""Standings: what the sessions of the staff are worth now. For sockets, which outlive the request they began with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.actors import Actor, ActorKind
from accounts.errors import ApplicationNotFound
from accounts.models import Staff, StaffRole
from accounts.permissions import ROLE_SCOPES


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is signed in by a session, and the role in each application; a superuser is an owner everywhere."""

    staff_id: int
    name: str
    is_superuser: bool
    roles: Mapping[int, StaffRole]

    @property
    def applications(self) -> frozenset[int] | None:
        """Those that may be seen; None: all."""
        return None if self.is_superuser else frozenset(self.roles)

    def role_in(self, application_id: int) -> StaffRole | None:
        return StaffRole.OWNER if self.is_superuser else self.roles.get(application_id)

    def actor(self, application_id: int) -> Actor:
        """The staff member within an application. Raises: ApplicationNotFound, where there is no role."""
        role = self.role_in(application_id)
        if role is None:
            raise ApplicationNotFound
        return Actor(
            ActorKind.STAFF,
            application_id=application_id,
            id=str(self.staff_id),
            name=self.name,
            scopes=ROLE_SCOPES[role],
        )


def standings(session_keys: Collection[str]) -> dict[str, Standing]:
    """What these sessions are worth now, in three queries; who is signed out, or switched off, is missing."""
    sessions = Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now())
    claims = {session.session_key: session.get_decoded() for session in sessions}
    ids = {claim[SESSION_KEY] for claim in claims.values() if SESSION_KEY in claim}
    staff = Staff.objects.filter(pk__in=ids, is_active=True).prefetch_related("memberships")
    known = {str(person.pk): person for person in staff}
    return {
        key: _standing(person)
        for key, claim in claims.items()
        if (person := known.get(claim.get(SESSION_KEY, ""))) and _is_theirs(person, claim)
    }


def _standing(person: Staff) -> Standing:
    roles = {membership.application_id: StaffRole(membership.role) for membership in person.memberships.all()}
    return Standing(person.pk, person.get_username(), person.is_superuser, roles)


def _is_theirs(person: Staff, claim: Mapping[str, str]) -> bool:
    """Whether the session was made under the password that the person has now."""
    given = claim.get(HASH_SESSION_KEY, "")
    hashes = [person.get_session_auth_hash(), *person.get_session_auth_fallback_hash()]
    return any(constant_time_compare(given, each) for each in hashes)
