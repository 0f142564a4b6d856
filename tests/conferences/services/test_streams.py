"""URLs to push and play, and the end of a stream by a moderator."""

from __future__ import annotations

import re

import pytest

from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import (
    ConferenceClosed,
    ConferenceNotFound,
    MemberNotFound,
    Muted,
    StreamEnded,
    StreamIdInvalid,
    StreamNotFound,
)
from conferences.models import Kind, Role, Stream
from conferences.services.admission import admit_publisher, release_client
from conferences.services.conferences import destroy_conference
from conferences.services.moderation import mute_members
from conferences.services.roles import grant_role
from conferences.services.streams import pub_stream, stop_stream, sub_stream, switch_stream
from tests import factories


def push(actor, room, user_id, rtc_id="camera", **options):
    return pub_stream(actor=actor, confr_id=room.id, user_id=user_id, rtc_id=rtc_id, **options)


def play(actor, room, user_id, stream_id="camera__Of_M2"):
    return sub_stream(actor=actor, confr_id=room.id, user_id=user_id, stream_id=stream_id)


def test_the_media_name_is_ours_and_made_of_nothing_that_a_client_sent(room):
    stream, key = room.offer("bob", "my-rtc-id")
    assert re.fullmatch(rf"{room.id}-[0-9a-f]{{16}}", stream.media_name)
    assert len(key) <= 48
    assert stream.stream_id == "my-rtc-id__Of_M2"


def test_asking_again_gives_the_same_stream(room, media):
    first, _ = room.offer("bob")
    second, _ = room.offer("bob")
    assert first.pk == second.pk
    room.publish("bob")
    third, _ = room.offer("bob", kind="audio")
    assert (third.pk, third.kind) == (first.pk, "video")


def test_before_it_is_live_the_declaration_may_change(room):
    room.offer("bob", kind="video")
    stream, _ = room.offer("bob", kind="audio")
    assert (stream.kind, stream.video_off) == ("audio", True)


def test_two_members_may_use_one_rtc_id(room, media):
    room.publish("bob", "same")
    room.publish("alice", "same")
    assert set(Stream.objects.values_list("member__number", flat=True)) == {1, 2}


@pytest.mark.parametrize("rtc_id", ["", "a b", "x" * 65, "ä", "a/b", "a\n", "a.b", "__Of_M1 ", "%00"])
def test_an_odd_rtc_id_is_refused(room, refused, rtc_id):
    with refused(StreamIdInvalid):
        push(room.actor("bob"), room, room.member("bob").user_id, rtc_id)


def test_an_rtc_id_that_looks_like_a_stream_id_is_found_again(room, media):
    publication = room.publish("bob", "x__Of_M1")
    assert play(room.actor("carol"), room, room.member("carol").user_id, "x__Of_M1__Of_M2")["rtmp"]
    assert publication.stream.stream_id == "x__Of_M1__Of_M2"


def test_nobody_gets_the_url_of_another(room, media, refused):
    room.publish("bob")
    bob, alice = room.member("bob").user_id, room.member("alice").user_id
    for name, user_id in (("alice", bob), ("carol", bob), ("bob", alice), ("charlie", bob)):
        with refused(NotAllowed):
            push(room.actor(name), room, user_id)
        with refused(NotAllowed):
            play(room.actor(name), room, user_id)


def test_the_application_gets_urls_for_its_members(room, media):
    push(room.backend, room, room.member("bob").user_id)
    room.publish("bob")
    play(room.backend, room, room.member("carol").user_id)


def test_outsiders_and_other_tenants_get_no_url(room, charlie, mallory, foreign_robot, application, media, refused):
    room.publish("bob")
    for call in (push, play):
        with refused(MemberNotFound):
            call(charlie, room, charlie.user_id)
        with refused(ConferenceNotFound):
            call(mallory, room, mallory.user_id)
        with refused(ConferenceNotFound):
            call(foreign_robot, room, room.member("bob").user_id)
        with refused(ScopeMissing):
            call(factories.backend(application, frozenset({"read"})), room, room.member("bob").user_id)


