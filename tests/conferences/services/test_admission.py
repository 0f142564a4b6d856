"""What the media server asks and tells: twice, late, in the wrong order, forged, or never."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest

from accounts.errors import NotAllowed
from conferences.errors import (
    ConferenceClosed,
    DesktopsFull,
    Muted,
    StreamBusy,
    StreamEnded,
    StreamNotFound,
    VideosFull,
)
from conferences.events import Viewer, view
from conferences.media import keys
from conferences.media.keys import MediaKeyExpired, MediaKeyInvalid
from conferences.models import Kind, MediaSession, Role, Stream
from conferences.services.admission import (
    admit_player,
    admit_publisher,
    admit_viewer,
    keep_client,
    release_client,
)
from conferences.services.conferences import destroy_conference, update_conference
from conferences.services.members import leave, sweep_lost
from conferences.services.moderation import kick_members, mute_members
from conferences.services.reconcile import reconcile
from conferences.services.streams import own_url, pub_stream, stop_stream
from tests import factories
from tests.database import all_rows, statements, together

CAMERA = {"id": "camera__Of_M2", "rtc_id": "camera", "type": 0, "kind": "video", "video_off": False, "audio_off": False}


def leaves(room, name):
    leave(actor=room.actor(name), confr_id=room.id, user_id=room.member(name).user_id)


def stream_of(name):
    return Stream.objects.filter(member__user__name=name).latest("pk")


# A stream is in the room when the media server says so


def test_a_url_alone_shows_nobody_anything(room, published):
    published.facts()
    stream, _ = room.offer("bob")
    assert (stream.state, room.row.videos, published.facts()) == ("offered", 0, [])


def test_an_accepted_publish_puts_the_stream_in_the_room(room, media, published):
    published.facts()
    publication = room.publish("bob")
    (added,) = published.facts()
    assert (added["type"], added["data"], added["personal"]) == (
        "stream.added",
        {"member": 2, "stream": CAMERA},
        {"name": "bob"},
    )
    assert (publication.stream.state, publication.stream.seat, room.row.videos) == ("live", "video", 1)
    session = MediaSession.objects.get()
    assert (session.action, session.client_id, session.boot_id, session.member_id) == (
        "publish",
        publication.event.client_id,
        publication.event.boot_id,
        room.member("bob").pk,
    )


def test_its_end_takes_it_out_and_the_same_url_brings_it_back(room, media):
    publication = room.publish("bob")
    release_client(media.leave(publication.event))
    assert (Stream.objects.get().state, room.row.videos) == ("offered", 0)
    again = media.ask("publish", publication.stream.media_name, publication.key)
    admit_publisher(again)
    assert (Stream.objects.get().state, room.row.videos) == ("live", 1)
    assert room.types()[-3:] == ["stream.added", "stream.removed", "stream.added"]


# Seats


def test_seats_are_taken_by_the_declared_kind(room, media):
    for rtc_id, kind, seats in (
        ("a", "audio", (0, 0)),
        ("b", "video", (1, 0)),
        ("c", "desktop", (1, 1)),
        ("d", "", (2, 1)),
    ):
        room.publish("bob", rtc_id, kind)
        assert (room.row.videos, room.row.desktops) == seats


@pytest.mark.parametrize(
    ("kind", "error", "limit"), [("video", VideosFull, "videos"), ("desktop", DesktopsFull, "desktops")]
)
def test_media_seats_are_exact_and_the_refusal_names_the_limit(new_room, media, kind, error, limit):
    room = new_room(limits={limit: 2})
    room.enter("bob")
    for number in range(2):
        room.publish("bob", f"s{number}", kind)
    stream, key = room.offer("bob", "late", kind)
    event = media.ask("publish", stream.media_name, key)
    with turned_away(room, event, error) as refusal:
        admit_publisher(event)
    assert refusal.value.fields == {"limit": limit, "maximum": 2}
    assert refusal.value.application_id == room.conference.application_id
    release_client(media.leave(factories.Publication(stream, key, _publisher_of(media, "s0")).event))
    admit_publisher(event)


@contextmanager
def turned_away(room, event, error):
    """The publish is refused: it takes no seat, is let in nowhere, and is not in the room."""
    before = (room.row.videos, room.row.desktops, MediaSession.objects.count(), Stream.objects.live().count())
    with pytest.raises(error) as refusal:
        yield refusal
    assert (room.row.videos, room.row.desktops, MediaSession.objects.count(), Stream.objects.live().count()) == before
    assert Stream.objects.get(media_name=event.name).state == "offered"


def _publisher_of(media, rtc_id):
    stream = Stream.objects.get(rtc_id=rtc_id)
    session = MediaSession.objects.get(stream=stream)
    return replace(media.ask("publish", stream.media_name, ""), client_id=session.client_id)


# Who is turned away is told why


@pytest.fixture
def knock(new_room, media):
    """A room whose only seat for videos alice has, and bob's camera, which is turned away at each try."""
    room = new_room(limits={"videos": 1})
    room.enter("alice")
    room.enter("bob")
    first = room.publish("alice", "first")
    stream, key = room.offer("bob")
    event = media.ask("publish", stream.media_name, key)

    def again(error):
        with turned_away(room, event, error):
            admit_publisher(event)

    return room, first, event, again


