"""Entering together: each as it would have alone, one after the other, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.errors import DomainError
from conferences import metrics
from conferences.models import Ban, Conference, Member, Role, Ticket
from conferences.services import members
from conferences.services.audit import verify_conference
from conferences.services.members import Arrival, Entry
from tests import factories
from tests.database import all_rows, statements
from tests.factories import Room, entrance

ROLES = {
    "alice": Role.ADMIN,
    "bob": Role.TALKER,
    "carol": Role.TALKER,
    "dora": Role.TALKER,
    "erin": Role.AUDIENCE,
    "finn": Role.AUDIENCE,
}
CHANGES: dict[str, dict[str, Any]] = {
    "revoked": {"revoked_at": timezone.now()},
    "used": {"uses": 1},
    "expired": {"expires_at": timezone.now()},
}
# What may be wrong with an arrival, beside the state of the room.
TROUBLES = ["", "", "revoked", "used", "expired", "unknown", "foreign"]

Coming = tuple[str, str, bool]  # who, with what trouble, and whether with a ticket that somebody before had as well


class Evening:
    """A room with two seats for talkers and two for audience, where carol is banned, and tickets for it."""

    def __init__(self, room: Room, elsewhere: Room) -> None:
        self.room, self.elsewhere = room, elsewhere
        self.tickets: dict[str, int] = {}

    def arrivals(self, coming: Sequence[Coming]) -> list[Arrival]:
        arrivals = [
            Arrival(self._ticket(*who), entrance(connection=f"{place}", address="192.0.2.1"))
            for place, who in enumerate(coming)
        ]
        conference = self.room.conference
        Conference.objects.filter(pk=conference.pk).update(max_talkers=2, max_audience=2)
        carol = factories.user(conference.application, "carol")
        Ban.objects.create(application=conference.application, conference=conference, user=carol)
        return arrivals

    def _ticket(self, name: str, trouble: str, again: bool) -> int:
        if not again or name not in self.tickets:
            where = self.elsewhere if trouble == "foreign" else self.room
            ticket = where.ticket(name, ROLES[name]).ticket
            Ticket.objects.filter(pk=ticket.pk).update(**CHANGES.get(trouble, {}))
            self.tickets[name] = ticket.pk + (10**9 if trouble == "unknown" else 0)
        return self.tickets[name]

    def outcome(self, answers: Sequence[Entry | DomainError]) -> list[object]:
        """What each was told, and what the room is then, without what differs between any two rooms."""
        told = [
            (answer.member.number, answer.member.role, answer.returned) if isinstance(answer, Entry) else answer.code
            for answer in answers
        ]
        seats = Member.objects.filter(conference=self.room.conference).order_by("number")
        row = self.room.row
        return [
            told,
            list(seats.values_list("number", "user__name", "role", "state", "connection")),
            [(fact.seq, fact.type, fact.data.get("member")) for fact in self.room.events()],
            (row.talkers, row.audience, row.admins, row.member_serial, row.last_seq, row.adminless_at is None),
            list(Ticket.objects.filter(conference=row).order_by("pk").values_list("uses", "seat__number")),
        ]


def alone(conference_id: int, arrivals: Sequence[Arrival]) -> list[Entry | DomainError]:
    return [answer for arrival in arrivals for answer in members.enter_together(conference_id, [arrival])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([*ROLES]), st.sampled_from(TROUBLES), st.booleans()), max_size=9))
def test_each_enters_as_it_would_have_alone(new_room, coming: list[Coming]) -> None:
    elsewhere, outcomes = new_room(), []
    for enter in (members.enter_together, alone):
        evening = Evening(new_room(), elsewhere)
        outcomes.append(evening.outcome(enter(evening.room.conference.pk, evening.arrivals(coming))))
        assert list(verify_conference(evening.room.row)) == []
    assert outcomes[0] == outcomes[1]


def test_the_last_seats_go_to_who_came_first(new_room) -> None:
    room = new_room()
    Conference.objects.filter(pk=room.conference.pk).update(max_talkers=3)
    arrivals = [Arrival(room.ticket(f"m{n}", Role.TALKER).ticket.pk, entrance()) for n in range(6)]
    answers = members.enter_together(room.conference.pk, arrivals)
    assert [isinstance(answer, Entry) for answer in answers] == [True] * 3 + [False] * 3
    assert {answer.code for answer in answers if isinstance(answer, DomainError)} == {"members_full"}
    assert room.row.talkers == 3


def test_the_number_of_statements_does_not_depend_on_how_many_come(new_room) -> None:
    counts = []
    for size in (2, 20):
        room = new_room()
        arrivals = [Arrival(room.ticket(f"m{n}", Role.TALKER).ticket.pk, entrance()) for n in range(size)]
        with statements() as found:
            members.enter_together(room.conference.pk, arrivals)
        counts.append(len(found))
    assert counts[0] == counts[1]


def test_the_number_of_statements_does_not_depend_on_how_many_come_back(new_room) -> None:
    counts = []
    for size in (2, 20):
        room = new_room(11)
        room.enter("alice")
        arrivals = [come_again(room, f"m{n}") for n in range(size)]
        with statements() as found:
            members.enter_together(room.conference.pk, arrivals)
        counts.append(len(found))
        assert set(Member.objects.filter(conference=room.conference).values_list("state", flat=True)) == {"present"}
    assert counts == [4, 4]


def come_again(room: Room, name: str, *, with_another_ticket: bool = False) -> Arrival:
    """Somebody who talked, went away, and stands at the door."""
    first = room.ticket(name, Role.TALKER)
    members.enter(ticket_text=first.text, entrance=entrance(connection=name))
    room.lose(name)
    issued = room.ticket(name, Role.TALKER) if with_another_ticket else first
    return Arrival(issued.ticket.pk, entrance(connection=f"{name}2", process="p2", address="192.0.2.2"))


def test_who_comes_back_holds_the_seat_with_the_new_socket_and_uses_another_ticket_once(new_room) -> None:
    room = new_room()
    room.enter("alice")
    bob, carol = come_again(room, "bob"), come_again(room, "carol", with_another_ticket=True)
    answers = members.enter_together(room.conference.pk, [carol, bob])
    seats = [answer.member for answer in answers if isinstance(answer, Entry)]
    assert seats == [room.member("carol"), room.member("bob")]
    for seat in seats:
        seat.refresh_from_db()
        assert (seat.state, seat.lost_at, seat.process, seat.address) == ("present", None, "p2", "192.0.2.2")
        assert seat.connection == f"{seat.user.name}2"
    used = Ticket.objects.filter(pk__in=[bob.ticket_id, carol.ticket_id])
    assert list(used.values_list("uses", flat=True)) == [1, 1]
    members.enter_together(room.conference.pk, [carol, bob])
    assert list(used.values_list("uses", flat=True)) == [1, 1]


@pytest.mark.parametrize("together", [True, False])
def test_the_first_talker_who_comes_back_to_a_room_without_admin_becomes_it(new_room, together: bool) -> None:
    """Also where the talker is new, comes back as well, or comes twice: as if each had come alone."""
    room = new_room()
    erin = Arrival(room.ticket("erin", Role.AUDIENCE).ticket.pk, entrance(connection="erin"))
    members.enter_together(room.conference.pk, [erin])
    room.lose("erin")
    dora = Arrival(room.ticket("dora", Role.TALKER).ticket.pk, entrance(connection="dora"))
    again = Arrival(dora.ticket_id, entrance(connection="dora2"))
    bob = come_again(room, "bob")
    enter = members.enter_together if together else alone
    answers = enter(room.conference.pk, [dora, erin, bob, again])
    assert [answer.returned for answer in answers if isinstance(answer, Entry)] == [False, True, True, True]
    told = [(fact.type, fact.personal.get("name")) for fact in room.events()][-5:]
    assert told == [
        ("member.joined", "dora"),
        ("member.returned", None),
        ("role.changed", "dora"),
        ("member.returned", None),
        ("member.returned", None),
    ]
    seat = room.member("dora")
    assert (seat.role, seat.state, seat.connection) == (Role.ADMIN, "present", "dora2")
    assert room.row.admins == 1
    assert list(verify_conference(room.row)) == []


def test_who_comes_back_first_becomes_admin_of_those_who_were_all_away(new_room) -> None:
    room = new_room()
    arrivals = [come_again(room, name) for name in ("bob", "carol", "dora")]
    members.enter_together(room.conference.pk, list(reversed(arrivals)))
    assert [room.member(name).role for name in ("bob", "carol", "dora")] == [Role.TALKER, Role.TALKER, Role.ADMIN]
    assert {room.member(name).state for name in ("bob", "carol", "dora")} == {"present"}


def test_a_fault_leaves_nothing_of_anybody(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = [Arrival(room.ticket(name).ticket.pk, entrance()) for name in ("dora", "erin")]
    before, sat = all_rows(), []

    def breaks(*_: object) -> None:
        sat.append(1)
        if len(sat) == 2:
            raise ZeroDivisionError

    monkeypatch.setattr(metrics.JOINS.labels("entered"), "inc", breaks)
    with pytest.raises(ZeroDivisionError):
        members.enter_together(room.conference.pk, arrivals)
    assert all_rows() == before


def test_tickets_that_are_all_gone_are_each_refused(room: Room) -> None:
    before = all_rows()
    answers = members.enter_together(room.conference.pk, [Arrival(10**9 + n, entrance()) for n in range(3)])
    assert [answer.code for answer in answers if isinstance(answer, DomainError)] == ["ticket_invalid"] * 3
    assert all_rows() == before
