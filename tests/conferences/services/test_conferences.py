"""Creating, joining by name, changing and ending conferences."""

from __future__ import annotations

import re

import pytest

from accounts.actors import system
from accounts.authentication import forget
from accounts.errors import ApplicationNotFound, ApplicationSuspended, NotAllowed, ScopeMissing, UserNameInvalid
from accounts.models import User
from accounts.services import suspend_application
from conferences.errors import (
    ConferenceClosed,
    ConferenceLimitReached,
    ConferenceNameTaken,
    ConferenceNotFound,
    PasswordWrong,
)
from conferences.models import CloseReason, Conference, ConferenceType, MediaSession, Member, Role, Stream, Ticket
from conferences.services.conferences import (
    SETTINGS,
    Wishes,
    create_conference,
    destroy_conference,
    end_due_conferences,
    join_room,
    update_conference,
)
from conferences.services.members import enter, leave
from conferences.services.tickets import expire_tickets, issue_ticket
from tests import factories
from tests.factories import entrance

DEFAULTS = {
    10: ((9, 9, 9, 2), Role.TALKER),
    11: ((30, 9, 600, 2), Role.TALKER),
    12: ((9, 9, 600, 2), Role.AUDIENCE),
}


def limits_of(conference):
    return (conference.max_talkers, conference.max_videos, conference.max_audience, conference.max_desktops)


# Creating


@pytest.mark.parametrize("kind", ConferenceType.values)
def test_each_type_has_its_limits_and_its_default_role(robot, kind):
    conference = create_conference(actor=robot, wishes=Wishes(type=kind)).conference
    assert (limits_of(conference), conference.default_role) == DEFAULTS[kind]


def test_limits_come_from_the_conference_then_the_application_then_the_type(application, robot):
    factories.change_application(application, limits={"12": {"talkers": 4, "audience": 50}})
    wishes = Wishes(type=12, limits={"talkers": 2})
    assert limits_of(create_conference(actor=robot, wishes=wishes).conference) == (2, 9, 50, 2)
    assert limits_of(create_conference(actor=robot, wishes=Wishes(type=11)).conference) == (30, 9, 600, 2)


def test_a_conference_begins_live_empty_and_with_one_fact(robot, published):
    created = create_conference(actor=robot, wishes=Wishes(name="weekly"))
    conference = Conference.objects.get()
    assert conference.state == "live"
    assert (conference.talkers, conference.audience, conference.admins, conference.last_seq) == (0, 0, 0, 1)
    assert re.fullmatch(r"[A-Z0-9]{24}", created.conference.confr_id)
    assert published.types() == ["conference.created"]


def test_no_password_given_means_a_generated_one_that_is_told_once_and_stored_nowhere(robot, bob):
    created = create_conference(actor=robot, wishes=Wishes(name="weekly"))
    assert len(created.password) >= 8
    row = Conference.objects.values().get()
    assert created.password not in str(row)
    assert created.password.encode() not in bytes(row["password_mac"])
    room = factories.Room(robot, created.conference)
    assert created.password not in str([(event.data, event.personal, event.after) for event in room.events()])


def test_an_empty_password_means_none(robot):
    assert create_conference(actor=robot, wishes=Wishes(password="")).conference.password_mac == b""


def test_the_same_password_is_stored_differently_in_each_conference(robot):
    one, two = (create_conference(actor=robot, wishes=Wishes(password="123456")).conference for _ in range(2))
    assert one.password_mac != two.password_mac


def test_an_application_names_the_creator_who_gets_an_admin_ticket(robot):
    created = create_conference(actor=robot, wishes=Wishes(creator="acme#live_alice@easemob.com"))
    assert factories.some(created.conference.creator).name == "alice"
    ticket = factories.some(created.issued).ticket
    assert (ticket.role, ticket.user.name) == (Role.ADMIN, "alice")