def refusals_of(room):
    return [fact.data["code"] for fact in room.events("stream.refused")]


def test_who_finds_no_seat_is_told_and_nobody_else(knock, published):
    room, _, _, again = knock
    published.facts()
    again(VideosFull)
    (told,) = published.facts()
    number = room.member("bob").number
    assert (told["type"], told["data"]) == (
        "stream.refused",
        {"member": number, "to": [number], "stream": CAMERA, "code": "videos_full"},
    )
    assert view(told, Viewer(number, Role.TALKER))
    assert view(told, Viewer(room.member("alice").number, Role.ADMIN)) is None


def test_who_tries_again_and_again_is_told_once(knock, media, published):
    room, _, event, again = knock
    again(VideosFull)
    published.facts()
    before = all_rows()
    for _ in range(5):
        again(VideosFull)
    with pytest.raises(VideosFull):
        admit_publisher(media.ask("publish", event.name, event.key))  # from another connection
    assert all_rows() == before
    assert published.facts() == []
    assert refusals_of(room) == ["videos_full"]


def test_who_asks_for_a_url_anew_is_told_anew(knock):
    room, _, _, again = knock
    again(VideosFull)
    room.offer("bob")
    again(VideosFull)
    again(VideosFull)
    assert refusals_of(room) == ["videos_full"] * 2


def test_who_was_let_in_meanwhile_is_told_anew(knock, media):
    room, first, event, again = knock
    again(VideosFull)
    release_client(media.leave(first.event))
    admit_publisher(event)
    release_client(replace(event, kind="unpublish"))
    admit_publisher(media.ask("publish", first.event.name, first.key))
    again(VideosFull)
    again(VideosFull)
    assert refusals_of(room) == ["videos_full"] * 2


def test_another_cause_is_told_too(knock):
    room, _, _, again = knock
    again(VideosFull)
    mute_members(actor=room.backend, confr_id=room.id, names=["bob"], kinds=[Kind.VIDEO], muted=True)
    again(Muted)
    again(Muted)
    assert refusals_of(room) == ["videos_full", "muted"]


def test_a_key_that_is_not_good_tells_nobody(knock, refused):
    _, _, event, _ = knock
    with refused(MediaKeyInvalid):
        admit_publisher(replace(event, key=event.key[:-1]))


