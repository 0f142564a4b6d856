"""What an actor is in a conference now, and whether that is enough."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.actors import Actor
from accounts.errors import NotAllowed
from conferences.errors import ConferenceClosed, ConferenceNotFound
from conferences.events import Change
from conferences.models import Ban, Conference, Member, Role
from conferences.permissions import LEAST_ROLE, OUTSIDER, Action, require


def role_of(actor: Actor, conference: Conference) -> int | None:
    """The role of a user in the conference, looked up live; None for who has none, and for who is no user.

    The creator is ADMIN before entering too. No admin is who is kept out by a kick or a ban.
    """
    (role,) = roles_of([actor], conference)
    return role


def roles_of(actors: Sequence[Actor], conference: Conference) -> list[int | None]:
    """The same for several at once."""
    users = {actor.user_id for actor in actors if actor.user_id is not None}
    seats = {seat.user_id: seat for seat in Member.objects.seated_users(conference, users)} if users else {}
    return [None if actor.user_id is None else _role(seats.get(actor.user_id), actor, conference) for actor in actors]


def _role(seat: Member | None, actor: Actor, conference: Conference) -> int | None:
    if seat is None and conference.creator_id != actor.user_id:
        return None
    role = seat.role if seat else Role.ADMIN
    return None if role == Role.ADMIN and is_kept_out(conference, actor.user_id, actor.address) else role


def authorise(change: Change, actor: Actor, action: Action) -> Member | None:
    """The first line of a command on a live conference; answers the seat by which a user may act.

    Raises: NotAllowed, ScopeMissing, ConferenceClosed.
    """
    seat, role = None, None
    if actor.user_id is not None and LEAST_ROLE[action] != OUTSIDER:
        seat = change.seat_of(actor.user_id)
        role = _role(seat, actor, change.conference)
    require(actor, action, role)
    require_live(change.conference)
    return seat


def require_oneself(actor: Actor, user_id: int, action: Action) -> None:
    """A user acts for itself only; an application for whomever it likes. Raises: NotAllowed, ScopeMissing."""
    if actor.user_id is not None and actor.user_id != user_id:
        raise NotAllowed(action=action.value)
    require(actor, action, Role.ADMIN)


def authorise_reading(actor: Actor, action: Action, conference: Conference) -> None:
    """The first line of a question. Raises: NotAllowed, ScopeMissing."""
    require(actor, action, role_of(actor, conference))


def require_live(conference: Conference) -> None:
    """Raises: ConferenceClosed."""
    if conference.state == Conference.State.CLOSED:
        raise ConferenceClosed(reason=conference.close_reason)


def is_kept_out(conference: Conference, user_id: int | None, address: str | None) -> bool:
    """Whether a kick's hold or a ban keeps this user or this address out, now."""
    return Ban.objects.keeps_out(conference, user_id, address)


def find(actor: Actor, confr_id: str) -> Conference:
    """A conference that the actor may know of, not locked. Raises: ConferenceNotFound."""
    conference = Conference.objects.find(confr_id, actor.application_id)
    if conference is None:
        raise ConferenceNotFound()
    return conference


def find_readable(actor: Actor, confr_id: str, action: Action) -> Conference:
    """The same, if the actor may ask this of it. Raises: ConferenceNotFound, NotAllowed, ScopeMissing."""
    conference = find(actor, confr_id)
    authorise_reading(actor, action, conference)
    return conference
