"""Drops: again and again, until the media server agrees that nobody is left."""

from __future__ import annotations

from datetime import timedelta

from conferences.models import MediaSession, Stream
from conferences.services.admission import admit_publisher
from conferences.services.conferences import destroy_conference
from conferences.services.drops import drop_revoked
from conferences.services.moderation import kick_members
from tests import factories


def kick(room, *names):
    kick_members(actor=room.backend, confr_id=room.id, names=names)


def revoked():
    return MediaSession.objects.filter(revoked_at__isnull=False, closed_at=None)


def wait_for(clients, media):
    """Until exactly these clients are at the media server."""
    factories.until(lambda: {client for client, _ in media.list_streams().clients} == clients)


def test_a_kick_is_silence_within_a_second(room, media):
    publication = room.publish("bob")
    room.play("carol", publication.stream)
    kick(room, "bob")
    factories.until(lambda: not media.list_streams().streams, seconds=1.0)


def test_a_session_is_open_until_no_leave_given_before_can_come_alive(room, media, clock):
    publication = room.publish("bob")
    kick(room, "bob")
    wait_for(set(), media)
    assert revoked().count() == 1
    clock.shift(6)
    factories.until(lambda: not revoked().exists())
    assert publication.event.client_id in media.dropped


def test_a_publish_that_comes_alive_after_the_kick_is_dropped(room, media):
    stream, key = room.offer("bob")
    event = media.ask("publish", stream.media_name, key)
    admit_publisher(event)  # the hook said yes; the media server has not heard it yet
    kick(room, "bob")
    media.admit(event)
    wait_for(set(), media)
    assert media.dropped == [event.client_id]


def test_somebody_who_comes_back_is_dropped_again(room, media):
    publication = room.publish("bob")
    kick(room, "bob")
    for _ in range(3):
        wait_for(set(), media)
        media.admit(publication.event)
    wait_for(set(), media)
    assert len(media.dropped) == 4


def test_others_are_left_alone(room, media):
    bobs, alices = room.publish("bob"), room.publish("alice")
    watching = room.play("carol", alices.stream)
    room.play("bob", alices.stream)
    kick(room, "bob")
    wait_for({alices.event.client_id, watching.client_id}, media)
    assert Stream.objects.get(pk=alices.stream.pk).state == "live"
    assert bobs.event.client_id in media.dropped


def test_while_the_media_server_is_away_the_rows_wait(room, media, clock):
    room.publish("bob")
    media.away = True
    kick(room, "bob")
    assert drop_revoked(patience=0) == 1
    media.away = False
    clock.shift(6)
    assert drop_revoked(patience=1) == 0
    assert not media.list_streams().streams
    assert not revoked().exists()


def test_after_a_restart_of_the_media_server_nobody_is_left_to_drop(room, media):
    publication = room.publish("bob")
    media.away = True
    kick(room, "bob")
    media.restart()
    media.away = False
    assert drop_revoked(patience=1) == 0
    assert media.dropped == []
    assert publication.event.boot_id != media.list_streams().boot_id


def test_patience_has_an_end(room, media):
    publication = room.publish("bob")
    media.away = True
    kick(room, "bob")
    media.away = False
    assert drop_revoked(patience=0) == 1
    assert media.dropped == [publication.event.client_id]


def test_dropping_nothing_asks_nobody(room, media):
    room.publish("bob")
    media.away = True
    assert drop_revoked() == 0


def test_closing_leaves_no_open_session_behind(room, media, clock):
    publication = room.publish("bob")
    room.play("carol", publication.stream)
    destroy_conference(actor=room.backend, confr_id=room.id)
    wait_for(set(), media)
    clock.shift(timedelta(seconds=6))
    factories.until(lambda: not MediaSession.objects.filter(closed_at=None).exists())


def test_kicks_in_many_conferences_at_once_are_all_silence_within_a_second(new_room, media):
    rooms = [new_room() for _ in range(6)]
    for each in rooms:
        each.enter("alice")
        each.enter("bob")
        each.publish("bob")
    for each in rooms:
        kick(each, "bob")
    factories.until(lambda: not media.list_streams().streams, seconds=1.0)