def test_who_declares_nothing_is_audio_only_when_all_video_seats_are_taken(new_room, media):
    room = new_room(limits={"videos": 1})
    room.enter("bob")
    assert room.publish("bob", "first", "").stream.seat == "video"
    second = room.publish("bob", "second", "").stream
    assert (second.seat, second.video_off, second.state) == ("", True, "live")
    assert room.row.videos == 1


def test_an_audio_only_stream_of_an_old_sdk_may_show_video_at_its_next_publish(new_room, media):
    room = new_room(limits={"videos": 1})
    room.enter("bob")
    first, second = room.publish("bob", "first", ""), room.publish("bob", "second", "")
    release_client(media.leave(first.event))
    release_client(media.leave(second.event))
    admit_publisher(media.ask("publish", second.stream.media_name, second.key))
    stream = Stream.objects.get(rtc_id="second")
    assert (stream.seat, stream.video_off) == ("video", False)


def test_a_stream_type_of_desktop_takes_a_desktop_seat_whatever_it_declares(room, media):
    assert room.publish("bob", "screen", "video", stream_type=1).stream.seat == "desktop"
    assert (room.row.videos, room.row.desktops) == (0, 1)


def test_what_is_live_takes_no_second_seat(room, media):
    publication = room.publish("bob")
    admit_publisher(publication.event)
    assert room.row.videos == 1


# Hooks twice, late, in the wrong order, or of nobody


def test_a_publish_hook_twice_is_one_publish(room, media):
    publication = room.publish("bob")
    before = room.row.last_seq
    for _ in range(2):
        admit_publisher(publication.event)
    assert (MediaSession.objects.count(), room.row.last_seq) == (1, before)


def test_a_play_hook_twice_is_one_play(room, media):
    publication = room.publish("bob")
    event = room.play("carol", publication.stream)
    admit_player(event)
    assert MediaSession.objects.filter(action="play").count() == 1


def test_an_unpublish_twice_is_one_end(room, media):
    gone = media.leave(room.publish("bob").event)
    for _ in range(3):
        release_client(gone)
    assert room.types().count("stream.removed") == 1
    assert room.row.videos == 0


def test_a_goodbye_of_somebody_unknown_means_nothing(room, media, published):
    publication = room.publish("bob")
    published.facts()
    before = room.row.last_seq
    for event in (
        replace(publication.event, kind="unpublish", client_id="999"),
        replace(publication.event, kind="unpublish", boot_id="another run"),
        replace(publication.event, kind="unpublish", client_id=""),
    ):
        release_client(event)
    assert (Stream.objects.get().state, room.row.last_seq, published.facts()) == ("live", before, [])


def test_a_goodbye_before_its_publish_leaves_a_ghost_that_the_reconciler_closes(room, media, clock):
    stream, key = room.offer("bob")
    event = media.ask("publish", stream.media_name, key)
    release_client(replace(event, kind="unpublish"))
    admit_publisher(event)
    clock.shift(7)
    assert reconcile() == 1
    assert (Stream.objects.get().state, room.row.videos) == ("offered", 0)


def test_a_publish_hook_that_comes_again_after_its_goodbye_is_no_new_publish(room, media, clock):
    """Late twins must not fail either: whatever they make of it, the reconciler puts right."""
    publication = room.publish("bob")
    release_client(media.leave(publication.event))
    admit_publisher(publication.event)
    clock.shift(7)
    reconcile()
    assert (Stream.objects.get().state, room.row.videos) == ("offered", 0)


def test_one_connection_may_publish_again(room, media):
    publication = room.publish("bob")
    release_client(media.leave(publication.event))
    admit_publisher(publication.event)
    media.admit(publication.event)
    assert (Stream.objects.get().state, room.row.videos) == ("live", 1)
    release_client(media.leave(publication.event))
    assert (Stream.objects.get().state, room.row.videos) == ("offered", 0)


