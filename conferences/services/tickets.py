"""Tickets: issued, read, revoked. Redeeming one is entering: see members.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts import limits
from accounts.actors import Actor, ActorKind, system
from accounts.authentication import application as known_application
from accounts.errors import RateLimited
from accounts.keys import b64, signer, unb64
from accounts.models import User
from accounts.names import user_name
from conferences.errors import (
    Banned,
    ConferenceLocked,
    PasswordGuessedTooOften,
    PasswordWrong,
    RoleTokenInvalid,
    TicketInvalid,
    TicketNotFound,
)
from conferences.events import Change, changing, changing_id
from conferences.models import Conference, ConferenceType, Member, Role, Ticket, rows
from conferences.permissions import Action
from conferences.services.access import authorise
from conferences.services.roles import check_entry

BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_FACE = re.compile(
    r"(?P<kind>tk|rt)_(?P<name>(?P<ticket>[0-9a-z]{1,12})_(?P<conference>[0-9a-z]{1,12}))_(?P<mac>[A-Za-z0-9_-]{1,64})"
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new ticket and its two faces: what enters, and what moderates."""

    ticket: Ticket
    text: str
    role_token: str


def issue_ticket(
    *,
    actor: Actor,
    confr_id: str,
    name: str,
    role: Role | None = None,
    password: str | None = None,
    ttl_seconds: int | None = None,
    max_uses: int = 1,
    while_free: bool = False,
) -> Issued:
    """Give a user the right to enter; with `while_free` not when there is no seat for it at this moment.

    An application says who may enter and with which role; without a wish the user gets the conference's default,
    its creator ADMIN. A user asks for itself, gives the password where there is one, and gets at most the
    default role, for one seat and for no longer than the application's tickets live.

    Raises: PasswordWrong, PasswordGuessedTooOften, ConferenceLocked, Banned, ConferenceClosed, NotAllowed,
    UserNameInvalid; MembersFull, TalkersFull, AudienceFull (`while_free`). Records: ticket.issued.
    """
    with guessing(actor, confr_id, password), changing(actor, confr_id) as change:
        application = known_application(change.conference.application_id)
        authorise(change, actor, Action.ISSUE_TICKET)
        name = user_name(name, application.app_key)
        address = actor.address if actor.kind is ActorKind.USER else None
        counter = Ticket.objects.at_the_counter(change.conference, name, address)
        user = counter.user
        if actor.kind is ActorKind.USER:
            _check_entrant(change, actor, user, password)
        if counter.kept_out:
            raise Banned()
        seconds = application.ticket_seconds if ttl_seconds is None else ttl_seconds
        if actor.kind is ActorKind.USER:
            seconds, max_uses = min(seconds, application.ticket_seconds), 1
        granted = granted_role(change, actor, user, role)
        if while_free and not Member.objects.seated().filter(conference=change.conference, user=user).exists():
            check_entry(change.conference, granted)
        return _issue(change, actor, counter.next_ticket_id, user, granted, seconds, max_uses)


@contextmanager
def guessing(actor: Actor, confr_id: str, password: str | None) -> Iterator[None]:
    """A user's try at a password is paid for before it is checked, and given back when it was right.

    Raises: PasswordGuessedTooOften, Unavailable.
    """
    if actor.user_id is None or actor.application_id is None or not password:
        yield
        return
    guess = (actor.application_id, confr_id, actor.id, actor.address)
    try:
        limits.guess(*guess)
    except RateLimited as error:
        raise PasswordGuessedTooOften(retry_after=error.retry_after) from None
    yield
    limits.forgive(*guess)


def _check_entrant(change: Change, actor: Actor, user: User, password: str | None) -> None:
    """A user asks for itself, knows the password, and finds the door open; an admin of it needs neither."""
    conference = change.conference
    if actor.user_id != user.pk:
        authorise(change, actor, Action.GRANT_ROLE)
        return
    if conference.creator_id == user.pk:
        return
    if conference.locked and not Member.objects.seated().filter(conference=conference, user=user).exists():
        raise ConferenceLocked()
    if not password_fits(conference, password or ""):
        raise PasswordWrong()


def granted_role(change: Change, actor: Actor, user: User, wish: Role | None) -> Role:
    """The role a ticket carries. A wish for oneself above the ceiling is granted at the ceiling; an application,
    the staff and an admin who invites somebody may go above it."""
    conference = change.conference
    own = Role.ADMIN if user.pk == conference.creator_id else Role(conference.default_role)
    if wish is None:
        return own
    return min(wish, own) if actor.user_id == user.pk else wish


def add_ticket(change: Change, actor: Actor, user: User, role: Role, seconds: int) -> Issued:
    """Issue a ticket for one seat in an open change. Records: ticket.issued."""
    return _issue(change, actor, Ticket.objects.next_id(), user, role, seconds, max_uses=1)


def _issue(change: Change, actor: Actor, ticket_id: int, user: User, role: Role, seconds: int, max_uses: int) -> Issued:
    expires_at = change.now + timedelta(seconds=seconds)
    ticket = Ticket(
        pk=ticket_id,
        conference=change.conference,
        user=user,
        role=role,
        max_uses=max_uses,
        expires_at=expires_at,
    )
    change.also.append(rows.insertion([ticket]))
    change.record(
        "ticket.issued",
        actor,
        data={"ticket": ticket.pk, "user": user.pk, "role": role, "expires_at": int(expires_at.timestamp())},
        personal={"name": user.name},
    )
    right = Right(ticket.pk, change.conference.pk)
    return Issued(ticket, ticket_text(right), role_token(right))


