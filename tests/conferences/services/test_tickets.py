"""Tickets and role tokens: issued, read, revoked, expired."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from django.conf import settings

from accounts.actors import system
from accounts.authentication import forget
from accounts.errors import ApplicationSuspended, NotAllowed, ScopeMissing, UserNameInvalid
from accounts.keys import b64, new_key
from accounts.services import suspend_application
from conferences.errors import (
    Banned,
    ConferenceClosed,
    ConferenceLocked,
    ConferenceNotFound,
    MembersFull,
    PasswordWrong,
    RoleTokenInvalid,
    TicketExpired,
    TicketInvalid,
    TicketNotFound,
    TicketRevoked,
    TicketUsed,
)
from conferences.models import Conference, Role, Ticket
from conferences.services.conferences import destroy_conference, update_conference
from conferences.services.members import enter, leave, sweep_lost
from conferences.services.moderation import Hold, ban_addresses, ban_members, kick_members, unban_members
from conferences.services.roles import grant_role
from conferences.services.tickets import (
    Right,
    expire_tickets,
    issue_ticket,
    read_ticket,
    revoke_tickets,
    role_token,
    role_token_actor,
    ticket_text,
)
from tests import factories
from tests.factories import entrance


def redeem(issued):
    return enter(ticket_text=issued.text, entrance=entrance())


def issue(actor, room, name, **options):
    return issue_ticket(actor=actor, confr_id=room.id, name=name, **options)


# Who may have one


def test_an_application_gives_the_default_role_without_a_wish(new_room, alice, bob):
    room = new_room(12)
    assert room.ticket("bob").ticket.role == Role.AUDIENCE
    assert room.ticket("alice").ticket.role == Role.ADMIN
    assert room.ticket("bob", Role.TALKER).ticket.role == Role.TALKER


def test_a_user_gets_its_wish_up_to_the_default_role(new_room, bob):
    room = new_room(12)
    roles = {wish: issue(bob, room, "bob", role=wish).ticket.role for wish in (None, *Role)}
    assert set(roles.values()) == {Role.AUDIENCE}
    circle = new_room(10)
    roles = {wish: issue(bob, circle, "bob", role=wish).ticket.role for wish in (None, *Role)}
    assert roles == {None: 3, Role.AUDIENCE: 1, Role.TALKER: 3, Role.ADMIN: 3}


def test_a_user_cannot_stretch_its_own_ticket(room, charlie, application):
    ticket = issue(charlie, room, "charlie", ttl_seconds=7 * 86400, max_uses=50).ticket
    assert ticket.max_uses == 1
    assert (ticket.expires_at - ticket.created_at).total_seconds() < application.ticket_seconds + 5


def test_the_creator_gets_admin_again(room):
    assert issue(room.actor("alice"), room, "alice").ticket.role == Role.ADMIN
    assert issue(room.actor("alice"), room, "alice", role=Role.AUDIENCE).ticket.role == Role.AUDIENCE


def test_a_user_asks_for_itself_only(room, refused):
    with refused(NotAllowed):
        issue(room.actor("bob"), room, "charlie")
    with refused(NotAllowed):
        issue(room.actor("bob"), room, "alice", role=Role.ADMIN)
    with refused(NotAllowed):
        issue(room.actor("charlie"), room, "alice")


def test_an_admin_invites_others_also_above_the_ceiling(live_room):
    grant_role(actor=live_room.backend, confr_id=live_room.id, names=["bob"], role=Role.ADMIN)
    for admin in ("alice", "bob"):
        issued = issue(live_room.actor(admin), live_room, "charlie", role=Role.TALKER)
        assert issued.ticket.role == Role.TALKER
        assert issue(live_room.actor(admin), live_room, "charlie").ticket.role == Role.AUDIENCE


def test_a_creator_who_was_demoted_invites_nobody(room, refused):
    grant_role(actor=room.backend, confr_id=room.id, names=["bob"], role=Role.ADMIN)
    grant_role(actor=room.actor("bob"), confr_id=room.id, names=["alice"], role=Role.AUDIENCE)
    with refused(NotAllowed):
        issue(room.actor("alice"), room, "charlie", role=Role.ADMIN)


def test_a_user_of_another_tenant_gets_none(room, mallory, foreign_robot, refused):
    for actor in (mallory, foreign_robot):
        with refused(ConferenceNotFound):
            issue(actor, room, "mallory")


def test_an_application_without_the_scope_gives_none(application, room, refused):
    with refused(ScopeMissing, scope="conferences"):
        issue(factories.backend(application, frozenset({"read", "moderate"})), room, "bob")


def test_every_form_of_a_name_is_one_user(room, bob):
    forms = ["bob", "acme#live_bob", "acme#live_bob@easemob.com"]
    assert {room.ticket(form).ticket.user_id for form in forms} == {bob.user_id}


@pytest.mark.parametrize("name", ["", "#", "other#live_bob", "a\x00b", " bob", "x" * 65])
def test_an_odd_name_is_refused_and_no_user_is_made(room, refused, name):
    with refused(UserNameInvalid):
        room.ticket(name)


@pytest.mark.parametrize(
    "name", ["王小明", "a b", "O'Brien", '"; DROP TABLE', "%s", "<b>", "日本語😀", "a@b", "x" * 64]
)
def test_a_name_may_hold_every_odd_character(room, name):
    assert redeem(room.ticket(name)).member.user.name == name


def test_a_user_who_is_new_is_not_made_where_the_ticket_is_refused(room, refused):
    Conference.objects.filter(pk=room.conference.pk).update(max_talkers=0)
    with refused(MembersFull):
        issue_ticket(actor=room.backend, confr_id=room.id, name="newcomer", role=Role.TALKER, while_free=True)


def test_the_password_is_asked_of_users_and_not_of_the_application_or_the_creator(new_room, alice, bob, refused):
    room = new_room(password="sesame")
    for wrong in (None, "", "Sesame", "sesame "):
        with refused(PasswordWrong):
            issue(bob, room, "bob", password=wrong)
    issue(bob, room, "bob", password="sesame")
    issue(alice, room, "alice")
    room.ticket("bob")


def test_a_locked_conference_gives_none_to_users_from_outside(room, charlie, refused):
    update_conference(actor=room.actor("alice"), confr_id=room.id, changes={"locked": True})
    with refused(ConferenceLocked):
        issue(charlie, room, "charlie")
    issue(room.actor("bob"), room, "bob")
    issue(room.actor("alice"), room, "alice")


# What a ticket looks like


def right(issued):
    return Right(issued.ticket.pk, issued.ticket.conference_id)


def test_a_ticket_is_short_and_signed(room):
    issued = room.ticket("bob")
    assert len(issued.text) <= 40
    assert issued.text.startswith("tk_")
    assert issued.text.isascii()
    assert read_ticket(issued.text) == right(issued)


def test_a_ticket_is_no_role_token_and_the_reverse(room):
    issued = room.ticket("bob")
    assert issued.text.partition("_")[2] != issued.role_token.partition("_")[2]
    for text in (issued.role_token, "tk_" + issued.role_token.partition("_")[2]):
        with pytest.raises(TicketInvalid):
            read_ticket(text)
    with pytest.raises(RoleTokenInvalid):
        role_token_actor(issued.text, address=None, request_id="")


def forgeries(text):
    head, number, conference, mac = text.split("_", 3)
    other = "a" if number[-1] != "a" else "b"
    rest = f"{conference}_{mac}"
    yield from (
        "",
        "tk",
        "tk_",
        "tk__",
        text[:-1],
        text + "A",
        text + "=",
        text + "\n",
        " " + text,
        text.upper(),
        f"{head}_{number[:-1]}{other}_{rest}",
        f"{head}_0{number}_{rest}",
        f"{head}_{number}_{conference}_{b64(secrets.token_bytes(16))}",
        f"{head}_-{number}_{rest}",
        f"{head}_{'z' * 12}_{rest}",
        f"{head}_{'z' * 13}_{rest}",
        f"{head}_²_{rest}",
        f"{head}_{number}_{conference}_",
        f"{head}_{number}_{mac}",
        f"{head}_{number}_{conference}z_{mac}",
        f"{head}_{number}_{conference}_é",
        f"{head}_{number}_{conference}_{mac[:-1]}\x00",
        "x" * 10_000,
    )


def test_a_forged_or_truncated_ticket_is_refused(room, refused):
    for text in forgeries(room.ticket("bob").text):
        with refused(TicketInvalid):
            enter(ticket_text=text, entrance=entrance())


def test_a_changed_last_character_that_decodes_alike_is_refused(room):
    issued = room.ticket("bob")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    genuine = [issued.text[:-1] + letter for letter in alphabet if _is_genuine(issued.text[:-1] + letter)]
    assert genuine == [issued.text]


def _is_genuine(text):
    try:
        read_ticket(text)
    except TicketInvalid:
        return False
    return True


def test_a_ticket_that_was_signed_with_another_key_is_refused(room, monkeypatch):
    issued = room.ticket("bob")
    monkeypatch.setitem(settings.KEYS, "signing", [new_key()])
    with pytest.raises(TicketInvalid):
        read_ticket(issued.text)


def test_an_older_key_still_verifies(room, monkeypatch):
    issued = room.ticket("bob")
    monkeypatch.setitem(settings.KEYS, "signing", [new_key(), *settings.KEYS["signing"]])
    assert read_ticket(issued.text) == right(issued)
    assert ticket_text(right(issued)) != issued.text


def test_a_genuine_ticket_whose_row_is_gone_is_refused(room, refused):
    text = ticket_text(Right(room.ticket("bob").ticket.pk + 1000, room.conference.pk))
    with refused(TicketInvalid):
        enter(ticket_text=text, entrance=entrance())


# Its life


def test_an_unused_ticket_lives_ten_minutes(room, clock, refused):
    issued = room.ticket("charlie")
    assert issued.ticket.expires_at - issued.ticket.created_at < timedelta(seconds=601)
    clock.shift(599)
    redeem(room.ticket("dora"))
    clock.shift(2)
    with refused(TicketExpired):
        redeem(issued)


def test_the_life_may_be_set_per_application_and_per_ticket(application, room, clock, refused):
    factories.change_application(application, ticket_seconds=60)
    short, long = room.ticket("charlie"), room.ticket("dora", ttl_seconds=120)
    clock.shift(61)
    with refused(TicketExpired):
        redeem(short)
    redeem(long)


def test_a_redeemed_ticket_reenters_after_its_expiry_as_long_as_the_seat_lasts(application, room, clock, refused):
    factories.change_application(application, grace_seconds=300)
    issued = room.ticket("charlie")
    number = redeem(issued).member.number
    clock.shift(5000)
    room.lose("charlie")
    clock.shift(299)
    entry = redeem(issued)
    assert (entry.returned, entry.member.number) == (True, number)
    room.lose("charlie")
    clock.shift(301)
    sweep_lost()
    with refused(TicketUsed):
        redeem(issued)


def test_the_use_count_counts_seats_and_not_sockets(room, refused):
    issued = room.ticket("charlie", max_uses=2)
    for _ in range(2):
        redeem(issued)
        for _ in range(3):
            assert redeem(issued).returned
        leave(actor=room.actor("charlie"), confr_id=room.id, user_id=room.member("charlie").user_id)
    with refused(TicketUsed):
        redeem(issued)
    assert Ticket.objects.get(pk=issued.ticket.pk).uses == 2


def test_a_ticket_for_two_seats_gives_no_second_one_after_its_expiry(room, clock, refused):
    issued = room.ticket("charlie", max_uses=2)
    redeem(issued)
    leave(actor=room.actor("charlie"), confr_id=room.id, user_id=room.member("charlie").user_id)
    clock.shift(601)
    with refused(TicketExpired):
        redeem(issued)


def test_a_spent_ticket_does_not_take_over_a_later_seat(room, refused):
    old = room.ticket("charlie")
    redeem(old)
    leave(actor=room.actor("charlie"), confr_id=room.id, user_id=room.member("charlie").user_id)
    room.enter("charlie")
    with refused(TicketUsed):
        redeem(old)


def test_an_expired_ticket_does_not_take_over_the_seat_of_another(room, clock, refused):
    stale = room.ticket("bob")
    clock.shift(601)
    with refused(TicketExpired):
        redeem(stale)


def test_a_second_devices_ticket_reenters_after_its_expiry_too(room, clock):
    second = room.ticket("bob")
    assert redeem(second).returned
    clock.shift(601)
    assert redeem(second).returned
    assert Ticket.objects.get(pk=second.ticket.pk).uses == 1


# Revoking


def test_one_ticket_is_revoked_and_the_others_work(room, refused):
    one, other = room.ticket("charlie"), room.ticket("charlie")
    assert revoke_tickets(actor=room.actor("alice"), confr_id=room.id, ticket_id=one.ticket.pk, reason="lost") == 1
    with refused(TicketRevoked):
        redeem(one)
    redeem(other)
    (event,) = room.events("ticket.revoked")
    assert (event.data, event.personal["reason"]) == ({"tickets": [one.ticket.pk]}, "lost")


def test_all_tickets_of_a_user_are_revoked(room, refused):
    tickets = [room.ticket("charlie"), room.ticket("charlie")]
    other = room.ticket("dora")
    assert revoke_tickets(actor=room.backend, confr_id=room.id, name="charlie") == 2
    for issued in tickets:
        with refused(TicketRevoked):
            redeem(issued)
    redeem(other)


def test_all_tickets_of_the_conference_are_revoked_with_one_fact(room, refused):
    tickets = [room.ticket("charlie"), room.ticket("dora")]
    assert revoke_tickets(actor=room.backend, confr_id=room.id) == Ticket.objects.count()
    assert len(room.events("ticket.revoked")) == 1
    for issued in tickets:
        with refused(TicketRevoked):
            redeem(issued)


def test_who_is_inside_keeps_the_seat_without_a_way_back(room, refused):
    issued = room.ticket("charlie")
    redeem(issued)
    revoke_tickets(actor=room.backend, confr_id=room.id, name="charlie")
    assert room.member("charlie").state == "present"
    with refused(TicketRevoked):
        redeem(issued)
    with refused(RoleTokenInvalid):
        role_token_actor(issued.role_token, address=None, request_id="")


def test_a_ticket_of_another_conference_is_not_found(room, new_room, refused):
    other = new_room()
    issued = other.ticket("charlie")
    with refused(TicketNotFound):
        revoke_tickets(actor=room.backend, confr_id=room.id, ticket_id=issued.ticket.pk)


def test_who_is_no_admin_revokes_none(room, refused):
    issued = room.ticket("charlie")
    for name in ("bob", "carol", "charlie"):
        with refused(NotAllowed):
            revoke_tickets(actor=room.actor(name), confr_id=room.id, ticket_id=issued.ticket.pk)


def test_revoking_nothing_records_nothing(room, refused):
    before = room.row.last_seq
    assert revoke_tickets(actor=room.backend, confr_id=room.id, name="dora") == 0
    assert room.row.last_seq == before


# Kept out


def test_a_kicked_user_gets_no_ticket_from_anybody(room, refused):
    kick_members(actor=room.actor("alice"), confr_id=room.id, names=["bob"])
    for actor in (room.actor("bob"), room.backend, room.actor("alice")):
        with refused(Banned):
            issue(actor, room, "bob")


def test_a_kicked_creator_gets_none_for_itself_nor_for_others(room, refused):
    kick_members(actor=room.backend, confr_id=room.id, names=["alice"])
    alice = room.actor("alice")
    with refused(Banned):
        issue(alice, room, "alice")
    with refused(NotAllowed):
        issue(alice, room, "charlie", role=Role.ADMIN)


def test_a_user_from_a_banned_address_gets_none(room, application, refused):
    ban_addresses(actor=room.backend, confr_id=room.id, network="203.0.113.0/24", hold=Hold())
    with refused(Banned):
        issue(factories.user_actor(application, "carol", "203.0.113.7"), room, "carol")
    issue(factories.user_actor(application, "carol", "203.0.112.7"), room, "carol")


def test_an_old_ticket_stays_revoked_after_the_ban_is_lifted(room, refused):
    issued = room.ticket("bob")
    ban_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold())
    unban_members(actor=room.backend, confr_id=room.id, names=["bob"])
    with refused(TicketRevoked):
        redeem(issued)
    assert not redeem(room.ticket("bob")).returned


# Role tokens


def test_a_role_token_is_its_user_in_its_conference(room):
    issued = room.ticket("bob")
    actor, confr_id = role_token_actor(issued.role_token, address="192.0.2.7", request_id="r")
    assert (actor.name, actor.user_id, confr_id) == ("bob", room.member("bob").user_id, room.id)
    assert (actor.address, actor.request_id) == ("192.0.2.7", "r")


def test_the_role_of_a_role_token_is_looked_up_live(room, refused):
    actor, _ = role_token_actor(room.ticket("bob").role_token, address=None, request_id="")
    with refused(NotAllowed):
        update_conference(actor=actor, confr_id=room.id, changes={"locked": True})
    grant_role(actor=room.backend, confr_id=room.id, names=["bob"], role=Role.ADMIN)
    update_conference(actor=actor, confr_id=room.id, changes={"locked": True})
    grant_role(actor=room.backend, confr_id=room.id, names=["bob"], role=Role.TALKER)
    with refused(NotAllowed):
        update_conference(actor=actor, confr_id=room.id, changes={"locked": False})


def test_a_role_token_dies_with_its_unused_ticket(room, clock, refused):
    unused, used = room.ticket("alice"), room.ticket("bob")
    redeem(used)
    clock.shift(601)
    with refused(RoleTokenInvalid):
        role_token_actor(unused.role_token, address=None, request_id="")
    role_token_actor(used.role_token, address=None, request_id="")


def test_a_role_token_dies_with_a_kick(room, refused):
    issued = room.ticket("bob")
    kick_members(actor=room.backend, confr_id=room.id, names=["bob"], allow_rejoin=True)
    with refused(RoleTokenInvalid):
        role_token_actor(issued.role_token, address=None, request_id="")


def test_a_role_token_is_of_no_use_after_the_end(room, refused):
    actor, _ = role_token_actor(room.ticket("alice").role_token, address=None, request_id="")
    destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(ConferenceClosed):
        update_conference(actor=actor, confr_id=room.id, changes={"locked": True})


def test_a_forged_role_token_is_refused(room, refused):
    for text in forgeries(room.ticket("bob").role_token):
        with refused(RoleTokenInvalid):
            role_token_actor(text, address=None, request_id="")
    with refused(RoleTokenInvalid):
        role_token_actor(role_token(Right(10**9, 1)), address=None, request_id="")


def test_a_suspended_applications_tickets_and_role_tokens_are_refused(application, room, refused):
    issued = room.ticket("charlie")
    suspend_application(actor=system(), application=application)
    forget()
    with refused(ApplicationSuspended):
        redeem(issued)
    with refused(ApplicationSuspended):
        role_token_actor(issued.role_token, address=None, request_id="")


# Expiry noted


def test_expired_tickets_are_noted_once_in_batches_for_the_staff(new_room, clock):
    rooms = [new_room(), new_room()]
    for room in rooms:
        for name in ("bob", "carol", "dora"):
            room.ticket(name)
    redeem(rooms[0].ticket("erin"))
    clock.shift(601)
    assert [expire_tickets(batch=5) for _ in range(3)] == [5, 3, 0]
    noted = [event.data["tickets"] for room in rooms for event in room.events("ticket.expired")]
    assert len(noted) <= 3
    assert sum(map(len, noted)) == 8  # and the creators' two, not the one that was redeemed


def test_revoked_and_noted_tickets_are_left_alone(new_room, clock):
    room = new_room(creator=None)
    room.ticket("bob")
    revoke_tickets(actor=room.backend, confr_id=room.id)
    clock.shift(601)
    assert expire_tickets() == 0
    assert "ticket.expired" not in room.types()