def test_one_connection_may_play_again_and_is_dropped_with_its_member(room, media):
    publication = room.publish("bob")
    playing = room.play("carol", publication.stream)
    release_client(replace(playing, kind="stop"))
    admit_player(playing)
    kick_members(actor=room.backend, confr_id=room.id, names=["carol"])
    factories.until(lambda: len(media.list_streams().streams[0].clients) == 1)


def test_one_connection_that_plays_two_streams_is_dropped_from_both(room, media):
    one, two = room.publish("bob"), room.publish("alice")
    first = room.play("carol", one.stream)
    second = replace(first, name=two.stream.media_name, key=room.play_key("carol", two.stream))
    admit_player(second)
    media.admit(second)
    kick_members(actor=room.backend, confr_id=room.id, names=["carol"])
    factories.until(lambda: all(len(stream.clients) == 1 for stream in media.list_streams().streams))


def test_a_late_goodbye_of_a_cut_publisher_does_not_end_its_successor(room, media, clock):
    mute_members(actor=room.backend, confr_id=room.id, names=["bob"], kinds=[Kind.VIDEO], muted=True)
    publication = room.publish("bob", kind="")
    media.show(publication.stream.media_name, width=640, height=360)
    reconcile()  # the picture has no seat: the publisher is cut
    factories.until(lambda: not media.list_streams().streams)
    successor = media.ask("publish", publication.stream.media_name, publication.key)
    admit_publisher(successor)
    release_client(replace(publication.event, kind="unpublish"))
    assert Stream.objects.get().state == "live"
    release_client(replace(successor, kind="unpublish"))
    assert Stream.objects.get().state == "offered"


# Two publishers of one stream


def test_while_one_publishes_another_is_refused_and_the_first_stays(room, media, refused):
    publication = room.publish("bob")
    twin = media.ask("publish", publication.stream.media_name, publication.key)

    growing = Event()

    def grow():
        while not growing.wait(0.05):
            size = media.list_streams().streams[0].bytes_in
            media.show(publication.stream.media_name, bytes_in=size + 1000)

    def knock():
        try:
            admit_publisher(twin)
        finally:
            growing.set()

    with refused(StreamBusy):
        _raise_first(together(knock, grow))
    assert media.dropped == []
    assert MediaSession.objects.get(closed_at=None).client_id == publication.event.client_id


def _raise_first(outcomes):
    raise outcomes[0]


def test_a_publisher_that_stands_still_is_replaced_without_a_fact(room, media, published):
    publication = room.publish("bob")
    playing = room.play("carol", publication.stream)
    published.facts()
    newcomer = media.ask("publish", publication.stream.media_name, publication.key)
    admit_publisher(newcomer)
    assert media.dropped == [publication.event.client_id]
    assert published.facts() == []
    holder = MediaSession.objects.get(action="publish", closed_at=None)
    assert (holder.client_id, room.row.videos) == (newcomer.client_id, 1)
    release_client(replace(publication.event, kind="unpublish"))  # the late goodbye of the first
    assert Stream.objects.get().state == "live"
    assert playing.client_id


# Whose key, for what, until when


def test_a_key_is_for_one_action_on_one_stream(room, media, refused):
    publication, other = room.publish("bob"), room.publish("alice")
    offered, key = room.offer("bob", "second")
    play_key = room.play_key("carol", publication.stream)
    name = publication.stream.media_name
    for event in (
        media.ask("play", name, publication.key),
        media.ask("watch", name, publication.key),
        media.ask("play", other.stream.media_name, play_key),
        media.ask("watch", other.stream.media_name, play_key),
    ):
        with refused(MediaKeyInvalid):
            (admit_viewer if event.kind == "watch" else admit_player)(event)
    for event in (
        media.ask("publish", offered.media_name, play_key),
        media.ask("publish", offered.media_name, publication.key),
        media.ask("publish", offered.media_name, ""),
        media.ask("publish", offered.media_name, key[:-1]),
        media.ask("publish", offered.media_name, key + "A"),
        media.ask("publish", offered.media_name, key.upper()),
        media.ask("publish", offered.media_name, key.replace(".", "|")),
        media.ask("publish", offered.media_name, "x" * 1000),
        media.ask("publish", offered.media_name, "0." + key.partition(".")[2]),
    ):
        with refused(MediaKeyInvalid):
            admit_publisher(event)