def revoke_tickets(
    *, actor: Actor, confr_id: str, ticket_id: int | None = None, name: str | None = None, reason: str = ""
) -> int:
    """Revoke one ticket, all of a user, or all of the conference; answers how many.

    A member who is inside keeps the seat until it ends; its role token and its way back are gone.

    Raises: TicketNotFound, NotAllowed. Records: ticket.revoked.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.REVOKE_TICKET)
        which = Q()
        if ticket_id is not None:
            which &= Q(pk=ticket_id)
        if name is not None:
            which &= Q(user__name=name)
        ids = good_tickets(change, which)
        if ticket_id is not None and not ids:
            raise TicketNotFound()
        revoke(change, actor, ids, reason=reason)
    return len(ids)


def good_tickets(change: Change, which: Q) -> list[int]:
    """The ids of those tickets of the conference that are not revoked."""
    tickets = Ticket.objects.filter(which, conference=change.conference, revoked_at=None)
    return list(tickets.values_list("pk", flat=True))


def revoke(change: Change, actor: Actor, ids: Sequence[int], *, reason: str = "") -> None:
    """Revoke good tickets in an open change. Records: ticket.revoked, one fact for all, if there is one."""
    if ids:
        change.also.append(Ticket.objects.revoke(ids, change.now))
        change.record("ticket.revoked", actor, data={"tickets": ids}, reason=reason)


def expire_tickets(*, batch: int = 1000) -> int:
    """Note, in batches, which unused tickets have expired; answers how many.

    Entering refuses them anyway: this is for the record. Records: ticket.expired per live conference.
    """
    due = Ticket.objects.due()[:batch]
    by_conference: dict[int, list[int]] = {}
    for ticket_id, conference_id in due.values_list("pk", "conference_id"):
        by_conference.setdefault(conference_id, []).append(ticket_id)
    for conference_id, ids in by_conference.items():
        _expire(conference_id, ids)
    return sum(map(len, by_conference.values()))


def _expire(conference_id: int, ids: Iterable[int]) -> None:
    with changing_id(conference_id) as change:
        due = Ticket.objects.due().filter(pk__in=ids)
        expired = list(due.values_list("pk", flat=True))
        Ticket.objects.filter(pk__in=expired).update(expired_at=change.now)
        if expired and change.conference.state == Conference.State.LIVE:
            change.record("ticket.expired", system(), data={"tickets": expired})


# What clients hold: the row's id and its conference's, signed. Everything else is in the row.


class Right(NamedTuple):
    """The primary keys of a ticket and of its conference."""

    ticket_id: int
    conference_id: int


def ticket_text(right: Right) -> str:
    return _face("tk", right)


def role_token(right: Right) -> str:
    return _face("rt", right)


def read_ticket(text: str) -> Right:
    """Which ticket it is. Raises: TicketInvalid."""
    right = _read("tk", text)
    if right is None:
        raise TicketInvalid()
    return right


def role_token_actor(text: str, *, address: str | None, request_id: str) -> tuple[Actor, str]:
    """The user that a role token stands for, and its conference's id. What its role is, is looked up live.

    Raises: RoleTokenInvalid, ApplicationSuspended.
    """
    right = _read("rt", text)
    if right is None:
        raise RoleTokenInvalid()
    usable = Q(uses__gt=0) | Q(expires_at__gt=timezone.now())
    tickets = Ticket.objects.filter(usable, pk=right.ticket_id, revoked_at=None)
    row = tickets.select_related("user", "conference").first()
    if row is None:
        raise RoleTokenInvalid()
    known_application(row.conference.application_id)
    actor = Actor(
        ActorKind.USER,
        application_id=row.conference.application_id,
        id=str(row.user_id),
        name=row.user.name,
        address=address,
        request_id=request_id,
    )
    return actor, row.conference.confr_id


def _face(kind: str, right: Right) -> str:
    name = "_".join(map(_base36, right))
    return f"{kind}_{name}_{b64(signer(settings.KEYS['signing']).sign(kind, name.encode()))}"


def _read(kind: str, text: str) -> Right | None:
    found = _FACE.fullmatch(text)
    if found is None or found["kind"] != kind:
        return None
    try:
        mac = unb64(found["mac"])
    except ValueError:
        return None
    genuine = b64(mac) == found["mac"] and signer(settings.KEYS["signing"]).verify(kind, found["name"].encode(), mac)
    return Right(int(found["ticket"], 36), int(found["conference"], 36)) if genuine else None


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = BASE36[digit] + digits
        if not number:
            return digits


def password_mac(confr_id: str, password: str) -> bytes:
    """A keyed hash: cheap to check, useless to a thief of the database alone."""
    return signer(settings.KEYS["signing"]).sign("password", f"{confr_id}\0{password}".encode())


def password_fits(conference: Conference, password: str) -> bool:
    """Whether the password is right; a conference without one is open to every user of the application."""
    mac = bytes(conference.password_mac)
    message = f"{conference.confr_id}\0{password}".encode()
    return not mac or signer(settings.KEYS["signing"]).verify("password", message, mac)


DEFAULT_ROLE = {
    ConferenceType.COMMUNICATION: Role.TALKER,
    ConferenceType.COMMUNICATION_MIX: Role.TALKER,
    ConferenceType.LIVE: Role.AUDIENCE,
}
