"""Kick, ban and mute. A kick holds at every door until it is lifted or has expired."""

from __future__ import annotations

import pytest

from accounts.authentication import forget
from accounts.errors import BadParameters, NotAllowed, ScopeMissing
from accounts.models import User
from conferences.errors import (
    ActsOnOneself,
    Banned,
    BanNotFound,
    ConferenceNotFound,
    Muted,
    RoleTokenInvalid,
    StreamEnded,
    TicketRevoked,
)
from conferences.events import Viewer, neutral, view
from conferences.models import Ban, CloseReason, ExitReason, Kind, MediaSession, Member, Role, Stream
from conferences.services.admission import admit_player, admit_publisher, admit_viewer, keep_client
from conferences.services.members import enter
from conferences.services.messages import broadcast
from conferences.services.moderation import (
    Hold,
    address_range,
    ban_addresses,
    ban_members,
    kick_members,
    mute_all,
    mute_members,
    unban_members,
)
from conferences.services.roles import grant_role
from conferences.services.streams import pub_stream, sub_stream, switch_stream
from conferences.services.tickets import role_token_actor
from tests import factories
from tests.database import statements
from tests.factories import entrance


def kick(room, *names, by=None, **options):
    return kick_members(actor=by or room.backend, confr_id=room.id, names=names, **options)


def unban(room, *names, **options):
    return unban_members(actor=room.backend, confr_id=room.id, names=names, **options)


def mute(room, *names, kinds, muted=True, by=None):
    return mute_members(actor=by or room.backend, confr_id=room.id, names=names, kinds=kinds, muted=muted)


# Who kicks whom


def test_an_admin_kicks_and_is_told_per_name(room, charlie):
    assert kick(room, "bob", "charlie", "never-seen", by=room.actor("alice")) == {
        "bob": True,
        "charlie": False,
        "never-seen": False,
    }
    assert room.member("bob").exit_reason == ExitReason.KICKED
    assert (room.row.talkers, room.row.audience) == (1, 1)


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_kicks_nobody(room, refused, name):
    with refused(NotAllowed):
        kick(room, "alice", by=room.actor(name))


def test_nobody_kicks_or_bans_oneself(room, refused):
    alice = room.actor("alice")
    with refused(ActsOnOneself):
        kick(room, "bob", "alice", by=alice)
    with refused(ActsOnOneself):
        ban_members(actor=alice, confr_id=room.id, names=["alice"], hold=Hold())


def test_admins_kick_admins(room):
    grant_role(actor=room.backend, confr_id=room.id, names=["bob"], role=Role.ADMIN)
    kick(room, "alice", by=room.actor("bob"))
    assert room.member("alice").state == "exited"


def test_an_application_needs_the_scope_and_the_tenant(application, room, foreign_robot, mallory, refused):
    with refused(ScopeMissing, scope="moderate"):
        kick(room, "bob", by=factories.backend(application, frozenset({"conferences"})))
    for actor in (foreign_robot, mallory):
        with refused(ConferenceNotFound):
            kick(room, "bob", by=actor)


def test_a_moderator_kicks_and_the_fact_says_who_and_why(application, room):
    kick(room, "bob", by=factories.staff(application), hold=Hold(reason="spam", note="third time"))
    banned, revoked, exited = room.events("ban.added", "ticket.revoked", "member.exited")
    for event in (banned, revoked, exited):
        assert (event.actor_kind, event.personal["actor"], event.personal["reason"]) == ("staff", "moderator", "spam")
        assert (event.personal["address"], event.request_id) == ("192.0.2.9", "request-s")
    ban = Ban.objects.get()
    assert (ban.author, ban.reason, ban.note, ban.cause) == ("staff:moderator", "spam", "third time", "kick")


# What a kick does, in its order


def test_a_kick_ends_everything_at_once(room, media):
    ticket = room.ticket("bob")
    own, other = room.publish("bob"), room.publish("alice")
    room.play("carol", own.stream)
    room.play("bob", other.stream)
    kick(room, "bob")
    assert room.types()[-4:] == ["ban.added", "ticket.revoked", "stream.removed", "member.exited"]
    assert MediaSession.objects.filter(revoked_at=None).count() == 1  # alice's own
    with pytest.raises(TicketRevoked):
        enter(ticket_text=ticket.text, entrance=entrance())
    factories.until(lambda: [stream.name for stream in media.list_streams().streams] == [other.stream.media_name])
    assert [client.publishing for client in media.list_streams().streams[0].clients] == [True]
    assert room.row.videos == 1


