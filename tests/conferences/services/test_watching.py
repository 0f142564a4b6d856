"""Watching: staff play a stream without a seat, while their browser session lasts; who looked is on record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.authentication import staff_actor
from accounts.errors import NotAllowed
from accounts.models import Membership, Staff, StaffRole
from conferences.errors import ConferenceClosed, ConferenceNotFound, StreamEnded, StreamNotFound
from conferences.media.keys import MediaKeyInvalid
from conferences.models import Event, MediaSession, Watch
from conferences.services.admission import admit_player, admit_publisher, admit_viewer, keep_client
from conferences.services.conferences import destroy_conference
from conferences.services.streams import stop_stream
from conferences.services.watching import end_watches, watch_stream


class Watcher:
    """A staff member of one application, signed in with a browser."""

    def __init__(self, application, role=StaffRole.MODERATOR):
        self.staff = Staff.objects.create_user(f"staff-{role}-{Staff.objects.count()}")
        self.membership = Membership.objects.create(staff=self.staff, application=application, role=role)
        self.application = application
        self.session = SessionStore()
        self.session.update({SESSION_KEY: str(self.staff.pk), HASH_SESSION_KEY: self.staff.get_session_auth_hash()})
        self.session.create()

    @property
    def actor(self):
        return staff_actor(self.staff, "192.0.2.9", "request-w", self.application.pk)

    def watch(self, room, stream):
        key = self.session.session_key
        assert key
        urls = watch_stream(actor=self.actor, confr_id=room.id, stream_id=stream.stream_id, session_key=key)
        return urls["rtmp"].partition("key=")[2]


@pytest.fixture
def moderator(application):
    return Watcher(application)


@pytest.fixture
def stream(room, media):
    return room.publish("bob").stream


def plays(media, stream, key):
    event = media.ask("play", stream.media_name, key)
    admit_player(event)
    media.admit(event)
    return event


def test_a_moderator_watches_without_a_seat_and_it_is_on_record_once(room, media, stream, moderator):
    key = moderator.watch(room, stream)
    assert moderator.watch(room, stream)  # asked again, as a reload does

    plays(media, stream, key)
    admit_viewer(media.ask("watch", stream.media_name, key))

    session = MediaSession.objects.get(action="play")
    assert (session.member, session.watch) == (None, Watch.objects.get())
    watched = Event.objects.get(type="stream.watched")
    assert (watched.actor_kind, watched.actor_id, watched.data["member"]) == ("staff", str(moderator.staff.pk), 2)
    assert room.row.members_count == 3


@pytest.mark.parametrize("role", [StaffRole.OPERATOR, StaffRole.OWNER])
def test_who_may_more_may_watch_too(room, media, stream, application, role):
    plays(media, stream, Watcher(application, role).watch(room, stream))


def test_auditors_members_and_applications_watch_nothing(room, stream, application, robot, alice, refused):
    auditor = Watcher(application, StaffRole.AUDITOR)
    for actor in (auditor.actor, robot, alice):
        with refused(NotAllowed, action="watch"):
            watch_stream(actor=actor, confr_id=room.id, stream_id=stream.stream_id, session_key="s")


def test_another_tenants_stream_is_not_there(room, stream, foreign, refused):
    watcher = Watcher(foreign)
    with refused(ConferenceNotFound):
        watcher.watch(room, stream)


def test_only_live_streams_are_watched(room, media, stream, moderator, refused):
    offered, _ = room.offer("alice")
    with refused(StreamEnded):
        moderator.watch(room, offered)
    stop_stream(actor=room.backend, confr_id=room.id, stream_id=stream.stream_id)
    with refused(StreamNotFound):
        moderator.watch(room, stream)
    destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(ConferenceClosed):
        moderator.watch(room, stream)


def test_the_key_publishes_nothing_and_opens_no_other_stream(room, media, stream, moderator, refused):
    other = room.publish("alice").stream
    key = moderator.watch(room, stream)
    with refused(MediaKeyInvalid):
        admit_publisher(media.ask("publish", stream.media_name, key))
    with refused(MediaKeyInvalid):
        admit_player(media.ask("play", other.media_name, key))


def signs_out(watcher):
    watcher.session.delete()


def session_expires(watcher):
    Session.objects.filter(pk=watcher.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))


def changes_the_password(watcher):
    watcher.staff.set_password("another one, longer")
    watcher.staff.save()


def is_demoted(watcher):
    Membership.objects.filter(pk=watcher.membership.pk).update(role=StaffRole.AUDITOR)


def is_removed(watcher):
    watcher.membership.delete()


def is_switched_off(watcher):
    Staff.objects.filter(pk=watcher.staff.pk).update(is_active=False)


@pytest.mark.parametrize(
    "end", [signs_out, session_expires, changes_the_password, is_demoted, is_removed, is_switched_off]
)
def test_the_watch_ends_with_the_right_to_it(room, media, stream, moderator, end):
    key = moderator.watch(room, stream)
    player = plays(media, stream, key)
    admit_viewer(media.ask("watch", stream.media_name, key))
    assert end_watches() == 0

    end(moderator)

    with pytest.raises(NotAllowed):
        admit_viewer(media.ask("watch", stream.media_name, key))
    with pytest.raises(NotAllowed):
        admit_player(media.ask("play", stream.media_name, key))
    assert end_watches() == 1
    assert MediaSession.objects.get(action="play").revoked_at is not None
    with pytest.raises(NotAllowed):
        keep_client(player)
    assert MediaSession.objects.get(action="publish").revoked_at is None
    assert end_watches() == 0


def test_the_end_of_the_stream_ends_the_watch(room, media, stream, moderator):
    plays(media, stream, moderator.watch(room, stream))
    stop_stream(actor=room.backend, confr_id=room.id, stream_id=stream.stream_id)
    assert MediaSession.objects.get(action="play").revoked_at is not None


def test_a_members_own_play_key_still_plays(room, media, stream):
    plays(media, stream, room.play_key("carol", stream))
    assert MediaSession.objects.get(action="play").member == room.member("carol")


def test_a_browser_session_that_is_not_there_watches_nothing(room, media, stream, moderator):
    urls = watch_stream(actor=moderator.actor, confr_id=room.id, stream_id=stream.stream_id, session_key="none")
    with pytest.raises(NotAllowed):
        admit_viewer(media.ask("watch", stream.media_name, urls["rtmp"].partition("key=")[2]))
