"""Actor: who acts. Every service takes one; nothing happens in nobody's name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    USER = "user"  # an end user of an application, by a user token, a ticket or a role token
    APPLICATION = "application"  # a mini-program backend, by an application key
    STAFF = "staff"  # a human of ours or of the tenant, by the dashboard, the admin or the command line
    SYSTEM = "system"  # Confr itself: jobs, the media server's hooks


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, from where, within which request.

    `application_id` bounds what the actor can see: None only for system and for staff, whose memberships
    decide. `id` is the primary key of the user, the API key or the staff member ("" for system); `name` is
    for humans and personal. `scopes` bound an application key; a user may do what its role in the conference
    says.
    """

    kind: ActorKind
    application_id: int | None = None
    id: str = ""
    name: str = ""
    scopes: frozenset[str] = frozenset()
    address: str | None = None
    request_id: str = ""

    @property
    def user_id(self) -> int | None:
        """The end user's primary key, or None when somebody else acts."""
        return int(self.id) if self.kind is ActorKind.USER else None


def system(request_id: str = "", address: str | None = None) -> Actor:
    """Confr itself."""
    return Actor(ActorKind.SYSTEM, request_id=request_id, address=address)