def test_a_kick_holds_at_every_door(room, media, refused):
    ticket = room.ticket("bob")
    publication, other = room.publish("bob"), room.publish("alice")
    offered, offered_key = room.offer("bob", "second")
    play_key = room.play_key("bob", other.stream)
    playing = room.play("bob", other.stream)
    bob = room.actor("bob")
    kick(room, "bob")
    with refused(Banned):
        room.ticket("bob")
    with refused(TicketRevoked):
        enter(ticket_text=ticket.text, entrance=entrance())
    with refused(RoleTokenInvalid):
        role_token_actor(ticket.role_token, address=None, request_id="")
    with refused(StreamEnded):
        admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    with refused(StreamEnded):
        admit_publisher(media.ask("publish", offered.media_name, offered_key))
    with refused(NotAllowed):
        admit_player(media.ask("play", other.stream.media_name, play_key))
    with refused(NotAllowed):
        admit_viewer(media.ask("watch", other.stream.media_name, play_key))
    with refused(NotAllowed):
        keep_client(playing)
    with refused(NotAllowed):
        broadcast(actor=bob, confr_id=room.id, content="still here")
    for call, options in ((pub_stream, {"rtc_id": "x"}), (sub_stream, {"stream_id": other.stream.stream_id})):
        with pytest.raises(Exception, match=r"member_not_found|not_allowed"):
            call(actor=bob, confr_id=room.id, user_id=bob.user_id, **options)


def test_a_kicked_creator_moderates_no_more(room, refused):
    alice = room.actor("alice")
    kick(room, "alice")
    with refused(NotAllowed):
        kick(room, "bob", by=alice)
    with refused(NotAllowed):
        unban_members(actor=alice, confr_id=room.id, names=["alice"])
    with refused(NotAllowed):
        mute_all(actor=alice, confr_id=room.id, kinds=[Kind.AUDIO], muted=True)


def test_who_is_not_inside_is_held_too(room, charlie, refused):
    issued = room.ticket("charlie")
    kick(room, "charlie")
    with refused(TicketRevoked):
        enter(ticket_text=issued.text, entrance=entrance())
    with refused(Banned):
        room.ticket("charlie")


def test_a_name_that_was_never_seen_is_held_too(room, refused):
    kick(room, "stranger")
    with refused(Banned):
        room.ticket("stranger")


def test_a_member_in_grace_is_kicked(room, refused):
    ticket = room.ticket("bob")
    room.lose("bob")
    assert kick(room, "bob") == {"bob": True}
    with refused(TicketRevoked):
        enter(ticket_text=ticket.text, entrance=entrance())


def test_allow_rejoin_only_removes(room):
    kick(room, "bob", allow_rejoin=True)
    assert (room.member("bob").state, Ban.objects.count()) == ("exited", 0)
    assert room.enter("bob").number == 4


def test_a_kick_of_the_last_admin_hands_over_and_of_everybody_ends(room, application):
    kick(room, "alice")
    assert room.member("bob").role == Role.ADMIN
    kick(room, "bob", "carol")
    assert room.row.close_reason == CloseReason.EMPTY


def test_kicking_twice_is_held_once_more_and_changes_no_counter(room):
    kick(room, "bob")
    kick(room, "bob")
    assert (room.row.talkers, room.types().count("member.exited")) == (1, 1)


# How long it holds


def test_a_hold_lasts_as_long_as_the_conference(room, clock, refused):
    kick(room, "bob")
    clock.shift(10_000_000)
    with refused(Banned):
        room.ticket("bob")


def test_a_hold_expires(room, clock, refused):
    kick(room, "bob", hold=Hold(seconds=60))
    clock.shift(59)
    with refused(Banned):
        room.ticket("bob")
    clock.shift(2)
    assert room.enter("bob").number == 4


@pytest.mark.parametrize("hold", [None, Hold(reason="spam")])
def test_the_hold_defaults_to_the_applications(application, room, clock, refused, hold):
    factories.change_application(application, hold_seconds=60)
    kick(room, "bob", hold=hold)
    with refused(Banned):
        room.ticket("bob")
    clock.shift(61)
    room.enter("bob")


def test_a_kick_is_of_one_conference(room, new_room):
    kick(room, "bob")
    assert new_room().enter("bob").number == 1


