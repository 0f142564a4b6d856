"""Members: entering with a ticket, losing the socket and coming back, leaving."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.utils import timezone

from accounts.actors import Actor, ActorKind, system
from accounts.authentication import application as known_application
from accounts.errors import DomainError
from conferences import metrics
from conferences.errors import (
    Banned,
    ConferenceLocked,
    MemberNotFound,
    TicketExpired,
    TicketInvalid,
    TicketRevoked,
    TicketUsed,
)
from conferences.events import Change, changing, changing_at_the_door, changing_id
from conferences.models import (
    CloseReason,
    Conference,
    ExitReason,
    Lease,
    Member,
    Role,
    StopReason,
    Stream,
    Ticket,
    rows,
)
from conferences.models.rows import Statement
from conferences.models.ticket import AtTheDoor
from conferences.permissions import Action
from conferences.services import drops, tickets
from conferences.services.access import require_live, require_oneself
from conferences.services.mixes import end_mixes
from conferences.services.roles import check_entry, hand_over, leave_seat, personal, silenced, take_seat, wants_admin
from conferences.services.streams import end_streams, open_streams
from conferences.services.takes import end_take

LEASE_SECONDS = 2
# More would hold the lock of their conference for too long.
LOSSES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Entrance:
    """What a client says of itself at the door. `connection` and `process` name the socket and who holds it."""

    connection: str
    process: str
    nick_name: str = ""
    ext: str = ""
    device: str = ""
    address: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody at the door of a conference, with a ticket of it."""

    ticket_id: int
    entrance: Entrance


@dataclass(frozen=True, slots=True)
class Entry:
    """A seat, and whether it was kept (`returned`) or is new."""

    member: Member
    returned: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """A member's socket that went away. `told` is the last number that the client has surely heard; None when nobody
    can know.
    """

    member_id: int
    connection: str
    told: int | None = None


def enter(*, ticket_text: str, entrance: Entrance) -> Entry:
    """Redeem a ticket and take a seat, in one go; with a seat already, come back to it.

    A second device of the same user takes the seat over from the first.

    Raises: TicketInvalid, TicketExpired, TicketRevoked, TicketUsed, ConferenceClosed, ConferenceLocked, Banned,
    TalkersFull, AudienceFull, MembersFull, ApplicationSuspended. Records: member.joined, or member.returned.
    """
    right = tickets.read_ticket(ticket_text)
    (entry,) = enter_together(right.conference_id, [Arrival(right.ticket_id, entrance)])
    if isinstance(entry, DomainError):
        raise entry
    return entry


def enter_together(conference_id: int, arrivals: Sequence[Arrival]) -> list[Entry | DomainError]:
    """Let in who comes to one conference at one moment, in one transaction: each as `enter` does, in their order.

    Answers for each its entry or its refusal; who is refused costs the others nothing. Raises: Busy. Records: as
    `enter`.
    """
    waiting, answers = dict(enumerate(arrivals)), dict[int, Entry | DomainError]()
    while waiting:
        try:
            answers |= _enter_in_one_go(conference_id, waiting)
        except TicketInvalid as error:
            answers |= dict.fromkeys(waiting, error)
        waiting = {place: arrival for place, arrival in waiting.items() if place not in answers}
    return [answers[place] for place in range(len(arrivals))]


def _enter_in_one_go(conference_id: int, waiting: Mapping[int, Arrival]) -> dict[int, Entry | DomainError]:
    """Let in who waits, up to the first after whom the tables must be right: the next one comes a second time and is
    to find what the first one left, or a talker becomes admin.
    """
    callers = {arrival.ticket_id: arrival.entrance.address for arrival in reversed([*waiting.values()])}
    with changing_at_the_door(conference_id, callers) as (change, doors):
        answers, entries, users = dict[int, Entry | DomainError](), list[tuple[Ticket, Entry]](), set[int]()
        for place, arrival in waiting.items():
            door = doors.get(arrival.ticket_id)
            if door is None:
                answers[place] = TicketInvalid()
                continue
            if door.ticket.user_id in users:
                break
            users.add(door.ticket.user_id)
            answers[place] = entry = _entry(change, door, arrival.entrance)
            if isinstance(entry, Entry):
                entries.append((door.ticket, entry))
                if entry.returned and wants_admin(change.conference):
                    break
        change.also += _statements(entries)
        if entries and entries[-1][1].returned:
            hand_over(change)
    return answers


def _statements(entries: Sequence[tuple[Ticket, Entry]]) -> Iterator[Statement]:
    """What these entries change in the tables, with few statements for however many."""
    if new := [entry.member for _, entry in entries if not entry.returned]:
        yield rows.insertion(new)
    if back := [entry.member for _, entry in entries if entry.returned]:
        yield Member.objects.come_back(back)
    if taken := {ticket.pk: entry.member for ticket, entry in entries if ticket.seat_id != entry.member.pk}:
        yield Ticket.objects.use(taken)