def test_without_a_creator_there_is_no_ticket(robot):
    created = create_conference(actor=robot, wishes=Wishes())
    assert (created.issued, created.conference.creator) == (None, None)


def test_a_user_creates_as_itself_whomever_it_names(bob):
    created = create_conference(actor=bob, wishes=Wishes(creator="alice"))
    assert created.conference.creator_id == bob.user_id
    assert not User.objects.filter(name="alice").exists()


def test_creating_needs_the_scope(application, refused):
    with refused(ScopeMissing, scope="conferences"):
        create_conference(actor=factories.backend(application, frozenset({"read"})), wishes=Wishes())


def test_confr_itself_has_no_application_to_create_in(nobody, refused):
    with refused(ApplicationNotFound):
        create_conference(actor=nobody, wishes=Wishes())


def test_a_suspended_application_creates_nothing(application, robot, refused):
    suspend_application(actor=system(), application=application)
    forget()
    with refused(ApplicationSuspended):
        create_conference(actor=robot, wishes=Wishes())


@pytest.mark.parametrize("name", ["", " x", "a" * 65, "x\n", "foreign#app_x"])
def test_an_odd_creator_is_refused(robot, refused, name):
    with refused(UserNameInvalid):
        create_conference(actor=robot, wishes=Wishes(creator=name))


# Names


def test_a_live_name_is_taken(robot, alice, refused):
    create_conference(actor=robot, wishes=Wishes(name="weekly", creator="alice"))
    with refused(ConferenceNameTaken, name="weekly"):
        create_conference(actor=robot, wishes=Wishes(name="weekly", creator="alice"))


def test_a_refused_creation_leaves_not_even_the_creator_behind(robot, refused):
    create_conference(actor=robot, wishes=Wishes(name="weekly"))
    with refused(ConferenceNameTaken):
        create_conference(actor=robot, wishes=Wishes(name="weekly", creator="never-seen"))


def test_names_are_of_one_application(robot, foreign_robot):
    create_conference(actor=robot, wishes=Wishes(name="weekly"))
    assert create_conference(actor=foreign_robot, wishes=Wishes(name="weekly")).conference.name == "weekly"


def test_conferences_without_a_name_do_not_collide(robot):
    for _ in range(2):
        create_conference(actor=robot, wishes=Wishes())
    assert Conference.objects.count() == 2


def test_a_name_lives_again_as_a_new_conference(robot):
    first = create_conference(actor=robot, wishes=Wishes(name="weekly")).conference
    destroy_conference(actor=robot, confr_id=first.confr_id)
    second = create_conference(actor=robot, wishes=Wishes(name="weekly")).conference
    assert second.confr_id != first.confr_id


# Quota


def test_the_quota_counts_live_conferences_only(application, robot, refused):
    factories.change_application(application, max_conferences=1)
    first = create_conference(actor=robot, wishes=Wishes()).conference
    with refused(ConferenceLimitReached, limit="conferences", maximum=1):
        create_conference(actor=robot, wishes=Wishes())
    destroy_conference(actor=robot, confr_id=first.confr_id)
    create_conference(actor=robot, wishes=Wishes())


# Joining by name


def test_joining_by_name_creates_where_there_is_none(robot):
    joined = join_room(actor=robot, name="weekly", wishes=Wishes(name="weekly", creator="alice"), user="alice")
    conference, issued, is_new = joined
    assert (conference.name, issued.ticket.role, is_new) == ("weekly", Role.ADMIN, True)


def test_the_config_counts_for_the_first_entrant_only(robot):
    first = Wishes(name="weekly", type=12, creator="alice", limits={"talkers": 3})
    second = Wishes(name="weekly", type=10, creator="bob", limits={"talkers": 7}, ext="other")
    conference, _, _ = join_room(actor=robot, name="weekly", wishes=first, user="alice")
    again, issued, is_new = join_room(actor=robot, name="weekly", wishes=second, user="bob")
    assert (again.pk, is_new, issued.ticket.role) == (conference.pk, False, Role.AUDIENCE)
    assert (again.type, again.max_talkers, again.ext) == (12, 3, "")