@pytest.mark.parametrize(
    "stream_id",
    [
        "",
        "camera",
        "camera__Of_M",
        "camera__Of_M1",
        "__Of_M2",
        "camera__Of_M02x",
        "camera__Of_M-2",
        "c__Of_M" + "9" * 30,
    ],
)
def test_a_stream_that_is_not_there_is_not_found(room, media, refused, stream_id):
    room.publish("bob")
    with refused(StreamNotFound):
        play(room.actor("carol"), room, room.member("carol").user_id, stream_id)
    with refused(StreamNotFound):
        stop_stream(actor=room.backend, confr_id=room.id, stream_id=stream_id)


def test_an_offered_stream_is_not_there_to_be_played(room, refused):
    room.offer("bob")
    with refused(StreamEnded):
        play(room.actor("carol"), room, room.member("carol").user_id)


def test_play_urls_come_by_protocol(room, media):
    room.publish("bob")
    urls = play(room.actor("carol"), room, room.member("carol").user_id)
    assert set(urls) == {"rtmp", "hls"}


@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_stops_nothing(room, media, refused, name):
    room.publish("alice")
    with refused(NotAllowed):
        stop_stream(actor=room.actor(name), confr_id=room.id, stream_id="camera__Of_M1")


def test_stopping_frees_the_seat_and_says_why(room, media):
    room.publish("bob")
    stop_stream(actor=room.actor("alice"), confr_id=room.id, stream_id="camera__Of_M2", reason="loud")
    (removed,) = room.events("stream.removed")
    assert (removed.data["reason"], removed.personal["reason"], room.row.videos) == ("stopped", "loud", 0)


def test_stopping_what_was_only_offered_tells_nobody(room, published):
    room.offer("bob")
    published.facts()
    stop_stream(actor=room.backend, confr_id=room.id, stream_id="camera__Of_M2")
    assert published.facts() == []
    assert Stream.objects.get().state == "ended"


def test_the_same_rtc_id_lives_again_as_a_new_stream(room, media):
    first = room.publish("bob").stream
    stop_stream(actor=room.backend, confr_id=room.id, stream_id="camera__Of_M2")
    second = room.publish("bob").stream
    assert (second.pk != first.pk, second.media_name != first.media_name) == (True, True)


def test_after_the_end_there_is_no_url(room, media, refused):
    room.publish("bob")
    destroy_conference(actor=room.backend, confr_id=room.id)
    for call in (push, play):
        with refused(ConferenceClosed):
            call(room.actor("bob"), room, room.member("bob").user_id)


def test_a_promoted_member_publishes(room, media):
    grant_role(actor=room.backend, confr_id=room.id, names=["carol"], role=Role.TALKER)
    assert room.publish("carol").stream.state == "live"


# What its owner shows at present


def switch(room, name, stream_id="camera__Of_M2", **off):
    return switch_stream(
        actor=room.actor(name), confr_id=room.id, user_id=room.member(name).user_id, stream_id=stream_id, **off
    )


def test_an_owner_switches_its_stream_and_everybody_is_told(room, media):
    room.publish("bob")
    switch(room, "bob", video_off=True)
    (changed,) = room.events("stream.changed")
    assert (changed.data["member"], changed.data["stream"]["video_off"]) == (2, True)
    before = room.row.last_seq
    switch(room, "bob", video_off=True)
    assert room.row.last_seq == before


def test_what_was_switched_off_stays_off_over_a_reconnect(room, media):
    publication = room.publish("bob", kind="")
    switch(room, "bob", video_off=True)
    release_client(media.leave(publication.event))
    admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    assert Stream.objects.get().video_off


def test_who_is_muted_cannot_switch_on(room, media, refused):
    room.publish("bob")
    switch(room, "bob", audio_off=True)
    mute_members(actor=room.backend, confr_id=room.id, names=["bob"], kinds=[Kind.AUDIO], muted=True)
    with refused(Muted, kind="audio"):
        switch(room, "bob", audio_off=False)
    switch(room, "bob", video_off=True)


def test_nobody_switches_the_stream_of_another(room, media, refused):
    room.publish("bob")
    with refused(StreamNotFound):
        switch(room, "alice", video_off=True)
    with refused(NotAllowed):
        switch(room, "carol", video_off=True)