def _entry(change: Change, door: AtTheDoor, entrance: Entrance) -> Entry | DomainError:
    """The seat, or why there is none for this one: nothing is changed before all is checked."""
    try:
        require_live(change.conference)
        known_application(change.conference.application_id)
        _check_welcome(door)
        actor = _as_actor(change, door.ticket, entrance)
        if door.seat is None or door.ticket.seat_id != door.seat.pk:
            _check_redeemable(change, door.ticket)
        if door.seat is not None:
            return Entry(_return(change, door.seat, entrance, actor), returned=True)
        _check_unlocked(change.conference, door.ticket)
        check_entry(change.conference, door.ticket.role)
        return Entry(_sit_down(change, door, entrance, actor), returned=False)
    except DomainError as error:
        error.application_id = change.conference.application_id
        return error


def _check_welcome(door: AtTheDoor) -> None:
    if door.ticket.revoked_at is not None:
        raise TicketRevoked()
    if door.kept_out:
        raise Banned()


def _as_actor(change: Change, ticket: Ticket, entrance: Entrance) -> Actor:
    return Actor(
        ActorKind.USER,
        application_id=change.conference.application_id,
        id=str(ticket.user_id),
        name=ticket.user.name,
        address=entrance.address,
        request_id=entrance.request_id,
    )


def _check_redeemable(change: Change, ticket: Ticket) -> None:
    """A ticket that does not hold the seat already: is it still good for one?"""
    if ticket.uses >= ticket.max_uses:
        raise TicketUsed()
    if ticket.expires_at <= change.now:
        raise TicketExpired()


def _check_unlocked(conference: Conference, ticket: Ticket) -> None:
    if conference.locked and ticket.user_id != conference.creator_id:
        raise ConferenceLocked()


def _sit_down(change: Change, door: AtTheDoor, entrance: Entrance, actor: Actor) -> Member:
    conference, ticket = change.conference, door.ticket
    conference.member_serial += 1
    conference.entered_at = conference.entered_at or change.now
    member = Member(
        pk=door.next_seat_id,
        conference=conference,
        user=ticket.user,
        number=conference.member_serial,
        role=ticket.role,
        muted=[] if ticket.role == Role.ADMIN else conference.mute_newcomers,
        entered_at=change.now,
        nick_name=entrance.nick_name,
        ext=entrance.ext,
        device=entrance.device,
        address=entrance.address,
        connection=entrance.connection,
        process=entrance.process,
    )
    take_seat(change, member)
    data = silenced(change, member, {"member": member.number, "role": member.role, "muted": member.muted})
    change.record("member.joined", actor, data=data, personal=personal(member) | {"device": member.device})
    metrics.JOINS.labels("entered").inc()
    return member


def _return(change: Change, seat: Member, entrance: Entrance, actor: Actor) -> Member:
    """Keep the seat and hand it to the new socket. The older one, if it still lives, is told by the hub."""
    seat.state, seat.lost_at = Member.State.PRESENT, None
    seat.connection, seat.process, seat.address = entrance.connection, entrance.process, entrance.address
    data = {"member": seat.number, "connection": entrance.connection}
    change.record("member.returned", actor, data=data)
    metrics.JOINS.labels("returned").inc()
    return seat


def leave(*, actor: Actor, confr_id: str, user_id: int) -> None:
    """End a seat on request: one's own, or anybody's for the application.

    Raises: MemberNotFound, NotAllowed. Records: member.exited, and what follows of it.
    """
    with changing(actor, confr_id) as change:
        require_oneself(actor, user_id, Action.LEAVE)
        require_live(change.conference)
        seat = change.seat_of(user_id)
        if seat is None:
            raise MemberNotFound()
        end_seats(change, [seat], ExitReason.LEFT, actor)


def lose(*, conference_id: int, losses: Sequence[Loss]) -> None:
    """Sockets of one conference went away: their seats wait for their members, unless other sockets hold them by now.

    Many go in several transactions, and may be lost once more should one of these fail. Raises: ConferenceNotFound,
    Busy. Records: member.lost for each seat.
    """
    for start in range(0, len(losses), LOSSES_AT_ONCE):
        _lose(conference_id, losses[start : start + LOSSES_AT_ONCE])


def _lose(conference_id: int, losses: Sequence[Loss]) -> None:
    with changing_id(conference_id) as change:
        numbers = Member.objects.lose([(loss.member_id, loss.connection) for loss in losses], change.now)
        for loss in losses:
            number = numbers.pop((loss.member_id, loss.connection), None)
            if number is not None:
                change.record("member.lost", system(), data={"member": number, "told": loss.told})


def end_seats(change: Change, members: Collection[Member], reason: ExitReason, actor: Actor, *, note: str = "") -> None:
    """End seats with their streams and media, hand over, and close the conference behind the last one.

    The number of statements does not depend on the number of members.

    Records: stream.removed, member.exited for each; role.changed, conference.closed where they follow.
    """
    if not members:
        return
    conference = change.conference
    emptied = Member.objects.end_seats([member.pk for member in members], reason, change.now)
    if emptied.streams:
        end_streams(change, open_streams(change, members), actor, why="exited", reason=note)
    if emptied.revoked:
        drops.begin()
    for member in members:
        leave_seat(change, member)
        data = silenced(change, member, {"member": member.number, "reason": reason})
        change.record("member.exited", actor, data=data, personal={"name": member.user.name}, reason=note)
    if conference.members_count == 0:
        close(change, CloseReason.EMPTY, system())
    else:
        hand_over(change)