def test_a_user_joins_by_name_with_the_password_of_the_first(alice, bob, refused):
    join_room(actor=alice, name="weekly", wishes=Wishes(name="weekly", password="sesame"), user="alice")
    with refused(PasswordWrong):
        join_room(actor=bob, name="weekly", wishes=Wishes(name="weekly"), user="bob", password="open")
    _, issued, is_new = join_room(actor=bob, name="weekly", wishes=Wishes(name="weekly"), user="bob", password="sesame")
    assert (issued.ticket.role, is_new) == (Role.TALKER, False)


def test_joining_by_name_stays_in_the_tenant(robot, foreign_robot):
    ours, _, _ = join_room(actor=robot, name="weekly", wishes=Wishes(name="weekly", creator="alice"), user="alice")
    theirs, _, is_new = join_room(
        actor=foreign_robot, name="weekly", wishes=Wishes(name="weekly", creator="mallory"), user="mallory"
    )
    assert is_new
    assert theirs.application_id != ours.application_id


# Changing


def test_an_admin_changes_settings_and_the_fact_says_what_differs(room):
    update_conference(actor=room.actor("alice"), confr_id=room.id, changes={"max_talkers": 5, "rec": False})
    (event,) = room.events("conference.updated")
    assert (event.before, event.after) == ({"max_talkers": 9}, {"max_talkers": 5})
    assert room.row.max_talkers == 5


def test_nothing_new_is_no_fact(room):
    before = room.row.last_seq
    update_conference(actor=room.actor("alice"), confr_id=room.id, changes={"max_talkers": 9})
    assert room.row.last_seq == before


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_changes_nothing(room, refused, name):
    for changes in ({"max_talkers": 5}, {"locked": True}):
        with refused(NotAllowed):
            update_conference(actor=room.actor(name), confr_id=room.id, changes=changes)


def test_only_settings_can_be_changed(room):
    for name in ("state", "last_seq", "talkers", "application_id", "chain_head"):
        assert name not in SETTINGS
        with pytest.raises(ValueError, match=name):
            update_conference(actor=room.backend, confr_id=room.id, changes={name: 1})


def test_a_new_password_replaces_the_old_and_is_no_part_of_the_fact(room, charlie, refused):
    update_conference(actor=room.actor("alice"), confr_id=room.id, changes={}, password="sesame")
    (event,) = room.events("conference.updated")
    assert "sesame" not in str((event.data, event.personal, event.before, event.after))
    issue_ticket(actor=charlie, confr_id=room.id, name="charlie", password="sesame")
    with refused(PasswordWrong):
        issue_ticket(actor=charlie, confr_id=room.id, name="charlie", password="")


def test_a_lower_limit_removes_nobody_and_lets_who_reconnects_keep_the_seat(room):
    ticket = room.ticket("bob")
    update_conference(actor=room.backend, confr_id=room.id, changes={"max_talkers": 1})
    room.lose("bob")
    entry = enter(ticket_text=ticket.text, entrance=entrance())
    assert entry.returned
    assert room.row.talkers == 2


# Ending on request


def test_destroying_ends_every_seat_stream_and_media_session(room, media):
    publication = room.publish("bob")
    room.play("carol", publication.stream)
    room.offer("bob", "second")
    destroy_conference(actor=room.actor("alice"), confr_id=room.id, reason="lunch")
    row = room.row
    assert (row.state, row.close_reason) == ("closed", CloseReason.DESTROYED)
    assert (row.talkers, row.audience, row.admins, row.videos, row.desktops) == (0, 0, 0, 0, 0)
    assert not Member.objects.seated().exists()
    assert set(Stream.objects.values_list("state", "seat")) == {("ended", "")}
    assert not MediaSession.objects.filter(revoked_at=None).exists()
    assert room.events()[-1].type == "conference.closed"
    assert room.events()[-1].personal["reason"] == "lunch"


