"""Questions: what an actor may read, as querysets that a transport filters and pages. Nothing is locked here."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from accounts.actors import Actor
from accounts.errors import ApplicationNotFound
from accounts.models import User
from conferences.errors import MemberNotFound, PasswordWrong
from conferences.models import Ban, Conference, Event, Member, Role, Stream, Ticket
from conferences.permissions import Action, allows, require
from conferences.services.access import find, find_readable, require_live, role_of
from conferences.services.tickets import guessing, password_fits


@dataclass(frozen=True, slots=True)
class Glance:
    """What somebody at the door may see of a conference: itself, and the names of who may talk."""

    conference: Conference
    talkers: list[str]


def list_conferences(actor: Actor) -> QuerySet[Conference]:
    """The conferences of the actor's application, over or not. Raises: NotAllowed, ScopeMissing."""
    require(actor, Action.VIEW)
    return Conference.objects.filter(application_id=_tenant(actor)).select_related("creator")


def get_conference(actor: Actor, confr_id: str) -> Conference:
    """One conference, over or not. Raises: ConferenceNotFound, NotAllowed, ScopeMissing."""
    return find_readable(actor, confr_id, Action.VIEW)


def look_in(actor: Actor, confr_id: str, password: str) -> Glance:
    """A live conference for whoever may view it, or knows its password.

    Raises: ConferenceNotFound, ConferenceClosed, PasswordWrong, PasswordGuessedTooOften, ScopeMissing.
    """
    with guessing(actor, confr_id, password):
        conference = find(actor, confr_id)
        require_live(conference)
        if actor.user_id is None:
            require(actor, Action.VIEW)
        elif not allows(actor, Action.VIEW, role_of(actor, conference)) and not password_fits(conference, password):
            raise PasswordWrong()
    talkers = Member.objects.seated().filter(conference=conference, role__gte=Role.TALKER).order_by("number")
    return Glance(conference, list(talkers.values_list("user__name", flat=True)))


def visible_member(actor: Actor, confr_id: str, number: int) -> str | None:
    """The name of the user in a seat; None for an empty one, and for one that LIVE hides.

    Raises: ConferenceNotFound, NotAllowed, ScopeMissing.
    """
    conference = find_readable(actor, confr_id, Action.LIST_MEMBERS)
    seats = Member.objects.seated().filter(conference=conference, number=number)
    if conference.hides_audience:
        seats = seats.filter(role__gte=Role.TALKER)
    return seats.values_list("user__name", flat=True).first()


def list_members(actor: Actor, confr_id: str) -> QuerySet[Member]:
    """Every seat that there was, with its user. Raises: as `get_conference`."""
    conference = find_readable(actor, confr_id, Action.LIST_MEMBERS)
    return Member.objects.filter(conference=conference).select_related("user", "conference")


def list_tickets(actor: Actor, confr_id: str) -> QuerySet[Ticket]:
    """Every ticket, good or not. Raises: as `get_conference`."""
    conference = find_readable(actor, confr_id, Action.LIST_TICKETS)
    return Ticket.objects.filter(conference=conference).select_related("user", "conference")


def list_streams(actor: Actor, confr_id: str) -> QuerySet[Stream]:
    """Every stream that a member was given a URL for. Raises: as `get_conference`."""
    conference = find_readable(actor, confr_id, Action.VIEW)
    return Stream.objects.filter(conference=conference).select_related("member__user")


def list_events(actor: Actor, confr_id: str) -> QuerySet[Event]:
    """The conference's log, for the application and the staff. Raises: as `get_conference`."""
    return Event.objects.filter(conference=find_readable(actor, confr_id, Action.LIST_EVENTS))


def list_bans(actor: Actor, confr_id: str) -> QuerySet[Ban]:
    """Kicks' holds and bans of one conference, standing or not. Raises: as `get_conference`."""
    conference = find_readable(actor, confr_id, Action.LIST_BANS)
    return Ban.objects.filter(conference=conference).select_related("user")


def list_application_bans(actor: Actor) -> QuerySet[Ban]:
    """Bans of the whole application, standing or not. Raises: NotAllowed, ScopeMissing."""
    require(actor, Action.LIST_BANS)
    return Ban.objects.filter(application_id=_tenant(actor), conference=None).select_related("user")


def find_user(actor: Actor, name: str) -> int:
    """The primary key of a user of the actor's application. Raises: MemberNotFound."""
    users = User.objects.filter(application_id=_tenant(actor), name=name)
    user_id = users.values_list("pk", flat=True).first()
    if user_id is None:
        raise MemberNotFound()
    return user_id


def _tenant(actor: Actor) -> int:
    """The application that a question is about. Raises: ApplicationNotFound, when the actor is bound to none."""
    if actor.application_id is None:
        raise ApplicationNotFound()
    return actor.application_id