def close(change: Change, reason: CloseReason, actor: Actor, *, note: str = "") -> None:
    """End the conference: every seat, stream and media session with it. Records: conference.closed."""
    conference = change.conference
    conference.state, conference.close_reason = Conference.State.CLOSED, reason
    conference.closed_at = change.now
    conference.talkers = conference.audience = conference.admins = conference.videos = conference.desktops = 0
    Member.objects.seated().filter(conference=conference).update(
        state=Member.State.EXITED,
        exited_at=change.now,
        exit_reason=ExitReason.CONFERENCE_CLOSED,
        lost_at=None,
    )
    Stream.objects.open().filter(conference=conference).update(state=Stream.State.ENDED, seat="", ended_at=change.now)
    drops.order(change, Q())
    end_mixes(change)
    if conference.rec:
        end_take(change, StopReason.CONFERENCE_CLOSED)
    change.record("conference.closed", actor, data={"reason": reason}, reason=note)


def seat_actor(member_id: int, address: str | None, request_id: str) -> tuple[Actor, str]:
    """The user in a seat, and its conference's id, for whoever holds a secret of that seat.

    Raises: MemberNotFound once the seat has ended; ApplicationSuspended.
    """
    seat = Member.objects.seated().select_related("user", "conference").filter(pk=member_id).first()
    if seat is None:
        raise MemberNotFound()
    application_id = seat.conference.application_id
    known_application(application_id)
    user_id, name = str(seat.user_id), seat.user.name
    actor = Actor(ActorKind.USER, application_id, user_id, name, address=address, request_id=request_id)
    return actor, seat.conference.confr_id


# Presence sweeps


def renew_lease(process: str) -> bool:
    """A process that holds sockets says that it lives; answers whether it was believed to until now."""
    standing = Lease.objects.filter(process=process).update(renewed_at=timezone.now(), misses=0)
    if not standing:
        Lease.objects.create(process=process, renewed_at=timezone.now())
    return bool(standing)


def take_back(process: str, connections: Collection[str]) -> int:
    """A process that was taken for dead lives: the members on its open sockets never went. Answers how many.

    Records: member.returned.
    """
    lost = Member.objects.filter(process=process, state=Member.State.RECONNECTING, connection__in=connections)
    found = list(lost.values_list("pk", "conference_id", "number", "connection"))
    for member_id, conference_id, number, connection in found:
        with changing_id(conference_id) as change:
            if lost.filter(pk=member_id).update(state=Member.State.PRESENT, lost_at=None):
                change.record("member.returned", system(), data={"member": number, "connection": connection})
    return len(found)


def strays(process: str, connections: Collection[str] = ()) -> list[tuple[int, Loss]]:
    """Seats that count as present on a socket of this process, but on none of these, with their conferences' ids.

    What came between an entry's commit and its answer left them, as when the database went away just then.
    """
    present = Member.objects.filter(process=process, state=Member.State.PRESENT)
    found = present.exclude(connection__in=connections).values_list("conference_id", "pk", "connection")
    return [(conference_id, Loss(member_id, connection)) for conference_id, member_id, connection in found]


def end_lease(process: str) -> None:
    """A process that stops says so: the next sweep finds those of its members who are not back elsewhere."""
    Lease.objects.filter(process=process).update(renewed_at=datetime.fromtimestamp(0, UTC), misses=1)


def sweep_leases(*, grace: timedelta = timedelta(seconds=3 * LEASE_SECONDS)) -> int:
    """Find processes that died: at the second sweep that finds a lease late, its members are lost.

    Two sweeps, since a pause of the whole machine makes every lease late at once. Answers the members lost.
    """
    now = timezone.now()
    late = Lease.objects.filter(renewed_at__lt=now - grace)
    late.update(misses=F("misses") + 1)
    lost = 0
    for lease in late.filter(misses__gte=2):
        left = defaultdict[int, list[Loss]](list)
        for conference_id, loss in strays(lease.process):
            left[conference_id].append(loss)
        for conference_id, losses in left.items():
            lose(conference_id=conference_id, losses=losses)
            lost += len(losses)
        lease.delete()
    return lost


def sweep_lost() -> int:
    """End the seats whose grace time is over; answers how many. Records: member.exited."""
    now, ended = timezone.now(), 0
    grace = ExpressionWrapper(
        F("conference__application__grace_seconds") * timedelta(seconds=1), output_field=DurationField()
    )
    due = Member.objects.filter(state=Member.State.RECONNECTING, lost_at__lte=now - grace)
    for conference_id in set(due.values_list("conference_id", flat=True)):
        with changing_id(conference_id) as change:
            gone = list(due.filter(conference_id=conference_id).select_related("user"))
            end_seats(change, gone, ExitReason.LOST, system())
            ended += len(gone)
    return ended