def test_after_the_end_nothing_can_be_done_and_nobody_comes_in(room, refused):
    ticket = room.ticket("bob")
    alice = room.actor("alice")
    destroy_conference(actor=alice, confr_id=room.id)
    with refused(ConferenceClosed):
        destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(ConferenceClosed):
        update_conference(actor=alice, confr_id=room.id, changes={"locked": True})
    with refused(ConferenceClosed):
        room.ticket("bob")
    with refused(ConferenceClosed):
        enter(ticket_text=ticket.text, entrance=entrance())


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_destroys_nothing(room, refused, name):
    with refused(NotAllowed):
        destroy_conference(actor=room.actor(name), confr_id=room.id)


def test_another_tenants_conference_does_not_exist(room, foreign_robot, mallory, refused):
    for actor in (foreign_robot, mallory):
        with refused(ConferenceNotFound):
            destroy_conference(actor=actor, confr_id=room.id)
        with refused(ConferenceNotFound):
            update_conference(actor=actor, confr_id=room.id, changes={"locked": True})


# Endings that nobody asks for


def test_a_conference_that_nobody_enters_ends_after_its_delay(new_room, clock):
    room = new_room(delay_seconds=60)
    clock.shift(59)
    assert end_due_conferences() == 0
    clock.shift(2)
    assert end_due_conferences() == 1
    assert room.row.close_reason == CloseReason.NEVER_ENTERED
    assert end_due_conferences() == 0


def test_a_conference_that_was_entered_outlives_its_delay(room, clock):
    clock.shift(1000)
    assert end_due_conferences() == 0


def test_the_maximum_duration_counts_from_the_first_entry(new_room, clock):
    room = new_room(max_seconds=600, delay_seconds=100)
    clock.shift(90)
    room.enter("alice")
    clock.shift(590)
    assert end_due_conferences() == 0
    clock.shift(20)
    assert end_due_conferences() == 1
    assert room.row.close_reason == CloseReason.TOO_LONG
    assert room.member("alice").state == "exited"


def test_a_conference_without_an_admin_for_too_long_ends(new_room, clock):
    room = new_room(12, adminless_seconds=60)
    room.enter("alice")
    room.enter("bob")
    leave(actor=room.actor("alice"), confr_id=room.id, user_id=room.member("alice").user_id)
    assert room.row.admins == 0
    clock.shift(59)
    assert end_due_conferences() == 0
    clock.shift(2)
    assert end_due_conferences() == 1
    assert room.row.close_reason == CloseReason.NO_ADMIN


def test_an_admin_who_comes_in_time_keeps_it_alive(new_room, clock):
    room = new_room(12, adminless_seconds=60)
    room.enter("alice")
    room.enter("bob")
    leave(actor=room.actor("alice"), confr_id=room.id, user_id=room.member("alice").user_id)
    clock.shift(50)
    room.enter("alice")
    clock.shift(50)
    assert end_due_conferences() == 0


def test_a_conference_that_never_had_an_admin_is_without_one_from_the_first_entry(new_room, clock):
    room = new_room(12, creator=None, adminless_seconds=60)
    room.enter("bob")
    clock.shift(61)
    assert end_due_conferences() == 1
    assert room.row.close_reason == CloseReason.NO_ADMIN


def test_without_these_options_nothing_ends(new_room, clock):
    room = new_room(12)
    room.enter("bob")
    clock.shift(10_000_000)
    assert end_due_conferences() == 0


def test_an_ending_leaves_no_ticket_to_note(new_room, clock):
    room = new_room(delay_seconds=60)
    clock.shift(6000)
    end_due_conferences()
    assert expire_tickets() == Ticket.objects.filter(uses=0).count()
    assert "ticket.expired" not in room.types()
