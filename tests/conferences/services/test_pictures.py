"""Pictures of live streams: for who may see them, while somebody looks, and of nothing that is over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from django.test import Client

from accounts.errors import NotAllowed, ScopeMissing
from accounts.models import Membership, Scope, Staff, StaffRole
from accounts.redis import client, key
from conferences.errors import ConferenceNotFound, PictureNotReady, StreamEnded, StreamHasNoPicture, StreamNotFound
from conferences.media import ffmpeg
from conferences.media.snapshot import Load
from conferences.models import Stream
from conferences.services import pictures
from conferences.services.conferences import destroy_conference
from conferences.services.moderation import kick_members
from conferences.services.pictures import get_stream_snapshot, keep_fresh, latest_picture
from tests import factories
from tests.api_client import Api, key_of, problem
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.probes import BLUE, RED, frame, near
from tests.factories import until


@pytest.fixture
def film(tmp_path, media) -> Callable[[Stream, str], None]:
    """Has the media server keep a segment of one colour for a stream."""
    require_programs()

    def make(stream: Stream, colour: str) -> None:
        path = Path(tmp_path, f"{stream.media_name}.ts")
        source = ["-f", "lavfi", "-i", f"color=c={colour}:size=160x120:rate=5", "-t", "1", "-pix_fmt", "yuv420p"]
        ffmpeg.run([*source, "-c:v", "libx264", "-preset", "ultrafast", "-f", "mpegts", str(path)], stall=10)
        media.segments[stream.media_name] = path

    return make


@pytest.fixture(autouse=True)
def _nothing_kept(committed) -> Iterator[None]:
    yield
    for name in client().scan_iter(f"{key('picture')}*"):
        client().delete(name)


@contextmanager
def worker() -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=keep_fresh, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def lives(*parts: str) -> int:
    """How long a key of ours still lives, in seconds."""
    seconds = cast(int, client().ttl(key(*parts)))
    assert seconds > 0
    return seconds


def snapshot(room, name, stream):
    return get_stream_snapshot(actor=room.actor(name), confr_id=room.id, stream_id=stream.stream_id)


def test_a_picture_is_of_the_stream_that_was_asked_for_and_ends_with_it(room, media, film):
    red, blue = room.publish("bob").stream, room.publish("alice").stream
    film(red, "red")
    film(blue, "blue")
    with worker():
        for stream, colour in ((red, RED), (blue, BLUE)):
            assert near(frame(snapshot(room, "carol", stream).jpeg).at((9, 9))[0], colour)
        until(lambda: pictures.load() == Load(2, 0))
    kick_members(actor=room.actor("alice"), confr_id=room.id, names=["bob"])
    with pytest.raises(StreamNotFound):
        snapshot(room, "carol", red)
    red.refresh_from_db()
    assert latest_picture(actor=factories.staff(room.conference.application), stream=red) is None
    assert latest_picture(actor=factories.staff(room.conference.application), stream=blue) is not None


def test_nobody_looks_and_no_picture_is_taken(room, media, film, clock):
    stream = room.publish("bob").stream
    film(stream, "red")
    staff = factories.staff(room.conference.application)
    assert latest_picture(actor=staff, stream=stream) is None  # a wish
    clock.shift(pictures.WANTED_SECONDS + 1)
    with worker():
        until(lambda: pictures.load() == Load(0, 0))
    assert client().keys(f"{key('picture')}:*") == []
    assert lives("pictures", "load") <= pictures.TURN_SECONDS


def test_only_one_of_two_workers_takes_pictures(room, media, film):
    stream = room.publish("bob").stream
    film(stream, "red")
    with worker():
        until(lambda: client().get(key("pictures", "worker")))
        first = client().get(key("pictures", "worker"))
        with worker():
            assert snapshot(room, "carol", stream)
            assert client().get(key("pictures", "worker")) == first
        client().delete(key("pictures", "worker"))  # it was silent for too long
        until(lambda: client().get(key("pictures", "worker")))
    assert lives("picture", stream.media_name) <= pictures.KEPT_SECONDS


def test_who_may_not_see_a_stream_gets_no_picture(room, media, refused, foreign_robot, charlie, robot):
    stream = room.publish("bob").stream
    with refused(NotAllowed):
        get_stream_snapshot(actor=charlie, confr_id=room.id, stream_id=stream.stream_id)
    with refused(ConferenceNotFound):
        get_stream_snapshot(actor=foreign_robot, confr_id=room.id, stream_id=stream.stream_id)
    reader = factories.backend(room.conference.application, frozenset({Scope.READ.value}))
    with refused(ScopeMissing):
        get_stream_snapshot(actor=reader, confr_id=room.id, stream_id=stream.stream_id)
    with refused(StreamNotFound):
        get_stream_snapshot(actor=robot, confr_id=room.id, stream_id="nothing__Of_M2")
    assert client().zcard(key("pictures", "wanted")) == 0


def test_what_has_no_picture_says_why(room, media, refused):
    offered, _ = room.offer("alice", "other")
    sound = room.publish("alice", "sound", "audio").stream
    stream = room.publish("bob").stream
    with refused(StreamEnded):
        snapshot(room, "carol", offered)
    with refused(StreamHasNoPicture):
        snapshot(room, "carol", sound)
    with refused(PictureNotReady, retry_after=1):
        snapshot(room, "carol", stream)


def test_who_waits_for_pictures_leaves_threads_to_the_others(room, media, application):
    stream = room.publish("bob").stream
    held = [pictures._MAY_WAIT.acquire(blocking=False) for _ in range(9)]
    try:
        with pytest.raises(PictureNotReady):
            snapshot(room, "carol", stream)
    finally:
        for got in held:
            if got:
                pictures._MAY_WAIT.release()
    assert sum(held) >= 1
    assert held.count(False) > 0


def test_rest_answers_a_jpeg(room, media, film, application):
    stream = room.publish("bob").stream
    film(stream, "red")
    backend = Api(key_of(application))
    path = f"/conferences/{room.id}/streams/{stream.stream_id}/snapshot"
    problem(backend.get(path), 503, "picture_not_ready")
    with worker():
        answer = backend.get(path)
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "image/jpeg", "no-store")
    assert answer["Last-Modified"].endswith("GMT")
    assert near(frame(answer.content).at((9, 9))[0], RED)


def test_without_redis_there_is_no_picture_but_a_refusal(room, media, settings, refused):
    stream = room.publish("bob").stream
    staff = factories.staff(room.conference.application)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client.cache_clear()
    try:
        assert latest_picture(actor=staff, stream=stream) is None
        with pytest.raises(PictureNotReady):
            snapshot(room, "carol", stream)
    finally:
        client.cache_clear()


# The wall


@pytest.fixture
def wall(room) -> Callable[[StaffRole | None], Client]:
    """A browser of somebody with this role in the application of this room, or in none."""

    def make(role: StaffRole | None) -> Client:
        staff = Staff.objects.create_user(f"staff-{role}", password="x")
        if role is not None:
            Membership.objects.create(staff=staff, application=room.conference.application, role=role)
        browser = Client()
        browser.force_login(staff)
        return browser

    return make


def test_the_wall_shows_pictures_to_who_may_moderate(room, media, film, wall):
    stream = room.publish("bob").stream
    film(stream, "red")
    slugs = [f"/dashboard/{slug}/wall/{stream.pk}.jpg" for slug in ("all", room.conference.application.app_id)]
    moderator = wall(StaffRole.MODERATOR)
    assert [moderator.get(path).status_code for path in slugs] == [404, 404]  # none yet
    with worker():
        until(lambda: moderator.get(slugs[0]).status_code == 200)
    for path in slugs:
        answer = moderator.get(path)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
        assert "private" in answer["Cache-Control"]
        assert "Last-Modified" in answer
        assert near(frame(answer.content).at((9, 9))[0], RED)
        again = moderator.get(path, headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    for browser, status in ((wall(StaffRole.AUDITOR), 403), (wall(None), 404), (Client(), 302)):
        assert [browser.get(path).status_code for path in slugs] == [status, status]
    destroy_conference(actor=room.backend, confr_id=room.id)
    assert [moderator.get(path).status_code for path in slugs] == [404, 404]
