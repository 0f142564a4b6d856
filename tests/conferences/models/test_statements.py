"""The hand-written statements of the hot verbs, each against its plain ORM form."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.actors import system
from accounts.log import Fact, chain
from accounts.models import User
from conferences.models import Ban, Conference, Event, MediaSession, Member, Role, Stream, Ticket, rows
from conferences.services import members
from conferences.services.moderation import address_range
from tests import factories
from tests.database import all_rows, statements


def values(row):
    """All columns of a row, comparable."""
    columns = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in columns.items()}


def undone(write):
    """What `write` makes of the database, which is then as before."""
    with transaction.atomic():
        write()
        after = all_rows()
        transaction.set_rollback(True)
    return after


def at_the_door(ticket, address=None):
    """What is read at the door for somebody who comes alone."""
    return Ticket.objects.lock_at_the_door(ticket.conference_id, {ticket.pk: address})[ticket.pk]


# The lock


def test_each_lock_is_a_select_for_update_of_one_conference(room, live_room, foreign):
    issued = room.ticket("bob")
    Conference.objects.filter(pk=room.conference.pk).update(attributes={"a": ["1", None]}, mute_newcomers=["audio"])
    plain = Conference.objects.get(pk=room.conference.pk)
    manager = Conference.objects
    with statements() as found, transaction.atomic():
        locked = [
            manager.lock_id(room.conference.pk),
            manager.lock_confr_id(room.id, None),
            manager.lock_confr_id(room.id, room.conference.application_id),
            at_the_door(issued.ticket).ticket.conference,
            factories.some(Member.objects.lock_with_conference(room.id, None, issued.ticket.user_id))[0],
        ]
    for each in locked:
        assert values(each) == values(plain)
        assert type(each) is Conference
        assert not each._state.adding
    assert all("FOR UPDATE" in each["sql"] for each in found if each["sql"].startswith("SELECT"))
    assert values(factories.some(manager.find(room.id, room.conference.application_id))) == values(plain)
    assert manager.find(room.id, foreign.pk) is None
    assert values(factories.some(manager.find_id(room.conference.pk))) == values(plain)
    assert manager.find_id(0) is None
    with transaction.atomic():
        assert manager.lock_id(0) is None
        assert manager.lock_confr_id(room.id, foreign.pk) is None
        assert manager.lock_confr_id("", None) is None
        assert Ticket.objects.lock_at_the_door(room.conference.pk, {0: None}) == {}
        assert Member.objects.lock_with_conference(room.id, foreign.pk, issued.ticket.user_id) is None


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_the_lock_with_a_seat_reads_the_seat(room, new_room, name):
    new_room().enter("charlie", Role.TALKER)
    leave(room, "alice")
    user = factories.user(room.conference.application, name)
    _, seat = factories.some(Member.objects.lock_with_conference(room.id, user.application_id, user.pk))
    plain = Member.objects.seated_user(room.row, user.pk)
    assert by_number([seat] if seat else []) == by_number([plain] if plain else [])


def meanwhile(act):
    """Start `act`, which waits for a lock that we hold, and give it back once it waits."""
    thread = ThreadPoolExecutor(1)

    def run():
        try:
            return act()
        finally:
            connection.close()

    waiting = thread.submit(run)
    until_somebody_waits()
    return waiting


def until_somebody_waits():
    def waits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return cursor.fetchone()[0]

    factories.until(waits)


def test_what_is_read_with_the_lock_is_as_new_as_the_lock(room):
    dora = room.ticket("dora").ticket
    with transaction.atomic():
        Conference.objects.lock_id(room.conference.pk)
        door = meanwhile(lambda: at_the_door(dora))
        seat = meanwhile(lambda: Member.objects.lock_with_conference(room.id, None, dora.user_id))
        room.enter("dora")
        Ticket.objects.filter(pk=dora.pk).update(uses=7)
    assert door.result().seat == room.member("dora")
    assert door.result().ticket.uses == 7
    conference, found = factories.some(seat.result())
    assert found == room.member("dora")
    assert values(conference) == values(room.row)


# At the door


def plain_at_the_door(ticket_id, address):
    ticket = Ticket.objects.select_related("user", "conference").get(pk=ticket_id)
    seats = Member.objects.seated().filter(conference=ticket.conference, user_id=ticket.user_id)
    bans = Ban.objects.standing(timezone.now()).against(ticket.conference, ticket.user_id, address)
    return values(ticket), ticket.user.name, by_number(seats), bans.exists()


def ban(room, **fields):
    if network := fields.pop("network", None):
        fields["address_first"], fields["address_last"] = address_range(network)
    if name := fields.pop("name", None):
        fields["user"] = factories.user(room.conference.application, name)
    fields.setdefault("conference", room.conference)
    Ban.objects.create(application=room.conference.application, **fields)


NOW = timezone.now()
BANS = [
    {},
    {"name": "bob"},
    {"name": "carol"},
    {"name": "bob", "conference": None},
    {"name": "bob", "lifted_at": NOW},
    {"name": "bob", "expires_at": NOW - timedelta(days=1)},
    {"name": "bob", "expires_at": NOW + timedelta(days=1)},
    {"network": "203.0.113.0/24"},
    {"network": "203.0.113.0/24", "lifted_at": NOW},
    {"network": "203.0.114.0/24"},
    {"network": "2001:db8::/32"},
    {"network": "0.0.0.0/0", "conference": None},
]


@pytest.mark.parametrize("fields", BANS)
@pytest.mark.parametrize("address", [None, "203.0.113.7", "2001:db8::1"])
def test_what_is_asked_at_the_door_is_what_the_orm_reads(room, foreign_robot, fields, address):
    ticket = room.ticket("bob").ticket
    outside = room.ticket("charlie").ticket
    if fields:
        ban(room, **fields)
    for each in (ticket, outside):
        door = at_the_door(each, address)
        seats = by_number([door.seat] if door.seat else [])
        assert (values(door.ticket), door.ticket.user.name, seats, door.kept_out) == plain_at_the_door(each.pk, address)


def test_bans_of_others_keep_nobody_out(room, new_room, foreign_robot):
    ban(new_room(), name="bob")
    theirs = factories.room(foreign_robot)
    ban(theirs, network="0.0.0.0/0", conference=None)
    door = at_the_door(room.ticket("bob").ticket, "203.0.113.7")
    assert not door.kept_out


@pytest.mark.parametrize("fields", BANS)
@pytest.mark.parametrize("address", [None, "", "203.0.113.7", "2001:db8::1"])
@pytest.mark.parametrize("name", ["bob", "o'brien"])
def test_what_is_asked_at_the_counter_is_what_the_orm_reads(room, foreign_robot, fields, address, name):
    factories.room(foreign_robot).ticket(name)
    if fields:
        ban(room, **fields)
    counter = Ticket.objects.at_the_counter(room.row, name, address)
    user = User.objects.get(application=room.conference.application, name=name)
    assert (counter.user, counter.user.application_id, counter.user.name) == (user, user.application_id, name)
    assert counter.kept_out is Ban.objects.standing(timezone.now()).against(room.row, user.pk, address).exists()


def test_the_ids_of_tickets_are_fetched_ahead(room):
    ids = [Ticket.objects.next_id(), Ticket.objects.at_the_counter(room.row, "bob", None).next_ticket_id]
    assert ids == [ids[0], ids[0] + 1]
    assert ids[1] < room.ticket("bob").ticket.pk


def test_at_the_counter_is_one_statement_for_who_is_known(room):
    room.ticket("bob")
    with statements() as found:
        Ticket.objects.at_the_counter(room.conference, "bob", None)
    assert len(found) == 1


def test_at_the_door_is_one_statement_and_nobody_without_a_row(room):
    with statements() as found:
        at_the_door(room.ticket("bob").ticket)
    assert [each["sql"].split()[0] for each in found][-1] == "SELECT"
    assert Ticket.objects.lock_at_the_door(room.conference.pk, {0: None}) == {}


def test_many_at_the_door_are_one_statement_each_with_its_own_address(room, new_room):
    ban(room, network="203.0.113.0/24")
    bob, dora, erin = (room.ticket(name).ticket for name in ("bob", "dora", "erin"))
    elsewhere = new_room().ticket("bob").ticket
    callers = {erin.pk: "203.0.113.7", bob.pk: "203.0.114.7", elsewhere.pk: None, dora.pk: None}
    with statements() as found:
        doors = Ticket.objects.lock_at_the_door(room.conference.pk, callers)
    assert len([each for each in found if each["sql"].startswith("\n            SELECT")]) <= 1
    assert {pk: door.kept_out for pk, door in doors.items()} == {erin.pk: True, bob.pk: False, dora.pk: False}
    assert {pk: door.seat for pk, door in doors.items()} == {erin.pk: None, bob.pk: room.member("bob"), dora.pk: None}
    assert len({door.next_seat_id for door in doors.values()}) == 3
    assert len({id(door.ticket.conference) for door in doors.values()}) == 1


# Seats


def test_sitting_down_is_an_insert(room):
    ticket = room.ticket("dora").ticket
    next_seat_id = at_the_door(ticket).next_seat_id

    def member():
        return Member(
            pk=next_seat_id,
            conference=room.conference,
            user=ticket.user,
            number=9,
            role=Role.TALKER,
            nick_name="D'ora",
            extra={"vendor": {"a": [1]}},
            muted=["audio", "video"],
            address="2001:db8::1",
            entered_at=NOW,
        )

    assert undone(lambda: rows.run([rows.insertion([member()])])) == undone(lambda: member().save(force_insert=True))


def test_using_tickets_is_an_update_of_each(room):
    seats = {room.ticket(name).ticket.pk: room.member(name) for name in ("carol", "alice", "bob")}

    def plain():
        for ticket in Ticket.objects.filter(pk__in=seats):
            ticket.uses, ticket.seat = ticket.uses + 1, seats[ticket.pk]
            ticket.save()

    assert undone(lambda: rows.run([Ticket.objects.use(seats)])) == undone(plain)


def test_coming_back_is_a_save_of_each(room):
    room.lose("carol")
    sockets = {"carol": ("c1", "p1", "2001:db8::1"), "alice": ("c2", "p2", None), "bob": ("c3", "", "192.0.2.1")}

    def back():
        members = [room.member(name) for name in sockets]
        for member in members:
            member.state, member.lost_at = Member.State.PRESENT, None
            member.connection, member.process, member.address = sockets[member.user.name]
        return members

    def plain():
        for member in back():
            member.save()

    assert undone(lambda: rows.run([Member.objects.come_back(back())])) == undone(plain)


def test_losing_a_socket_is_an_update_of_who_is_present_with_it(room):
    alice, bob, carol = (room.member(name) for name in ("alice", "bob", "carol"))
    sockets = [(bob.pk, bob.connection), (carol.pk, "another"), (alice.pk, alice.connection), (bob.pk, "older")]
    numbers = {(bob.pk, bob.connection): bob.number, (alice.pk, alice.connection): alice.number}

    def ours():
        assert Member.objects.lose(sockets, NOW) == numbers
        assert Member.objects.lose(sockets, NOW) == {}

    def plain():
        for pk, socket in sockets:
            present = Member.objects.filter(pk=pk, connection=socket, state=Member.State.PRESENT)
            present.update(state=Member.State.RECONNECTING, lost_at=NOW)

    assert undone(ours) == undone(plain)


def test_ending_seats_is_an_update_of_each_kind(room, media):
    publication = room.publish("bob")
    room.publish("alice")
    room.play("bob", publication.stream)
    room.offer("bob", "second")
    room.lose("bob")
    bob, carol = room.member("bob"), room.member("carol")
    answers = []

    def ours():
        emptied = Member.objects.end_seats([bob.pk, carol.pk], 12, NOW)
        answers.append((set(emptied.streams), emptied.revoked))

    def plain():
        seats = Member.objects.filter(pk__in=[bob.pk, carol.pk])
        open_sessions = MediaSession.objects.filter(member__in=[bob.pk, carol.pk], closed_at=None, revoked_at=None)
        revoked = open_sessions.update(revoked_at=NOW)
        seats.update(state="exited", exited_at=NOW, exit_reason=12, lost_at=None)
        streams = set(Stream.objects.open().filter(member__in=[bob.pk, carol.pk]).values_list("pk", flat=True))
        answers.append((streams, revoked))

    assert undone(ours) == undone(plain)
    assert answers[0] == answers[1]
    assert answers[0][1] == 2


# Facts


@pytest.mark.parametrize("count", [0, 1, 3, 1000, 1001, 2500])
def test_appending_facts_is_a_save_and_a_bulk_create(room, count):
    conference = room.row
    bob = room.member("bob")
    changed = ["talkers", "attributes", "last_seq", "chain_head", "mute_newcomers", "adminless_at"]

    def facts(row):
        made = []
        for number in range(count):
            fact = Fact(
                "member.lost", system(), {"member": number, "text": "\u2028'\"\\"}, {"name": "王"}, None, {"a": 1}
            )
            made.append(
                chain(Event(conference=row), fact, seq=row.last_seq + 1, at=NOW, previous=bytes(row.chain_head))
            )
            row.last_seq, row.chain_head = made[-1].seq, made[-1].hash
        return made

    def prepared():
        row = Conference.objects.get(pk=conference.pk)
        row.talkers, row.attributes, row.mute_newcomers, row.adminless_at = 7, {"a": "b"}, ["video"], NOW
        return row, facts(row)

    def ours():
        row, made = prepared()
        Event.objects.append(row, changed, made, [Member.objects.change_role([bob], Role.ADMIN)])

    def plain():
        row, made = prepared()
        row.save(update_fields=changed)
        Event.objects.bulk_create(made)
        Member.objects.filter(pk=bob.pk).update(role=Role.ADMIN)

    assert without_salts(undone(ours), conference) == without_salts(undone(plain), conference)


def without_salts(rows, conference):
    rows["conferences.Event"].sort(key=lambda row: (row["conference_id"], row["seq"]))
    for row in rows["conferences.Event"]:
        for name in ("id", "salt", "digests", "hash"):
            row.pop(name)
    for row in rows["conferences.Conference"]:
        if row["id"] == conference.pk:
            row.pop("chain_head")
    return rows


# Seats by whose they are


@pytest.mark.parametrize("names", [[], ["bob"], ["alice", "carol", "charlie", "nobody"], ["o'brien"]])
def test_seats_by_name_are_what_the_orm_reads(room, foreign_robot, names):
    factories.room(foreign_robot).enter("bob", Role.TALKER)
    leave(room, "alice")
    room.lose("carol")
    seated = Member.objects.seated().select_related("user", "conference")
    plain = seated.filter(conference=room.row, user__name__in=names)
    assert by_number(Member.objects.seated_named(room.row, names)) == by_number(plain)


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "charlie"])
def test_a_users_seat_is_what_the_orm_reads(room, new_room, name):
    new_room().enter("charlie", Role.TALKER)
    leave(room, "alice")
    user = factories.user(room.conference.application, name)
    seated = Member.objects.seated().select_related("user", "conference")
    found = Member.objects.seated_user(room.row, user.pk)
    assert by_number([found] if found else []) == by_number(seated.filter(conference=room.row, user=user))
    alice = factories.user(room.conference.application, "alice")
    both = [user.pk, alice.pk, alice.pk]
    plain = seated.filter(conference=room.row, user__in=both)
    assert by_number(Member.objects.seated_users(room.row, both)) == by_number(plain)


def test_the_longest_present_is_what_the_orm_reads(room):
    for name in ("dora", "emil"):
        room.enter(name, Role.TALKER)
    room.lose("bob")
    for role in Role:
        present = Member.objects.filter(conference=room.row, state=Member.State.PRESENT, role=role)
        plain = present.select_related("user", "conference").order_by("entered_at", "number").first()
        found = Member.objects.longest_present(room.row, role)
        assert by_number([found] if found else []) == by_number([plain] if plain else [])


def leave(room, name):
    members.leave(actor=room.backend, confr_id=room.id, user_id=room.member(name).user_id)


def by_number(seats):
    found = sorted(seats, key=lambda member: member.number)
    return [(values(member), values(member.conference), member.user.pk, member.user.name) for member in found]


def test_changing_a_role_is_an_update(room):
    both = [room.member("bob"), room.member("carol")]
    plain = Member.objects.filter(pk__in=[member.pk for member in both])
    assert undone(lambda: rows.run([Member.objects.change_role(both, Role.ADMIN)])) == undone(
        lambda: plain.update(role=Role.ADMIN)
    )


# Inserts, tickets, users, bans


def test_inserting_rows_is_a_bulk_create(room):
    application = room.conference.application

    def bans():
        first = Ban(application=application, user=factories.user(application, "bob"), note="'\n", expires_at=NOW)
        return [first, Ban(application=application, address_first="::1", address_last="::2", created_at=NOW)]

    def ours():
        made = bans()
        rows.insert(made)
        assert [(ban.pk, ban._state.adding) for ban in made] == [(ban.pk, False) for ban in Ban.objects.order_by("pk")]

    assert without_births(undone(ours)) == without_births(undone(lambda: Ban.objects.bulk_create(bans())))


def test_inserting_rows_whose_ids_are_known_is_a_bulk_create(room):
    user = factories.user(room.conference.application, "bob")
    ids = [Ticket.objects.next_id(), Ticket.objects.next_id()]

    def tickets():
        plain = {"conference": room.conference, "user": user, "created_at": NOW, "expires_at": NOW}
        return [Ticket(pk=pk, role=role, **plain) for pk, role in zip(ids, (Role.ADMIN, Role.TALKER), strict=True)]

    def ours():
        made = tickets()
        rows.run([rows.insertion(made)])
        assert not any(ticket._state.adding for ticket in made)

    def without_births(tables):
        return tables | {"conferences.Ticket": [row | {"created_at": None} for row in tables["conferences.Ticket"]]}

    assert without_births(undone(ours)) == without_births(undone(lambda: Ticket.objects.bulk_create(tickets())))


def test_values_of_every_type_are_inserted_as_by_a_save(room):
    odd = "\u2028'\"\\\\x00 %s 王"

    def made():
        row = Conference.objects.get(pk=room.conference.pk)
        row.pk, row.confr_id, row.name, row.ext = None, "A" * 24, odd, odd
        row.password_mac, row.chain_head = bytes(range(16)), bytes(range(224, 256))
        row.attributes, row.mute_newcomers = {odd: ["1", None, 0.5, {}]}, ["audio", "video"]
        row.max_seconds, row.entered_at, row.locked = None, NOW, True
        return row

    def new(tables):
        (row,) = [row for row in tables["conferences.Conference"] if row["confr_id"] == "A" * 24]
        return {name: value for name, value in row.items() if name not in {"id", "created_at"}}

    def ours():
        row = made()
        rows.insert([row])
        assert Conference.objects.get(confr_id=row.confr_id) == row

    assert new(undone(ours)) == new(undone(lambda: made().save(force_insert=True)))


def test_inserting_nothing_is_nothing(room):
    with statements() as found:
        rows.insert([])
    assert not found


def without_births(tables):
    for row in tables["conferences.Ban"]:
        del row["id"], row["created_at"]
    return tables


def test_revoking_tickets_is_an_update(room):
    ids = [room.ticket(name).ticket.pk for name in ("bob", "carol")]
    plain = Ticket.objects.filter(pk__in=ids)
    assert undone(lambda: rows.run([Ticket.objects.revoke(ids, NOW)])) == undone(lambda: plain.update(revoked_at=NOW))


@pytest.mark.parametrize("names", [[], ["bob"], ["o'brien", "carol", "alice", "nobody", "bob", "carol"]])
def test_outcasts_are_what_the_orm_reads(room, new_room, foreign_robot, names):
    for elsewhere in (new_room(), factories.room(foreign_robot)):
        elsewhere.enter("bob", Role.TALKER)
    leave(room, "alice")
    room.lose("carol")
    for _ in range(2):
        room.ticket("bob")
    Ticket.objects.filter(pk=room.ticket("bob").ticket.pk).update(revoked_at=NOW)
    outcasts = Ban.objects.outcasts(room.conference, names)
    assert [outcast.user.name for outcast in outcasts] == [*dict.fromkeys(names)]
    for outcast in outcasts:
        user = User.objects.get(application=room.conference.application, name=outcast.user.name)
        assert (outcast.user, outcast.user.application_id) == (user, user.application_id)
        seat = Member.objects.seated_user(room.conference, user.pk)
        assert by_number([outcast.seat] if outcast.seat else []) == by_number([seat] if seat else [])
        good = Ticket.objects.filter(conference=room.conference, user=user, revoked_at=None)
        assert sorted(outcast.ticket_ids) == sorted(good.values_list("pk", flat=True))


def test_outcasts_who_are_known_are_one_statement_with_ids_for_their_bans(room):
    for name in ("alice", "bob"):
        room.ticket(name)
    with statements() as found:
        bob, alice = Ban.objects.outcasts(room.conference, ["bob", "alice"])
    assert len(found) == 1
    assert alice.next_ban_id == bob.next_ban_id + 1
    ban(room, name="bob")
    assert Ban.objects.get().pk > alice.next_ban_id


@pytest.mark.parametrize("fields", BANS)
@pytest.mark.parametrize("address", [None, "", "203.0.113.7", "2001:db8::1"])
@pytest.mark.parametrize("name", ["bob", None])
def test_what_keeps_out_is_what_the_orm_finds(room, fields, address, name):
    if fields:
        ban(room, **fields)
    user_id = factories.user(room.conference.application, name).pk if name else None
    plain = Ban.objects.standing(timezone.now()).against(room.row, user_id, address)
    assert Ban.objects.keeps_out(room.row, user_id, address) is plain.exists()


def test_users_by_name_are_what_the_orm_reads(room, foreign_robot):
    application = room.conference.application
    found = User.objects.named(application.pk, ["bob", "zoe", "o'brien"])
    assert found.keys() == {"bob", "zoe", "o'brien"}
    for name, user in found.items():
        assert values(user) == values(User.objects.get(application=application, name=name))
    with statements() as again:
        User.objects.named(application.pk, found)
    assert len(again) == 1
