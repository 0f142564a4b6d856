"""The catalogue of facts, the only way one is born, and what anybody sees of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.errors import DomainError
from accounts.locks import busy_when_locked
from accounts.log import Fact, chain
from conferences import delivery
from conferences.errors import ConferenceNotFound, TicketInvalid
from conferences.models import Conference, Event, Member, Role, Ticket, rows
from conferences.models.rows import Statement
from conferences.models.ticket import AtTheDoor


class Audience(Enum):
    """Who may see a fact, beside the staff and the application."""

    EVERYONE = "everyone"  # every member
    SUBJECTS = "subjects"  # the members that it names
    ADMINS = "admins"  # members who are admins now
    STAFF = "staff"  # no member


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of fact: who sees it, and which of its fields a member may see."""

    name: str
    audience: Audience
    public: frozenset[str]


def _type(name: str, audience: Audience, *public: str) -> EventType:
    return EventType(name, audience, frozenset(public))


CATALOGUE: dict[str, EventType] = {
    row.name: row
    for row in (
        _type("conference.created", Audience.STAFF),
        _type("conference.updated", Audience.EVERYONE, "locked", "rec", "rec_merge"),
        _type("conference.muted", Audience.EVERYONE, "kinds", "muted"),
        _type("conference.closed", Audience.EVERYONE, "reason"),
        _type("ticket.issued", Audience.STAFF),
        _type("ticket.revoked", Audience.STAFF),
        _type("ticket.expired", Audience.STAFF),
        _type("member.joined", Audience.EVERYONE, "member", "role", "muted", "name", "nick_name", "ext"),
        _type("member.lost", Audience.STAFF),
        _type("member.returned", Audience.STAFF),
        _type("member.exited", Audience.EVERYONE, "member", "reason", "name"),
        _type("member.muted", Audience.EVERYONE, "member", "muted", "changed", "all", "name"),
        _type("role.changed", Audience.EVERYONE, "member", "role", "was", "name", "nick_name", "ext", "muted"),
        _type("role.requested", Audience.SUBJECTS, "member", "role", "ref", "name", "nick_name"),
        _type("role.answered", Audience.SUBJECTS, "member", "role", "ref", "granted", "by"),
        _type("stream.added", Audience.EVERYONE, "member", "stream", "name"),
        _type("stream.changed", Audience.EVERYONE, "member", "stream", "name"),
        _type("stream.removed", Audience.EVERYONE, "member", "stream", "reason", "name"),
        _type("stream.refused", Audience.SUBJECTS, "member", "stream", "code"),
        _type("stream.watched", Audience.STAFF),
        _type("attributes.updated", Audience.EVERYONE, "set", "deleted", "member"),
        _type("message.broadcast", Audience.EVERYONE, "member", "name", "content"),
        _type("message.sent", Audience.SUBJECTS, "member", "name", "content"),
        _type("ban.added", Audience.STAFF),
        _type("ban.lifted", Audience.STAFF),
        _type("media.repaired", Audience.STAFF),
        _type("mix.started", Audience.EVERYONE, "mix", "stream"),
        _type("mix.updated", Audience.EVERYONE, "mix", "stream"),
        _type("mix.stopped", Audience.EVERYONE, "mix", "stream", "reason"),
        _type("mix.failed", Audience.EVERYONE, "mix", "stream", "reason"),
        _type("recording.started", Audience.EVERYONE),
        _type("recording.paused", Audience.EVERYONE),
        _type("recording.resumed", Audience.EVERYONE),
        _type("recording.stopped", Audience.EVERYONE, "reason"),
        _type("recording.ready", Audience.ADMINS, "recording", "kind", "member", "name"),
        _type("recording.failed", Audience.ADMINS, "recording", "kind", "member", "name", "code"),
        _type("recording.retried", Audience.STAFF),
        _type("recording.held", Audience.STAFF),
        _type("recording.deleted", Audience.STAFF),
    )
}