def test_unbanning_opens_the_doors(room, refused):
    kick(room, "bob", "carol")
    assert unban(room, "bob") == 1
    room.enter("bob")
    with refused(Banned):
        room.ticket("carol")
    (lifted,) = room.events("ban.lifted")
    assert lifted.data["bans"] == [Ban.objects.get(user__name="bob").pk]


def test_unbanning_one_hold_by_its_id(room, charlie, new_room, refused):
    (ban,) = ban_members(actor=room.backend, confr_id=room.id, names=["charlie"], hold=Hold())
    other = new_room()
    with refused(BanNotFound):
        unban_members(actor=other.backend, confr_id=other.id, ban_id=ban.pk)
    assert unban(room, ban_id=ban.pk) == 1
    with refused(BanNotFound):
        unban(room, ban_id=ban.pk)
    room.enter("charlie")


def test_unbanning_nobody_is_no_fact(room):
    before = room.row.last_seq
    assert unban(room, "bob") == 0
    assert room.row.last_seq == before


def test_every_hold_of_a_user_is_lifted(room):
    kick(room, "bob")
    kick(room, "bob")
    ban_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold())
    assert unban(room, "bob") == 3
    room.enter("bob")


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_bans_and_unbans_nobody(room, refused, name):
    actor = room.actor(name)
    with refused(NotAllowed):
        ban_members(actor=actor, confr_id=room.id, names=["alice"], hold=Hold())
    with refused(NotAllowed):
        ban_addresses(actor=actor, confr_id=room.id, network="0.0.0.0/0", hold=Hold())
    with refused(NotAllowed):
        unban_members(actor=actor, confr_id=room.id, names=[name])


# Many at once


def test_one_and_five_hundred_names_take_as_many_statements(new_room):
    counts = {}
    for size in (1, 100, 500):
        room = new_room(12)
        names = [f"user-{size}-{number}" for number in range(size)]
        room.enter("alice")
        users = User.objects.named(room.conference.application_id, names)
        rows = [
            Member(
                conference=room.conference, user=users[name], number=10 + number, role=1, entered_at=room.row.created_at
            )
            for number, name in enumerate(names)
        ]
        Member.objects.bulk_create(rows)
        type(room.row).objects.filter(pk=room.conference.pk).update(audience=size, member_serial=10 + size)
        forget()  # what is remembered for a second would count once in a while
        with statements() as found:
            assert all(kick(room, *names).values())
        counts[size] = len(found)
        assert (room.row.audience, room.row.members_count) == (0, 1)
        assert room.row.last_seq == len(room.events())
    assert len(set(counts.values())) == 1, counts
    assert counts[1] < 25


# Bans


def test_a_ban_removes_and_keeps_out(room, refused):
    bans = ban_members(actor=room.actor("alice"), confr_id=room.id, names=["bob"], hold=Hold(reason="r", note="n"))
    assert [(ban.cause, ban.reason, ban.note, ban.author) for ban in bans] == [("ban", "r", "n", "user:alice")]
    assert room.member("bob").exit_reason == ExitReason.KICKED
    with refused(Banned):
        room.ticket("bob")


def test_a_ban_may_come_before_its_user(room, refused):
    ban_members(actor=room.backend, confr_id=room.id, names=["tomorrow"], hold=Hold())
    with refused(Banned):
        room.ticket("tomorrow")


def test_a_ban_expires(room, clock, refused):
    ban_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold(seconds=60))
    with refused(Banned):
        room.ticket("bob")
    clock.shift(61)
    room.enter("bob")


def test_a_note_is_for_the_staff_and_no_part_of_a_fact(room):
    ban_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold(note="secret-note"))
    assert "secret-note" not in str([(event.data, event.personal) for event in room.events()])


def test_members_never_hear_of_bans(room):
    kick(room, "bob", hold=Hold(reason="the reason"))
    for event in room.events():
        for role in Role:
            seen = view(neutral(event), Viewer(3, role))
            assert "the reason" not in str(seen)
            assert seen is None or not seen.type.startswith("ban.")


