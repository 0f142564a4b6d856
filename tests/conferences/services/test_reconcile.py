"""Reconciling: what the media server has against what we believe."""

from __future__ import annotations

from conferences.models import MediaSession, Stream
from conferences.services.admission import admit_publisher
from conferences.services.moderation import kick_members
from conferences.services.reconcile import reconcile
from tests import factories


def kick(room, *names):
    kick_members(actor=room.backend, confr_id=room.id, names=names)


def wait_for(clients, media):
    """Until exactly these clients are at the media server."""
    factories.until(lambda: {client for client, _ in media.list_streams().clients} == clients)


def revoked():
    return MediaSession.objects.filter(revoked_at__isnull=False, closed_at=None)


def test_a_client_that_vanished_without_a_word_is_closed(room, media, clock):
    publication = room.publish("bob")
    media.restart()
    assert reconcile() == 0  # its hook may still be on its way
    clock.shift(7)
    assert reconcile() == 1
    assert reconcile() == 0
    assert room.types()[-2:] == ["media.repaired", "stream.removed"]
    assert (Stream.objects.get().state, room.row.videos) == ("offered", 0)
    admitted = media.ask("publish", publication.stream.media_name, publication.key)
    admit_publisher(admitted)
    assert Stream.objects.get().state == "live"


def test_a_client_of_the_same_number_in_a_new_run_is_another(room, media, clock):
    publication = room.publish("bob")
    media.restart()
    other = media.ask("play", publication.stream.media_name, "")
    assert other.client_id == publication.event.client_id
    media.admit(other)
    clock.shift(7)
    assert reconcile() == 1
    assert Stream.objects.get().state == "offered"


def test_a_player_that_vanished_is_closed_without_a_word_to_members(room, media, clock, published):
    publication = room.publish("bob")
    playing = room.play("carol", publication.stream)
    media.leave(playing)
    clock.shift(7)
    published.facts()
    assert reconcile() == 1
    assert published.types() == ["media.repaired"]
    assert Stream.objects.get().state == "live"


def old(media, name):
    stream = next(stream for stream in media.list_streams().streams if stream.name == name)
    clients = tuple(type(client)(client.id, client.address, client.publishing, 60_000) for client in stream.clients)
    media.show(name, clients=clients)


def test_a_stranger_is_dropped_once_its_hook_can_no_longer_be_on_its_way(room, media):
    stranger = media.ask("publish", "nobody-knows", "")
    media.admit(stranger)
    assert reconcile() == 0
    old(media, "nobody-knows")
    assert reconcile() == 1
    assert media.dropped == [stranger.client_id]


def test_a_kicked_publisher_that_came_back_is_dropped(room, media, clock):
    publication = room.publish("bob")
    kick(room, "bob")
    wait_for(set(), media)
    clock.shift(6)
    factories.until(lambda: not revoked().exists())
    media.admit(publication.event)
    old(media, publication.stream.media_name)
    assert reconcile() == 1
    wait_for(set(), media)


def test_who_is_known_is_left_alone(room, media, clock):
    publication = room.publish("bob")
    room.play("carol", publication.stream)
    old(media, publication.stream.media_name)
    clock.shift(60)
    assert reconcile() == 0
    assert media.dropped == []


def test_a_picture_without_a_seat_is_cut_and_its_owner_told(new_room, media, published):
    room = new_room(limits={"videos": 0})
    room.enter("bob")
    publication = room.publish("bob", kind="")
    published.facts()
    media.show(publication.stream.media_name, width=640, height=360)
    assert reconcile() == 1
    removed, told = published.facts()
    assert (removed["type"], told["type"], told["data"]["to"], told["data"]["code"]) == (
        "stream.removed",
        "stream.refused",
        [1],
        "videos_full",
    )
    wait_for(set(), media)
    assert (Stream.objects.get().state, room.row.videos) == ("offered", 0)


def test_a_picture_in_a_stream_declared_as_audio_is_cut(room, media):
    publication = room.publish("bob", kind="audio")
    media.show(publication.stream.media_name, width=640, height=360)
    assert reconcile() == 1


def test_a_picture_with_a_seat_stays(room, media):
    publication = room.publish("bob", kind="")
    media.show(publication.stream.media_name, width=640, height=360)
    assert reconcile() == 0


def test_sizes_and_bitrates_are_noted_without_a_fact(room, media, clock, published):
    publication = room.publish("bob")
    name = publication.stream.media_name
    media.show(name, width=640, height=360, bytes_in=1000)
    reconcile()
    published.facts()
    clock.shift(10)
    media.show(name, bytes_in=1_001_000)
    reconcile()
    stream = Stream.objects.get()
    assert (stream.width, stream.height, stream.bytes_in) == (640, 360, 1_001_000)
    assert 700_000 < stream.bitrate <= 800_000
    assert published.facts() == []


def test_reconciling_twice_changes_nothing_more(room, media, clock):
    room.publish("bob")
    media.restart()
    clock.shift(7)
    reconcile()
    before = room.row.last_seq
    assert [reconcile(), reconcile(), room.row.last_seq] == [0, 0, before]