# The columns that services change under the lock; `_write` saves those that differ.
_MUTABLE = (
    "name", "state", "password_mac", "ext", "max_talkers", "max_videos", "max_audience", "max_desktops",
    "default_role", "allow_audience_talk", "max_seconds", "adminless_seconds", "rec", "rec_merge", "rec_paused",
    "locked", "mute_newcomers", "attributes", "talkers", "audience", "videos", "desktops", "admins", "member_serial",
    "last_seq", "chain_head", "entered_at", "adminless_at", "closed_at", "close_reason", "creator_id",
)  # fmt: skip


class Change:
    """One conference under its lock, and the facts that became true since.

    `conference` may be changed freely; rows of other models are the services' to write, by themselves or `also`
    with the facts. All of it, the facts included, is committed or none.
    """

    def __init__(self, conference: Conference, seats: dict[int, Member | None] | None = None) -> None:
        """`seats`: those that were read together with the lock, by user."""
        self.conference = conference
        self.now = timezone.now()
        self.facts: list[Event] = []
        self.also: list[Statement] = []
        self._seats = seats or {}
        self._loaded = {name: _copy(value) for name, value in conference.__dict__.items()}

    def seat_of(self, user_id: int) -> Member | None:
        """The seat that this user held when the change began."""
        if user_id not in self._seats:
            self._seats[user_id] = Member.objects.seated_user(self.conference, user_id)
        return self._seats[user_id]

    def record(
        self,
        event_type: str,
        actor: Actor,
        *,
        data: dict[str, Any] | None = None,
        personal: dict[str, Any] | None = None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        reason: str = "",
    ) -> Event:
        """Give birth to a fact: the next number of the conference, chained to the one before.

        `data` holds ids and numbers, `personal` whatever names or describes a person.
        """
        fact = Fact(CATALOGUE[event_type].name, actor, data or {}, personal or {}, before, after, reason)
        conference = self.conference
        event = chain(
            Event(conference=conference),
            fact,
            seq=conference.last_seq + 1,
            at=self.now,
            previous=bytes(conference.chain_head),
        )
        conference.last_seq, conference.chain_head = event.seq, event.hash
        self.facts.append(event)
        return event

    def write_ahead(self) -> None:
        """Do now what goes along, for a command that reads the tables after it."""
        rows.run(self.also)
        self.also.clear()

    def write(self) -> None:
        """Save what changed and arrange that it is told after commit."""
        now, loaded = self.conference.__dict__, self._loaded
        changed = [name for name in _MUTABLE if now[name] != loaded[name]]
        if not changed:
            return
        Event.objects.append(self.conference, changed, self.facts, self.also)
        if self.facts:
            conference_id, facts = self.conference.pk, [neutral(event) for event in self.facts]
            transaction.on_commit(lambda: delivery.publish(conference_id, facts), robust=True)


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, (list, dict)) else value


@contextmanager
def creating(conference: Conference) -> Iterator[Change]:
    """The first command of a new conference, in the caller's transaction: the row is inserted here.

    Raises: IntegrityError when a live conference of the application has the name.
    """
    rows.insert([conference])
    change = Change(conference)
    yield change
    change.write()


@contextmanager
def changing(actor: Actor, confr_id: str) -> Iterator[Change]:
    """Lock one conference for one command; at the end its row and its facts are written together.

    Raises: ConferenceNotFound also for another tenant's; Busy when the lock is not to be had within 2 s.
    """
    with busy_when_locked(), transaction.atomic():
        change = _lock(actor, confr_id)
        with _owned(change):
            yield change
        change.write()


def _lock(actor: Actor, confr_id: str) -> Change:
    """With the seat of a user who acts, since nearly every command asks for it."""
    if actor.user_id is None:
        conference = Conference.objects.lock_confr_id(confr_id, actor.application_id)
        return Change(_found(conference))
    found = Member.objects.lock_with_conference(confr_id, actor.application_id, actor.user_id)
    conference, seat = found or (None, None)
    return Change(_found(conference), {actor.user_id: seat})


def _found(conference: Conference | None) -> Conference:
    if conference is None:
        raise ConferenceNotFound()
    return conference


@contextmanager
def changing_id(conference_id: int) -> Iterator[Change]:
    """The same for Confr's own jobs and hooks, which know the primary key."""
    with busy_when_locked(), transaction.atomic():
        change = Change(_found(Conference.objects.lock_id(conference_id)))
        with _owned(change):
            yield change
        change.write()


