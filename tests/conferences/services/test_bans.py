"""Bans of a whole application."""

from __future__ import annotations

import pytest

from accounts.errors import ApplicationNotFound, BadParameters, NotAllowed, ScopeMissing
from accounts.models import ApplicationEvent
from conferences.errors import Banned, BanNotFound
from conferences.models import Ban, MediaSession, Role
from conferences.services import admission, bans, conferences, moderation
from conferences.services.members import enter
from conferences.services.moderation import Hold
from tests import factories
from tests.factories import entrance


def test_a_ban_removes_from_every_live_conference_and_keeps_out(robot, new_room, refused):
    rooms = [new_room() for _ in range(3)]
    tickets = []
    for room in rooms:
        room.enter("alice")
        tickets.append(room.ticket("bob"))
        room.enter("bob")
    bans.ban_users(actor=robot, names=["bob"], hold=Hold(reason="spam"))
    for room, issued in zip(rooms, tickets, strict=True):
        assert (room.member("bob").state, room.row.talkers) == ("exited", 1)
        with refused(Banned):
            room.ticket("bob")
        with pytest.raises(Exception, match=r"banned|ticket_revoked"):
            enter(ticket_text=issued.text, entrance=entrance())
    later = new_room()
    with refused(Banned):
        later.ticket("bob")
    (logged,) = ApplicationEvent.objects.filter(type="ban.added")
    assert (logged.personal["names"], logged.personal["reason"]) == (["bob"], "spam")


def test_who_is_banned_from_the_application_creates_nothing_in_it(robot, room, refused):
    bob = room.actor("bob")
    bans.ban_users(actor=robot, names=["bob"], hold=Hold())
    with refused(Banned):
        conferences.create_conference(actor=bob, wishes=conferences.Wishes())


def test_a_range_is_banned_from_every_conference(robot, new_room, media, refused):
    room = new_room()
    room.enter("alice")
    room.enter("bob", address="203.0.113.5")
    stream, key = room.offer("alice")
    event = media.ask("publish", stream.media_name, key, address="203.0.113.9")
    admission.admit_publisher(event)
    media.admit(event)
    bans.ban_addresses(actor=robot, network="203.0.113.0/24", hold=Hold())
    assert (room.member("alice").state, room.member("bob").state) == ("present", "exited")
    factories.until(lambda: media.dropped == [event.client_id])
    other = new_room()
    issued = other.ticket("dora")
    with refused(Banned):
        enter(ticket_text=issued.text, entrance=entrance(address="203.0.113.77"))
    enter(ticket_text=issued.text, entrance=entrance(address="203.0.114.77"))


def test_a_ban_is_of_one_tenant(robot, foreign, foreign_robot):
    bans.ban_users(actor=robot, names=["mallory"], hold=Hold())
    bans.ban_addresses(actor=robot, network="0.0.0.0/0", hold=Hold())
    theirs = factories.room(foreign_robot, creator="mallory")
    theirs.enter("mallory", address="192.0.2.1")


def test_it_expires(robot, new_room, clock, refused):
    room = new_room()
    bans.ban_users(actor=robot, names=["bob"], hold=Hold(seconds=60))
    with refused(Banned):
        room.ticket("bob")
    clock.shift(61)
    room.enter("bob")


def test_it_is_lifted_by_name_or_by_id_and_not_from_within_a_conference(robot, new_room, refused):
    room = new_room()
    (ban,) = bans.ban_users(actor=robot, names=["bob"], hold=Hold())
    bans.ban_users(actor=robot, names=["carol"], hold=Hold())
    assert moderation.unban_members(actor=robot, confr_id=room.id, names=["bob"]) == 0
    with refused(BanNotFound):
        moderation.unban_members(actor=robot, confr_id=room.id, ban_id=ban.pk)
    assert bans.unban_users(actor=robot, ban_id=ban.pk) == 1
    assert bans.unban_users(actor=robot, names=["carol"]) == 1
    room.enter("bob")
    room.enter("carol")
    with refused(BanNotFound):
        bans.unban_users(actor=robot, ban_id=ban.pk)


def test_a_conferences_ban_is_not_lifted_from_outside(robot, room, refused):
    (ban,) = moderation.ban_members(actor=robot, confr_id=room.id, names=["bob"], hold=Hold())
    with refused(BanNotFound):
        bans.unban_users(actor=robot, ban_id=ban.pk)
    assert bans.unban_users(actor=robot, names=["bob"]) == 0


def test_another_tenants_ban_is_not_found(robot, foreign_robot, refused):
    (ban,) = bans.ban_users(actor=robot, names=["bob"], hold=Hold())
    with refused(BanNotFound):
        bans.unban_users(actor=foreign_robot, ban_id=ban.pk)


def test_members_ban_nobody_from_the_application(room, nobody, application, refused):
    for actor in (room.actor("alice"), room.actor("bob")):
        for call in (
            lambda actor=actor: bans.ban_users(actor=actor, names=["carol"], hold=Hold()),
            lambda actor=actor: bans.ban_addresses(actor=actor, network="0.0.0.0/0", hold=Hold()),
            lambda actor=actor: bans.unban_users(actor=actor, names=["carol"]),
        ):
            with refused(NotAllowed):
                call()
    with refused(ScopeMissing, scope="moderate"):
        bans.ban_users(actor=factories.backend(application, frozenset({"read"})), names=["bob"], hold=Hold())
    with refused(ApplicationNotFound):
        bans.ban_users(actor=nobody, names=["bob"], hold=Hold())
    with refused(BadParameters):
        bans.ban_addresses(actor=room.backend, network="everywhere", hold=Hold())


def test_what_a_crash_left_is_found_by_the_sweep(application, room, media):
    publication = room.publish("bob")
    Ban.objects.create(application=application, user=room.member("bob").user)
    assert bans.remove_banned() == 1
    assert bans.remove_banned() == 0
    assert room.member("bob").state == "exited"
    assert not MediaSession.objects.filter(revoked_at=None).exists()
    factories.until(lambda: publication.event.client_id in media.dropped)


def test_who_is_kept_out_of_one_conference_stays_in_the_others(robot, room, new_room):
    other = new_room()
    other.enter("bob", Role.TALKER)
    moderation.kick_members(actor=robot, confr_id=room.id, names=["bob"])
    assert bans.remove_banned() == 0
    assert other.member("bob").state == "present"