@pytest.mark.parametrize(
    ("network", "first", "last"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/24", "203.0.113.0", "203.0.113.255"),
        ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::ffff:203.0.113.0/120", "203.0.113.0", "203.0.113.255"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_range_in_any_form(network, first, last):
    assert address_range(network) == (first, last)


@pytest.mark.parametrize("network", ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4-1.2.3.9", "fe80::1%eth0", " ", "1" * 50])
def test_no_range_is_a_refusal(room, refused, network):
    with refused(BadParameters, field="network"):
        ban_addresses(actor=room.backend, confr_id=room.id, network=network, hold=Hold())


def test_banning_a_range_removes_who_is_inside_from_there(room, refused):
    for name, address in (("dora", "203.0.113.5"), ("erin", "203.0.114.5")):
        room.enter(name, address=address)
    ban_addresses(actor=room.backend, confr_id=room.id, network="203.0.113.0/24", hold=Hold())
    assert (room.member("dora").state, room.member("erin").state) == ("exited", "present")
    assert room.member("bob").state == "present"  # without an address


def test_banning_ones_own_range_leaves_oneself_inside(room):
    room.enter("dora", Role.ADMIN, address="203.0.113.5")
    room.enter("erin", address="203.0.113.6")
    dora = room.actor("dora", "203.0.113.5")
    ban_addresses(actor=dora, confr_id=room.id, network="203.0.113.0/24", hold=Hold())
    assert (room.member("dora").state, room.member("erin").state) == ("present", "exited")


def test_a_banned_address_publishes_and_plays_nothing(room, media, refused):
    publication = room.publish("alice")
    _, key = room.offer("bob")
    stream = Stream.objects.get(member__user__name="bob")
    play_key = room.play_key("bob", publication.stream)
    ban_addresses(actor=room.backend, confr_id=room.id, network="203.0.113.0/24", hold=Hold())
    with refused(Banned):
        admit_publisher(media.ask("publish", stream.media_name, key, address="203.0.113.5"))
    with refused(Banned):
        admit_player(media.ask("play", publication.stream.media_name, play_key, address="203.0.113.5"))
    with refused(Banned):
        admit_viewer(media.ask("watch", publication.stream.media_name, play_key, address="203.0.113.5"))
    admit_player(media.ask("play", publication.stream.media_name, play_key, address="203.0.112.5"))


def test_banning_a_range_cuts_the_media_that_flows_from_there(room, media):
    stream, key = room.offer("bob")
    event = media.ask("publish", stream.media_name, key, address="203.0.113.5")
    admit_publisher(event)
    media.admit(event)
    ban_addresses(actor=room.backend, confr_id=room.id, network="203.0.113.0/24", hold=Hold())
    factories.until(lambda: media.dropped == [event.client_id])


# Mute


def test_a_mute_is_told_and_noted_with_before_and_after(room):
    assert mute(room, "bob", "charlie", kinds=[Kind.VIDEO, Kind.AUDIO])["charlie"] is None
    assert room.member("bob").muted == ["audio", "video"]
    (event,) = room.events("member.muted")
    assert (event.data, event.before, event.after) == (
        {"member": 2, "muted": ["audio", "video"], "changed": ["audio", "video"], "all": False},
        {"muted": []},
        {"muted": ["audio", "video"]},
    )
    mute(room, "bob", kinds=[Kind.AUDIO], muted=False)
    assert room.member("bob").muted == ["video"]


def test_muting_who_is_muted_is_no_fact(room):
    mute(room, "bob", kinds=[Kind.AUDIO])
    before = room.row.last_seq
    mute(room, "bob", kinds=[Kind.AUDIO])
    assert room.row.last_seq == before


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_mutes_nobody(room, refused, name):
    with refused(NotAllowed):
        mute(room, "alice", kinds=[Kind.AUDIO], by=room.actor(name))
    with refused(NotAllowed):
        mute_all(actor=room.actor(name), confr_id=room.id, kinds=[Kind.AUDIO], muted=True)


def test_nobody_unmutes_oneself(room, refused):
    mute(room, "bob", kinds=[Kind.AUDIO])
    with refused(NotAllowed):
        mute(room, "bob", kinds=[Kind.AUDIO], muted=False, by=room.actor("bob"))


def test_everybody_but_admins_and_the_excepted_is_muted_newcomers_too(room):
    room.enter("dora")
    count = mute_all(actor=room.actor("alice"), confr_id=room.id, kinds=[Kind.AUDIO], muted=True, except_names=["dora"])
    assert count == 2
    muted = {member.user.name: member.muted for member in Member.objects.select_related("user")}
    assert muted == {"alice": [], "bob": ["audio"], "carol": ["audio"], "dora": []}
    assert room.enter("erin").muted == ["audio"]
    mute_all(actor=room.actor("alice"), confr_id=room.id, kinds=[Kind.AUDIO], muted=False)
    assert room.enter("fred").muted == []
    assert not Member.objects.exclude(muted=[]).exists()


def test_newcomers_may_be_left_out(room):
    mute_all(actor=room.backend, confr_id=room.id, kinds=[Kind.AUDIO], muted=True, newcomers=False)
    assert room.enter("dora").muted == []


def test_a_mute_survives_a_reconnect(room):
    ticket = room.ticket("bob")
    mute(room, "bob", kinds=[Kind.AUDIO])
    room.lose("bob")
    assert enter(ticket_text=ticket.text, entrance=entrance()).member.muted == ["audio"]


@pytest.mark.parametrize(
    ("kind", "muted"),
    [("audio", ["audio"]), ("desktop", ["desktop"]), ("video", ["audio", "video"]), ("", ["audio", "video"])],
)
def test_a_stream_of_nothing_but_forbidden_kinds_is_cut(room, media, refused, kind, muted):
    publication = room.publish("bob", kind=kind)
    playing = room.play("carol", publication.stream)
    mute(room, "bob", kinds=muted)
    assert room.types()[-2:] == ["member.muted", "stream.removed"]
    row = room.row
    assert (row.videos, row.desktops, Stream.objects.get().state) == (0, 0, "ended")
    factories.until(lambda: not media.list_streams().streams)
    with refused(StreamEnded):
        admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    assert playing.client_id


def test_a_stream_of_two_kinds_stays_when_one_is_muted(room, media):
    room.publish("bob", kind="video")
    mute(room, "bob", kinds=[Kind.AUDIO])
    assert (Stream.objects.get().state, room.types()[-1]) == ("live", "member.muted")


@pytest.mark.parametrize("kind", ["audio", "video", "desktop"])
def test_a_forbidden_kind_gets_no_url_and_an_old_url_is_refused(room, media, refused, kind):
    stream, key = room.offer("bob", kind=kind)
    mute(room, "bob", kinds=[kind])
    with refused(Muted, kind=kind):
        room.offer("bob", "second", kind=kind)
    event = media.ask("publish", stream.media_name, key)
    if kind == "video":  # a camera's URL is still good for when the mute ends; its owner is told
        with pytest.raises(Muted):
            admit_publisher(event)
        assert (room.events()[-1].type, room.events()[-1].data["code"]) == ("stream.refused", "muted")
    with refused(Muted if kind == "video" else StreamEnded):
        admit_publisher(event)


def test_moderators_see_who_does_not_obey_a_mute(room, media):
    stream = room.publish("bob").stream
    mute(room, "bob", kinds=[Kind.AUDIO])
    assert Stream.objects.get(pk=stream.pk).disobeys == ["audio"]
    bob = room.actor("bob")
    switch_stream(actor=bob, confr_id=room.id, user_id=bob.user_id, stream_id=stream.stream_id, audio_off=True)
    assert Stream.objects.get(pk=stream.pk).disobeys == []


def test_a_camera_of_an_old_sdk_comes_in_as_audio_while_video_is_muted(room, media):
    mute(room, "bob", kinds=[Kind.VIDEO])
    publication = room.publish("bob", kind="")
    assert (publication.stream.seat, publication.stream.video_off, room.row.videos) == ("", True, 0)


def test_in_live_a_mute_of_audience_is_told_to_nobody_else(live_room):
    mute_all(actor=live_room.backend, confr_id=live_room.id, kinds=[Kind.AUDIO], muted=True)
    carol = live_room.member("carol").number
    (event,) = [event for event in live_room.events("member.muted") if event.data["member"] == carol]
    assert view(neutral(event), Viewer(live_room.member("bob").number, Role.TALKER)) is None
    assert factories.some(view(neutral(event), Viewer(carol, Role.AUDIENCE))).data["muted"] == ["audio"]


def test_muting_many_takes_as_many_statements_as_muting_one(new_room):
    counts = []
    for size in (2, 20):
        room = new_room(11, creator=None)
        for number in range(size):
            room.enter(f"user-{number}")
        with statements() as found:
            assert mute_all(actor=room.backend, confr_id=room.id, kinds=[Kind.AUDIO], muted=True) == size
        counts.append(len(found))
    assert counts[0] == counts[1]