def test_a_key_expires(room, media, clock, refused):
    stream, key = room.offer("bob")
    clock.shift(3 * 86_400)
    with refused(MediaKeyExpired):
        admit_publisher(media.ask("publish", stream.media_name, key))


@pytest.mark.parametrize("name", ["", "x", "A" * 64, "';--", "../../etc"])
def test_a_name_that_is_not_ours_is_refused(room, media, refused, name):
    _, key = room.offer("bob")
    for kind, admit in (("publish", admit_publisher), ("play", admit_player), ("watch", admit_viewer)):
        with refused(StreamNotFound):
            admit(media.ask(kind, name, key))


def test_after_leaving_keys_are_useless(room, media, refused):
    publication, other = room.publish("bob"), room.publish("alice")
    play_key = room.play_key("bob", other.stream)
    leaves(room, "bob")
    with refused(StreamEnded):
        admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    for kind, admit in (("play", admit_player), ("watch", admit_viewer)):
        with refused(NotAllowed):
            admit(media.ask(kind, other.stream.media_name, play_key))
    room.enter("bob")  # a new seat does not revive them
    with refused(NotAllowed):
        admit_player(media.ask("play", other.stream.media_name, play_key))


def test_after_the_end_keys_are_useless(room, media, refused):
    publication = room.publish("bob")
    play_key = room.play_key("carol", publication.stream)
    destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(ConferenceClosed):
        admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    for kind, admit in (("play", admit_player), ("watch", admit_viewer)):
        with refused(ConferenceClosed):
            admit(media.ask(kind, publication.stream.media_name, play_key))


def test_in_grace_streams_and_keys_go_on(room, media, clock):
    publication = room.publish("bob")
    room.lose("bob")
    clock.shift(20)
    sweep_lost()
    release_client(media.leave(publication.event))
    admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    assert Stream.objects.get().state == "live"


def test_audience_publishes_nothing(room, media, refused):
    carol = room.member("carol")
    with refused(NotAllowed):
        pub_stream(actor=room.actor("carol"), confr_id=room.id, user_id=carol.user_id, rtc_id="x", kind="audio")
    with refused(NotAllowed):
        pub_stream(actor=room.backend, confr_id=room.id, user_id=carol.user_id, rtc_id="x")


def test_nothing_plays_that_is_not_live(room, media, refused):
    publication = room.publish("bob")
    play_key = room.play_key("carol", publication.stream)
    release_client(media.leave(publication.event))
    for kind, admit in (("play", admit_player), ("watch", admit_viewer)):
        with refused(StreamEnded):
            admit(media.ask(kind, publication.stream.media_name, play_key))


def test_a_stopped_stream_is_cut_for_everybody_and_its_url_is_useless(room, media, refused):
    publication = room.publish("bob")
    room.play("carol", publication.stream)
    stop_stream(actor=room.actor("alice"), confr_id=room.id, stream_id="camera__Of_M2", reason="loud")
    factories.until(lambda: not media.list_streams().streams)
    with refused(StreamEnded):
        admit_publisher(media.ask("publish", publication.stream.media_name, publication.key))
    assert room.publish("bob").stream.pk != publication.stream.pk


# Updates


def test_an_update_of_who_may_stay_passes_and_of_a_revoked_client_is_refused(room, media, refused):
    publication = room.publish("bob")
    playing = room.play("carol", publication.stream)
    for event in (publication.event, playing, replace(playing, client_id="unknown")):
        keep_client(replace(event, kind="update"))
    kick_members(actor=room.backend, confr_id=room.id, names=["bob"])
    for event in (publication.event, playing):
        with refused(NotAllowed):
            keep_client(replace(event, kind="update"))