@contextmanager
def changing_at_the_door(
    conference_id: int, callers: Mapping[int, str | None]
) -> Iterator[tuple[Change, dict[int, AtTheDoor]]]:
    """The same for who comes with a ticket of the conference; `callers` as `Ticket.objects.lock_at_the_door` has it.

    Raises: TicketInvalid when none of the tickets is there any more.
    """
    with busy_when_locked(), transaction.atomic():
        doors = Ticket.objects.lock_at_the_door(conference_id, callers)
        if not doors:
            raise TicketInvalid()
        change = Change(next(iter(doors.values())).ticket.conference)
        with _owned(change):
            yield change, doors
        change.write()


@contextmanager
def _owned(change: Change) -> Iterator[None]:
    """A refusal within knows whose it is."""
    try:
        yield
    except DomainError as error:
        error.application_id = change.conference.application_id
        raise


def neutral(event: Event) -> dict[str, Any]:
    """A fact as the hubs get it: JSON, no vendor's names. What only the staff may see of it lies in `audit`."""
    personal = {name: value for name, value in event.personal.items() if name not in {"actor", "address"}}
    return {
        "seq": event.seq,
        "type": event.type,
        "at": int(event.at.timestamp() * 1000),
        "data": event.data,
        "personal": personal,
        "audit": _audit(event),
    }


def _audit(event: Event) -> dict[str, Any]:
    """Who did it, from where and why, and what it changed."""
    return {
        "kind": event.actor_kind,
        "id": event.actor_id,
        "name": event.personal.get("actor", ""),
        "address": event.personal.get("address", ""),
        "reason": event.personal.get("reason", ""),
        "before": event.before,
        "after": event.after,
    }


# What of an event's row `neutral` reads.
NEUTRAL_FIELDS = ("seq", "type", "at", "data", "personal", "actor_kind", "actor_id", "before", "after")


@dataclass(slots=True)
class Viewer:
    """A member as far as it decides what it sees. `role` follows the facts as they are seen."""

    member: int
    role: int
    is_staff: bool = False


def staff_viewer() -> Viewer:
    """Somebody of the staff, who sees every fact whole. No member has its number."""
    return Viewer(member=-1, role=0, is_staff=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody sees of a fact: the encoders of the transports turn it into their frames.

    `type` may differ from the fact's own: in LIVE a promotion is how others first hear of a member. `audit` is
    for the staff alone.
    """

    seq: int
    type: str
    at: int
    data: dict[str, Any]
    audit: dict[str, Any] | None = None


def view(fact: dict[str, Any], viewer: Viewer) -> Seen | None:
    """What `viewer` sees of a neutral fact: in push, replay and snapshot alike. The staff sees all of it. Pure.

    `data` of a fact may carry `silent` (LIVE audience: told to the subject only), `appears` and `vanishes`
    (LIVE: a role change that makes the member visible to others, or invisible) and `to` (numbers of the
    members a directed fact is for).
    """
    kind, data = CATALOGUE[fact["type"]], fact["data"]
    if viewer.is_staff:
        return Seen(fact["seq"], kind.name, fact["at"], fact["personal"] | data, fact["audit"])
    is_subject = data.get("member") == viewer.member
    if not _sees(kind.audience, data, viewer, is_subject):
        return None
    name = kind.name
    if not is_subject and data.get("appears"):
        name = "member.joined"
    elif not is_subject and data.get("vanishes"):
        name = "member.exited"
    merged = fact["personal"] | data
    return Seen(fact["seq"], name, fact["at"], {key: merged[key] for key in kind.public if key in merged})


def _sees(audience: Audience, data: dict[str, Any], viewer: Viewer, is_subject: bool) -> bool:
    match audience:
        case Audience.EVERYONE:
            return is_subject or not data.get("silent")
        case Audience.SUBJECTS:
            return viewer.member in data.get("to", ())
        case Audience.ADMINS:
            return viewer.role == Role.ADMIN
        case Audience.STAFF:
            return False
