"""Roles: up by an admin, down by an admin or oneself, and what it does to streams and to who sees whom."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import AudienceFull, ConferenceNotFound, MemberNotFound, StreamEnded, TalkersFull
from conferences.events import Viewer, neutral, view
from conferences.models import MediaSession, Role, Stream
from conferences.services.admission import admit_publisher
from conferences.services.conferences import update_conference
from conferences.services.moderation import Hold, ban_addresses, kick_members
from conferences.services.roles import answer_request, grant_role, request_role
from tests import factories


def grant(actor, room, role, *names):
    return grant_role(actor=actor, confr_id=room.id, names=names, role=role)


def seen(event, member, role=Role.TALKER):
    found = view(neutral(event), Viewer(member, role))
    return found.type if found else None


def test_an_admin_raises_and_the_fact_says_from_and_to(room):
    found = grant(room.actor("alice"), room, Role.TALKER, "carol", "charlie")
    assert {name: member and member.role for name, member in found.items()} == {"carol": Role.TALKER, "charlie": None}
    (event,) = room.events("role.changed")
    assert (event.data["member"], event.before, event.after) == (3, {"role": 1}, {"role": 3})
    assert event.actor_id == str(room.actor("alice").user_id)
    assert (room.row.talkers, room.row.audience) == (3, 0)


def test_several_admins_are_equal(room):
    grant(room.actor("alice"), room, Role.ADMIN, "bob")
    grant(room.actor("bob"), room, Role.AUDIENCE, "alice")
    assert (room.member("alice").role, room.row.admins) == (Role.AUDIENCE, 1)


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
@pytest.mark.parametrize("role", Role)
def test_who_is_no_admin_changes_nobody_elses_role(room, refused, name, role):
    with refused(NotAllowed):
        grant(room.actor(name), room, role, "alice")


@pytest.mark.parametrize(("name", "role"), [("bob", 7), ("bob", 3), ("carol", 3), ("carol", 7), ("carol", 1)])
def test_nobody_raises_oneself(room, refused, name, role):
    with refused(NotAllowed):
        grant(room.actor(name), room, Role(role), name)


def test_anybody_steps_down(room):
    grant(room.actor("bob"), room, Role.AUDIENCE, "bob")
    assert room.member("bob").role == Role.AUDIENCE
    grant(room.actor("alice"), room, Role.TALKER, "alice")
    assert (room.member("alice").role, room.row.admins) == (Role.TALKER, 0)


def test_stepping_down_takes_nobody_along(room, refused):
    for names in (["bob", "alice"], ["bob", "carol"], ["bob", "nobody"]):
        with refused(NotAllowed):
            grant(room.actor("bob"), room, Role.AUDIENCE, *names)


def test_the_application_grants_with_its_scope(application, room, foreign_robot, refused):
    grant(room.backend, room, Role.ADMIN, "carol")
    assert room.member("carol").role == Role.ADMIN
    with refused(ScopeMissing, scope="moderate"):
        grant(factories.backend(application, frozenset({"read", "conferences"})), room, Role.ADMIN, "bob")
    with refused(ConferenceNotFound):
        grant(foreign_robot, room, Role.ADMIN, "bob")


def test_granting_what_somebody_has_is_no_fact(room):
    before = room.row.last_seq
    grant(room.backend, room, Role.TALKER, "bob")
    assert room.row.last_seq == before


def test_a_full_stage_refuses_all_of_the_call(live_room, refused):
    update_conference(actor=live_room.backend, confr_id=live_room.id, changes={"max_talkers": 3})
    live_room.enter("dora", Role.AUDIENCE)
    with refused(TalkersFull, limit="talkers", maximum=3):
        grant(live_room.backend, live_room, Role.TALKER, "carol", "dora")
    grant(live_room.backend, live_room, Role.TALKER, "carol")


def test_a_full_audience_refuses_a_demotion(live_room, refused):
    update_conference(actor=live_room.backend, confr_id=live_room.id, changes={"max_audience": 1})
    with refused(AudienceFull, limit="audience", maximum=1):
        grant(live_room.backend, live_room, Role.AUDIENCE, "bob")


def test_a_talker_becomes_admin_where_the_limit_was_lowered(room):
    update_conference(actor=room.backend, confr_id=room.id, changes={"max_talkers": 0})
    grant(room.backend, room, Role.ADMIN, "bob")
    assert (room.row.admins, room.row.talkers) == (2, 2)


def test_a_reconnecting_member_keeps_seat_and_new_role(room):
    room.lose("bob")
    grant(room.backend, room, Role.ADMIN, "bob")
    assert (room.member("bob").state, room.member("bob").role) == ("reconnecting", Role.ADMIN)


def test_demotion_to_audience_ends_the_streams_at_the_media_server(room, media, refused):
    publication = room.publish("bob")
    playing = room.play("carol", publication.stream)
    offered, key = room.offer("bob", "second")
    grant(room.actor("alice"), room, Role.AUDIENCE, "bob")
    assert room.types()[-2:] == ["stream.removed", "role.changed"]
    assert set(Stream.objects.values_list("state", "seat")) == {("ended", "")}
    assert room.row.videos == 0
    assert not MediaSession.objects.filter(revoked_at=None).exists()
    factories.until(lambda: not media.list_streams().streams)
    for name, old in ((publication.stream.media_name, publication.key), (offered.media_name, key)):
        with refused(StreamEnded):
            admit_publisher(media.ask("publish", name, old))
    assert playing.client_id


def test_demotion_to_talker_ends_nothing(room, media):
    room.publish("alice")
    grant(room.actor("alice"), room, Role.TALKER, "alice")
    assert (room.row.videos, Stream.objects.get().state) == (1, "live")


# In LIVE


def test_promotion_announces_the_member_and_then_the_streams(live_room, media):
    carol = live_room.member("carol").number
    grant(live_room.actor("alice"), live_room, Role.TALKER, "carol")
    live_room.publish("carol")
    changed, added = live_room.events()[-2:]
    assert (changed.data["appears"], added.type) == (True, "stream.added")
    assert (seen(changed, 2), seen(changed, carol)) == ("member.joined", "role.changed")
    told = factories.some(view(neutral(changed), Viewer(2, Role.TALKER)))
    assert told.data == {
        "member": carol, "role": 3, "was": 1, "muted": [], "name": "carol", "nick_name": "", "ext": ""
    }  # fmt: skip


def test_demotion_lets_the_member_vanish_after_the_streams(live_room, media):
    live_room.publish("bob")
    grant(live_room.actor("alice"), live_room, Role.AUDIENCE, "bob")
    removed, changed = live_room.events()[-2:]
    assert (seen(removed, 3, Role.AUDIENCE), seen(changed, 3, Role.AUDIENCE)) == ("stream.removed", "member.exited")
    assert (seen(changed, 2), changed.data["vanishes"]) == ("role.changed", True)


def test_between_talker_and_admin_nobody_appears_or_vanishes(live_room):
    grant(live_room.actor("alice"), live_room, Role.ADMIN, "bob")
    grant(live_room.actor("alice"), live_room, Role.TALKER, "bob")
    for event in live_room.events("role.changed"):
        assert not event.data.keys() & {"appears", "vanishes"}
        assert seen(event, 3, Role.AUDIENCE) == "role.changed"


def test_outside_live_nobody_appears_or_vanishes(room):
    grant(room.actor("alice"), room, Role.TALKER, "carol")
    grant(room.actor("alice"), room, Role.AUDIENCE, "carol")
    assert not any(event.data.keys() & {"appears", "vanishes"} for event in room.events())


# Who is kept out is no admin any more


def test_a_kicked_creator_has_no_role(room, refused):
    alice = room.actor("alice")
    kick_members(actor=room.backend, confr_id=room.id, names=["alice"])
    with refused(NotAllowed):
        grant(alice, room, Role.ADMIN, "carol")


def test_an_admin_from_a_banned_address_has_no_role(room, refused):
    ban_addresses(actor=room.backend, confr_id=room.id, network="203.0.113.0/24", hold=Hold())
    with refused(NotAllowed):
        grant(room.actor("alice", "203.0.113.5"), room, Role.ADMIN, "carol")


def test_an_outside_creator_is_admin_before_entering(new_room, alice):
    room = new_room()
    room.enter("bob", Role.TALKER)
    grant(alice, room, Role.ADMIN, "bob")
    assert room.member("bob").role == Role.ADMIN


# Asking for a role


def test_a_request_reaches_the_admins_and_the_answer_the_one_who_asked(room):
    room.enter("dora", Role.ADMIN)
    request_role(actor=room.actor("carol"), confr_id=room.id, role=Role.TALKER, ref="r1")
    answer_request(actor=room.actor("alice"), confr_id=room.id, member=3, role=Role.TALKER, granted=True, ref="r1")
    requested, answered = room.events()[-2:]
    assert (requested.data["member"], requested.data["to"], answered.data["to"]) == (3, [1, 4], [3])
    assert [seen(requested, number, Role.ADMIN) for number in (1, 2, 4)] == ["role.requested", None, "role.requested"]
    assert [seen(answered, number) for number in (1, 2, 3)] == [None, None, "role.answered"]
    assert room.member("carol").role == Role.AUDIENCE  # asking and answering alone change nothing


def test_a_request_for_one_admin_reaches_that_one_alone(room, refused):
    room.enter("dora", Role.ADMIN)
    request_role(actor=room.actor("carol"), confr_id=room.id, role=Role.TALKER, admin=4)
    assert room.events()[-1].data["to"] == [4]
    with refused(MemberNotFound):
        request_role(actor=room.actor("carol"), confr_id=room.id, role=Role.TALKER, admin=2)


def test_outsiders_request_nothing_and_only_admins_answer(room, charlie, refused):
    with refused(NotAllowed):
        request_role(actor=charlie, confr_id=room.id, role=Role.TALKER)
    for name in ("bob", "carol", "charlie"):
        with refused(NotAllowed):
            answer_request(actor=room.actor(name), confr_id=room.id, member=3, role=Role.TALKER, granted=True)
    with refused(MemberNotFound):
        answer_request(actor=room.actor("alice"), confr_id=room.id, member=99, role=Role.TALKER, granted=True)