# How much it costs


def test_a_viewers_question_writes_and_locks_nothing(room, media):
    publication = room.publish("bob")
    event = media.ask("watch", publication.stream.media_name, room.play_key("carol", publication.stream))
    with statements() as found:
        admit_viewer(event)
    assert len(found) <= 4
    assert not any(word in each["sql"].upper() for each in found for word in ("FOR UPDATE", "INSERT", "UPDATE "))


def test_hooks_take_as_many_statements_in_a_full_room_as_in_an_empty_one(new_room, media):
    counts = []
    for size in (1, 12):
        room = new_room(11, creator=None, limits={"videos": 100})
        room.enter("bob")
        for number in range(size):
            room.enter(f"user-{number}", Role.TALKER)
            room.publish(f"user-{number}")
        stream, key = room.offer("bob")
        event = media.ask("publish", stream.media_name, key)
        with statements() as admitted:
            admit_publisher(event)
        with statements() as released:
            release_client(replace(event, kind="unpublish"))
        counts.append((len(admitted), len(released)))
    assert counts[0] == counts[1]


def test_lowered_media_limits_cut_nobody_and_let_no_newcomer_in(room, media):
    room.publish("bob", "one")
    room.publish("bob", "two")
    update_conference(actor=room.backend, confr_id=room.id, changes={"max_videos": 1})
    assert room.row.videos == 2
    stream, key = room.offer("bob", "three")
    event = media.ask("publish", stream.media_name, key)
    with turned_away(room, event, VideosFull):
        admit_publisher(event)


# Confr itself


def own_key(action, stream):
    return own_url(action, stream.media_name).partition("key=")[2]


def test_confr_itself_plays_every_live_stream_and_publishes_none_that_is_a_members(room, media, refused):
    publication = room.publish("bob")
    offered, _ = room.offer("alice")
    event = media.ask("play", publication.stream.media_name, own_key("play", publication.stream))
    admit_player(event)
    admit_viewer(replace(event, kind="watch", client_id=""))
    session = MediaSession.objects.get(client_id=event.client_id)
    assert (session.member, session.action, session.closed_at) == (None, "play", None)

    with refused(StreamEnded):
        admit_player(media.ask("play", offered.media_name, own_key("play", offered)))
    with refused(NotAllowed):
        admit_publisher(media.ask("publish", offered.media_name, own_key("publish", offered)))
    with refused(MediaKeyInvalid):
        admit_player(media.ask("play", offered.media_name, own_key("play", publication.stream)))


def test_a_stream_of_no_member_takes_no_seat_and_is_told_to_all(room, media, published):
    stream = Stream.objects.create(
        conference=room.conference, rtc_id="mix-1", type=2, kind=Kind.VIDEO, media_name=f"{room.id}-0a"
    )
    published.facts()
    with pytest.raises(NotAllowed):
        admit_publisher(media.ask("publish", stream.media_name, keys.issue("publish", stream.media_name, 1, 2**31)))
    event = media.ask("publish", stream.media_name, own_key("publish", stream))
    admit_publisher(event)
    media.admit(event)
    media.show(stream.media_name, width=640, height=360, video_codec="H264")
    (added,) = published.facts()
    assert (added["type"], added["data"]["member"], added["data"]["stream"]["type"]) == ("stream.added", 0, 2)
    assert added["data"]["stream"]["id"] == "mix-1__Of_M0"
    assert room.row.videos == 0

    reconcile()
    stream.refresh_from_db()
    assert (stream.state, stream.width) == ("live", 640)
    assert room.play_key("carol", stream)
    stop_stream(actor=room.actor("alice"), confr_id=room.id, stream_id="mix-1__Of_M0")
    with pytest.raises(StreamEnded):
        admit_publisher(media.ask("publish", stream.media_name, own_key("publish", stream)))
