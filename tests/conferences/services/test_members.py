"""Entering, losing the socket and coming back, leaving, and what follows when a seat ends."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import (
    AudienceFull,
    Banned,
    ConferenceClosed,
    ConferenceLocked,
    ConferenceNotFound,
    MemberNotFound,
    MembersFull,
    TalkersFull,
)
from conferences.models import CloseReason, Conference, ConferenceType, ExitReason, Kind, Lease, Member, Role
from conferences.services.conferences import update_conference
from conferences.services.members import (
    LOSSES_AT_ONCE,
    Loss,
    enter,
    leave,
    lose,
    renew_lease,
    sweep_leases,
    sweep_lost,
    take_back,
)
from conferences.services.moderation import Hold, ban_addresses, mute_all
from conferences.services.roles import grant_role
from tests import factories
from tests.database import statements
from tests.factories import entrance


def leaves(room, name):
    leave(actor=room.actor(name), confr_id=room.id, user_id=room.member(name).user_id)


def fill(room, count, role=None):
    for number in range(count):
        room.enter(f"user-{role}-{number}", role)


# Entering


def test_entering_takes_a_seat_and_tells_everybody(new_room, published):
    room = new_room()
    published.facts()
    issued = room.ticket("bob", Role.TALKER)
    entry = enter(
        ticket_text=issued.text, entrance=entrance(nick_name="Bobby", ext="e", device="phone", address="192.0.2.5")
    )
    assert (entry.returned, entry.member.number, entry.member.mem_id) == (False, 1, f"{room.id}M1")
    (joined,) = [fact for fact in published.facts() if fact["type"] == "member.joined"]
    assert joined["data"] == {"member": 1, "role": 3, "muted": []}
    assert joined["personal"] == {"name": "bob", "nick_name": "Bobby", "ext": "e", "device": "phone"}
    event = room.events("member.joined")[0]
    assert (event.actor_kind, event.actor_id) == ("user", str(entry.member.user_id))
    assert event.personal["address"] == "192.0.2.5"


def test_the_creator_is_admin_and_the_others_have_their_role(room):
    assert [(member.user.name, member.role) for member in Member.objects.order_by("number")] == [
        ("alice", Role.ADMIN),
        ("bob", Role.TALKER),
        ("carol", Role.AUDIENCE),
    ]
    row = room.row
    assert (row.talkers, row.audience, row.admins) == (2, 1, 1)


def test_in_live_audience_comes_and_goes_in_silence(live_room):
    leaves(live_room, "carol")
    joined = {event.personal["name"]: event.data.get("silent") for event in live_room.events("member.joined")}
    assert joined == {"alice": None, "bob": None, "carol": True}
    assert live_room.events("member.exited")[0].data["silent"]


@pytest.mark.parametrize("kind", [ConferenceType.COMMUNICATION, ConferenceType.COMMUNICATION_MIX])
def test_elsewhere_audience_is_announced(new_room, kind):
    room = new_room(kind)
    room.enter("alice")
    room.enter("carol", Role.AUDIENCE)
    leaves(room, "carol")
    assert not any("silent" in event.data for event in room.events())


def test_newcomers_enter_muted_but_for_admins(room):
    mute_all(actor=room.backend, confr_id=room.id, kinds=[Kind.VIDEO, Kind.AUDIO], muted=True)
    assert room.enter("dora").muted == ["audio", "video"]
    assert room.enter("erin", Role.ADMIN).muted == []
    assert room.events("member.joined")[-2].data["muted"] == ["audio", "video"]


# Capacity, exactly


@pytest.mark.parametrize(
    ("kind", "role", "limits", "maximum", "error", "limit"),
    [
        (10, Role.TALKER, {"talkers": 3}, 3, MembersFull, "members"),
        (10, Role.AUDIENCE, {"talkers": 3}, 3, MembersFull, "members"),
        (10, Role.ADMIN, {"talkers": 3}, 3, MembersFull, "members"),
        (10, Role.AUDIENCE, {"talkers": 3, "audience": 1}, 1, AudienceFull, "audience"),
        (11, Role.TALKER, {"talkers": 3, "audience": 5}, 3, TalkersFull, "talkers"),
        (11, Role.AUDIENCE, {"talkers": 3, "audience": 2}, 2, AudienceFull, "audience"),
        (12, Role.TALKER, {"talkers": 3}, 3, TalkersFull, "talkers"),
        (12, Role.AUDIENCE, {"audience": 4}, 4, AudienceFull, "audience"),
        (12, Role.AUDIENCE, {"audience": 0}, 0, AudienceFull, "audience"),
        (12, Role.ADMIN, {"talkers": 1}, 1, TalkersFull, "talkers"),
    ],
)
def test_capacity_is_exact_and_the_refusal_names_the_limit(
    new_room, refused, kind, role, limits, maximum, error, limit
):
    room = new_room(kind, creator=None, limits=limits)
    fill(room, maximum, role)
    late = room.ticket("late", role)
    with refused(error, limit=limit, maximum=maximum):
        enter(ticket_text=late.text, entrance=entrance())
    row = room.row
    assert row.talkers + row.audience == maximum == Member.objects.seated().count()


def test_ten_is_a_circle_of_nine_by_default(new_room, refused):
    room = new_room(10, creator=None)
    fill(room, 5, Role.TALKER)
    fill(room, 4, Role.AUDIENCE)
    for role in (Role.TALKER, Role.AUDIENCE):
        late = room.ticket("late", role)
        with refused(MembersFull, limit="members", maximum=9):
            enter(ticket_text=late.text, entrance=entrance())


def test_a_seat_that_ends_is_free_again(new_room):
    room = new_room(12, creator=None, limits={"talkers": 2})
    fill(room, 2, Role.TALKER)
    leaves(room, "user-3-0")
    room.enter("late", Role.TALKER)
    assert room.row.talkers == 2


def test_a_seat_in_grace_is_kept(new_room, refused):
    room = new_room(12, creator=None, limits={"talkers": 2})
    fill(room, 2, Role.TALKER)
    room.lose("user-3-0")
    late = room.ticket("late", Role.TALKER)
    with refused(TalkersFull):
        enter(ticket_text=late.text, entrance=entrance())


def test_a_full_conference_takes_back_who_reconnects(new_room):
    room = new_room(10, creator=None, limits={"talkers": 2})
    issued = room.ticket("bob")
    enter(ticket_text=issued.text, entrance=entrance())
    room.enter("carol")
    room.lose("bob")
    assert enter(ticket_text=issued.text, entrance=entrance()).returned


# Doors


def test_a_locked_conference_lets_in_who_has_a_seat_and_the_creator(room, refused):
    alice, bob, charlie = room.ticket("alice"), room.ticket("bob"), room.ticket("charlie")
    leaves(room, "alice")
    update_conference(actor=room.backend, confr_id=room.id, changes={"locked": True})
    room.lose("bob")
    assert enter(ticket_text=bob.text, entrance=entrance()).returned
    assert not enter(ticket_text=alice.text, entrance=entrance()).returned
    with refused(ConferenceLocked):
        enter(ticket_text=charlie.text, entrance=entrance())
    update_conference(actor=room.backend, confr_id=room.id, changes={"locked": False})
    enter(ticket_text=charlie.text, entrance=entrance())


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255"], ["203.0.112.255", "203.0.114.0", "2001:db8::1", None]),
        ("203.0.113.7", ["203.0.113.7"], ["203.0.113.6", "203.0.113.8"]),
        ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db7:ffff::1", "2001:db9::", "203.0.113.1"]),
        ("2001:DB8::7", ["2001:db8::7", "2001:db8:0:0::7"], ["2001:db8::8"]),
        ("0.0.0.0/0", ["1.2.3.4", "255.255.255.255"], ["::1"]),
    ],
)
def test_a_banned_address_does_not_enter(room, refused, network, inside, outside):
    ban_addresses(actor=room.backend, confr_id=room.id, network=network, hold=Hold())
    issued = room.ticket("dora")
    for address in inside:
        with refused(Banned):
            enter(ticket_text=issued.text, entrance=entrance(address=address))
    for address in outside:
        enter(ticket_text=issued.text, entrance=entrance(address=address))


# A socket that goes away


def test_a_lost_socket_keeps_the_seat_and_is_told_to_the_staff_only(room, published):
    published.facts()
    room.lose("bob")
    assert (room.member("bob").state, room.row.talkers) == ("reconnecting", 2)
    assert published.types() == ["member.lost"]


def test_coming_back_within_grace_keeps_the_seat(room, clock):
    ticket = room.ticket("bob")
    number = room.member("bob").number
    room.lose("bob")
    clock.shift(29)
    assert sweep_lost() == 0
    entry = enter(ticket_text=ticket.text, entrance=entrance(connection="second"))
    assert (entry.returned, entry.member.number) == (True, number)
    clock.shift(60)
    assert sweep_lost() == 0
    seat = room.member("bob")
    assert (seat.state, seat.connection, seat.lost_at) == ("present", "second", None)
    assert "member.exited" not in room.types()


def test_after_the_grace_time_the_seat_ends_with_its_reason(room, clock):
    room.lose("bob")
    clock.shift(31)
    assert sweep_lost() == 1
    assert sweep_lost() == 0
    (exited,) = room.events("member.exited")
    assert exited.data == {"member": 2, "reason": ExitReason.LOST}
    assert (room.member("bob").exit_reason, room.row.talkers) == (ExitReason.LOST, 1)


def test_the_grace_time_is_the_applications(application, room, clock):
    factories.change_application(application, grace_seconds=5)
    room.lose("bob")
    clock.shift(6)
    assert sweep_lost() == 1


def test_a_late_goodbye_of_an_old_socket_hurts_nobody(room, published):
    first = room.member("bob").connection
    enter(ticket_text=room.ticket("bob").text, entrance=entrance(connection="second"))
    published.facts()
    before = room.row.last_seq
    lose(conference_id=room.conference.pk, losses=[Loss(room.member("bob").pk, first)])
    assert (room.member("bob").state, room.row.last_seq) == ("present", before)
    assert published.facts() == []


def test_many_sockets_that_go_at_once_are_lost_in_their_order(new_room):
    room = new_room(11, limits={"talkers": 100})
    members = [room.enter(f"user-{number}") for number in range(LOSSES_AT_ONCE + 2)]
    losses = [Loss(member.pk, member.connection, told) for told, member in enumerate(members, 1)]
    stranger = Loss(members[0].pk, "another")
    with statements() as found:
        lose(conference_id=room.conference.pk, losses=[stranger, *reversed(losses)])
    lost = [(event.data["member"], event.data["told"]) for event in room.events("member.lost")]
    assert lost == [(member.number, told) for told, member in reversed([*enumerate(members, 1)])]
    assert {room.member(member.user.name).state for member in members} == {"reconnecting"}
    assert sum(each["sql"].startswith("COMMIT") for each in found) == 2


def test_losing_twice_is_losing_once(room):
    room.lose("bob")
    room.lose("bob")
    assert room.types().count("member.lost") == 1


def test_losing_a_seat_that_ended_changes_nothing(room):
    connection, member = room.member("bob").connection, room.member("bob").pk
    leaves(room, "bob")
    before = room.row.last_seq
    lose(conference_id=room.conference.pk, losses=[Loss(member, connection)])
    assert room.row.last_seq == before


def test_a_second_device_takes_the_seat_over(room):
    enter(ticket_text=room.ticket("bob").text, entrance=entrance(connection="phone", address="192.0.2.8"))
    seat = room.member("bob")
    assert (seat.connection, seat.address, Member.objects.filter(user=seat.user).count()) == ("phone", "192.0.2.8", 1)
    (returned,) = room.events("member.returned")
    assert returned.data == {"member": 2, "connection": "phone"}
    assert room.row.talkers == 2


def test_the_sweep_of_many_conferences_ends_each_seat_once(new_room, clock):
    rooms = [new_room() for _ in range(3)]
    for room in rooms:
        for name in ("alice", "bob", "carol"):
            room.enter(name)
        room.lose("bob")
        room.lose("carol")
    clock.shift(31)
    assert sweep_lost() == 6
    assert [room.row.members_count for room in rooms] == [1, 1, 1]


# A process that dies


def test_a_process_that_dies_loses_its_members_at_the_second_sweep(room, clock):
    renew_lease("test")
    clock.shift(16)
    assert sweep_leases() == 0
    assert room.member("bob").state == "present"
    assert sweep_leases() == 3
    assert set(Member.objects.values_list("state", flat=True)) == {"reconnecting"}
    assert sweep_leases() == 0


def test_a_process_that_renews_between_two_sweeps_is_alive(room, clock):
    for _ in range(3):
        renew_lease("test")
        clock.shift(16)
        assert sweep_leases() == 0
    assert Lease.objects.get().misses == 1


def test_a_lease_in_time_is_left_alone(room, clock):
    renew_lease("test")
    clock.shift(5)
    assert [sweep_leases(), sweep_leases()] == [0, 0]


def test_members_of_other_processes_stay(room, clock):
    enter(ticket_text=room.ticket("bob").text, entrance=entrance(process="other"))
    renew_lease("test")
    clock.shift(16)
    renew_lease("other")
    sweep_leases()
    assert sweep_leases() == 2
    assert room.member("bob").state == "present"


def test_a_dead_servers_members_who_come_back_lose_nothing(room, clock):
    ticket = room.ticket("bob")
    renew_lease("test")
    clock.shift(16)
    sweep_leases()
    sweep_leases()
    enter(ticket_text=ticket.text, entrance=entrance(process="other"))
    clock.shift(31)
    assert sweep_lost() == 2
    assert room.member("bob").state == "present"


def test_a_process_that_was_taken_for_dead_has_its_members_back(room, clock):
    assert renew_lease("test") is False
    assert renew_lease("test") is True
    connections = {name: room.member(name).connection for name in ("alice", "bob", "carol")}
    clock.shift(16)
    sweep_leases()
    assert sweep_leases() == 3

    assert renew_lease("test") is False
    assert take_back("test", [connections["alice"], connections["bob"]]) == 2

    assert [room.member(name).state for name in connections] == ["present", "present", "reconnecting"]
    assert room.member("bob").lost_at is None
    clock.shift(31)
    assert sweep_lost() == 1
    assert room.row.members_count == 2


# Leaving


def test_leaving_ends_the_seat_its_streams_and_its_media(room, media):
    publication = room.publish("bob")
    room.play("carol", publication.stream)
    leaves(room, "bob")
    assert room.types()[-2:] == ["stream.removed", "member.exited"]
    row = room.row
    assert (row.talkers, row.videos) == (1, 0)
    assert room.member("bob").exit_reason == ExitReason.LEFT


def test_who_leaves_comes_again_as_a_new_member(room):
    leaves(room, "bob")
    assert room.enter("bob").number == 4


def test_nobody_leaves_for_another(room, refused):
    bob = room.member("bob")
    for name in ("alice", "carol", "charlie"):
        with refused(NotAllowed):
            leave(actor=room.actor(name), confr_id=room.id, user_id=bob.user_id)
    leave(actor=room.backend, confr_id=room.id, user_id=bob.user_id)


def test_who_is_not_inside_cannot_leave(room, charlie, mallory, application, refused):
    with refused(MemberNotFound):
        leave(actor=charlie, confr_id=room.id, user_id=charlie.user_id)
    with refused(ConferenceNotFound):
        leave(actor=mallory, confr_id=room.id, user_id=mallory.user_id)
    with refused(ScopeMissing, scope="moderate"):
        bob = room.member("bob")
        leave(actor=factories.backend(application, frozenset({"read"})), confr_id=room.id, user_id=bob.user_id)


# What follows


def test_the_last_member_to_leave_ends_the_conference_at_once(room, refused):
    for name in ("carol", "bob", "alice"):
        leaves(room, name)
    row = room.row
    assert (row.state, row.close_reason) == ("closed", CloseReason.EMPTY)
    assert room.types()[-2:] == ["member.exited", "conference.closed"]
    with refused(ConferenceClosed):
        room.ticket("bob")


def test_the_last_member_lost_ends_it_too(new_room, clock):
    room = new_room()
    room.enter("alice")
    room.lose("alice")
    assert room.row.state == "live"
    clock.shift(31)
    sweep_lost()
    assert room.row.close_reason == CloseReason.EMPTY


def test_when_the_last_admin_leaves_the_longest_connected_talker_is_admin(room):
    room.enter("dora", Role.TALKER)
    leaves(room, "alice")
    assert (room.member("bob").role, room.member("dora").role) == (Role.ADMIN, Role.TALKER)
    exited, changed = room.events()[-2:]
    assert (exited.type, changed.type) == ("member.exited", "role.changed")
    assert (changed.actor_kind, changed.data["member"], changed.before, changed.after) == (
        "system",
        2,
        {"role": 3},
        {"role": 7},
    )
    row = room.row
    assert (row.admins, row.talkers, row.audience, row.adminless_at) == (1, 2, 1, None)


def test_in_grace_nothing_is_handed_over(room, clock):
    room.lose("alice")
    clock.shift(29)
    sweep_lost()
    assert (room.member("alice").role, room.member("bob").role) == (Role.ADMIN, Role.TALKER)
    clock.shift(2)
    sweep_lost()
    assert room.member("bob").role == Role.ADMIN


def test_another_admin_is_enough(room):
    grant_role(actor=room.backend, confr_id=room.id, names=["bob"], role=Role.ADMIN)
    room.enter("dora", Role.TALKER)
    leaves(room, "alice")
    assert room.member("dora").role == Role.TALKER


def test_who_is_reconnecting_inherits_nothing(room):
    room.enter("dora", Role.TALKER)
    room.lose("bob")
    leaves(room, "alice")
    assert (room.member("bob").role, room.member("dora").role) == (Role.TALKER, Role.ADMIN)


def test_audience_inherits_nothing_and_a_talker_who_comes_back_does(room):
    ticket = room.ticket("bob")
    room.lose("bob")
    leaves(room, "alice")
    assert room.row.admins == 0
    enter(ticket_text=ticket.text, entrance=entrance())
    assert room.member("bob").role == Role.ADMIN


def test_a_returning_creator_is_admin_again_beside_the_heir(room):
    leaves(room, "alice")
    room.enter("alice")
    assert (room.member("alice").role, room.member("bob").role, room.row.admins) == (Role.ADMIN, Role.ADMIN, 2)


def test_a_lowered_limit_stops_no_hand_over(room):
    room.enter("dora", Role.TALKER)
    update_conference(actor=room.backend, confr_id=room.id, changes={"max_talkers": 0})
    leaves(room, "alice")
    assert room.member("bob").role == Role.ADMIN


def test_several_who_are_lost_at_once_hand_over_to_who_stays(room, clock):
    room.enter("dora", Role.TALKER)
    room.lose("alice")
    room.lose("bob")
    clock.shift(31)
    assert sweep_lost() == 2
    assert room.member("dora").role == Role.ADMIN
    assert Conference.objects.get().state == "live"
