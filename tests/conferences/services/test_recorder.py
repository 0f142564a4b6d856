"""What the recorder is asked for, and what becomes of what it tells, once or twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from conferences.models import MediaSession, Recording, Stream
from conferences.services import recorder, takes
from conferences.services.conferences import destroy_conference
from conferences.services.streams import stop_stream
from tests.database import statements

SECOND = timedelta(seconds=1)


@pytest.fixture
def recorded(new_room, alice, bob, media):
    """A conference that is recorded and merged, with bob's camera live."""
    room = new_room(rec=True, rec_merge=True)
    room.enter("alice")
    room.enter("bob")
    return room


def begin(stream, at=None):
    recording = recorder.began(stream=stream.pk, at=at or timezone.now())
    assert recording is not None
    return recording


def write(recording, start, *sizes):
    """Pieces of two seconds each, as the recorder leaves them."""
    folder = recorder.folder_of(recording)
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes):
        (folder / f"a-{number:05}.ts").write_bytes(bytes(size))
    lines = [f"a-{number:05}.ts,{2.0 * number},{2.0 * number + 2}\n" for number in range(len(sizes))]
    (folder / "a.csv").write_text("".join(lines))
    (folder / "a.began").write_text(str(start.timestamp()))


def test_a_live_stream_of_a_recorded_conference_is_wanted_at_once(recorded, room):
    room.publish("bob")
    recorded.offer("bob", "screen", "desktop")
    assert recorder.wanted() == []
    stream = recorded.publish("bob").stream
    with statements() as found:
        (wanted,) = recorder.wanted()
    assert len(found) == 1
    assert wanted == recorder.Wanted(stream.pk, stream.media_name, recorded.conference.pk, None)
    recording = begin(stream)
    assert recorder.wanted() == [recorder.Wanted(stream.pk, stream.media_name, recorded.conference.pk, recording)]


def test_beginning_again_goes_on_with_the_same_recording(recorded):
    stream, start = recorded.publish("bob").stream, timezone.now()
    first = begin(stream, start)
    assert begin(stream, start + SECOND) == first
    row = Recording.objects.get(member__user__name="bob")
    assert (row.started_at, row.state) == (start, "recording")


def test_pieces_add_up_and_may_be_told_twice(recorded):
    recording, start = begin(recorded.publish("bob").stream), timezone.now()
    assert recorder.wrote(recording=recording), "nothing yet"
    for _ in range(2):
        write(recording, start, 1000, 500)
        assert recorder.wrote(recording=recording)
        recorder.gap(recording=recording, since=start, until=start + SECOND, cause="worker")
    recorder.gap(recording=recording, since=start - SECOND, until=start, cause="publisher")
    row = Recording.objects.get()
    assert (row.size, row.duration_ms, row.started_at, row.ended_at) == (1500, 4000, start, start + 4 * SECOND)
    assert [gap["cause"] for gap in row.gaps] == ["publisher", "worker"]


def test_a_paused_conference_wants_nothing_and_goes_on_in_the_same_recording(recorded):
    stream = recorded.publish("bob").stream
    recording = begin(stream)
    takes.pause_recording(actor=recorded.backend, confr_id=recorded.id)
    assert (recorder.wanted(), recorder.over()) == ([], {})
    assert recorder.began(stream=stream.pk, at=timezone.now()) is None
    assert recorder.wrote(recording=recording), "what was written before counts"
    takes.resume_recording(actor=recorded.backend, confr_id=recorded.id)
    assert [wanted.recording for wanted in recorder.wanted()] == [recording] == [begin(stream)]


def test_a_publisher_that_comes_back_goes_on_in_the_same_recording(recorded, media):
    publication = recorded.publish("bob")
    recording = begin(publication.stream)
    Stream.objects.filter(pk=publication.stream.pk).update(state=Stream.State.OFFERED)
    assert (recorder.wanted(), recorder.over()) == ([], {})
    Stream.objects.filter(pk=publication.stream.pk).update(state=Stream.State.LIVE)
    assert [wanted.recording for wanted in recorder.wanted()] == [recording]


@pytest.mark.parametrize("end", ["take", "stream", "conference"])
def test_what_is_over_is_handed_in_once(end, recorded):
    stream = recorded.publish("bob").stream
    recording, start = begin(stream), timezone.now()
    if end == "take":
        takes.stop_recording(actor=recorded.backend, confr_id=recorded.id)
    elif end == "stream":
        stop_stream(actor=recorded.backend, confr_id=recorded.id, stream_id="camera__Of_M2")
    else:
        destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    assert (recorder.wanted(), list(recorder.over())) == ([], [recording])
    assert recorder.began(stream=stream.pk, at=start) is None
    write(recording, start, 100)
    for _ in range(2):
        recorder.ended(recording=recording)
    assert recorder.over() == {}
    row = Recording.objects.get(kind="stream")
    assert (row.state, row.ended_at, row.attempts) == ("uploading", start + 2 * SECOND, 0)
    write(recording, start, 100, 100)
    assert not recorder.wrote(recording=recording), "too late"
    assert Recording.objects.get(kind="stream").size == 100


def test_the_next_take_has_recordings_of_its_own(recorded):
    stream = recorded.publish("bob").stream
    first = begin(stream)
    takes.stop_recording(actor=recorded.backend, confr_id=recorded.id)
    takes.start_recording(actor=recorded.backend, confr_id=recorded.id)
    assert [wanted.recording for wanted in recorder.wanted()] == [None]
    assert begin(stream) != first


def test_the_merged_file_is_ordered_at_the_end_of_a_take_that_has_any(recorded):
    takes.stop_recording(actor=recorded.backend, confr_id=recorded.id)
    assert not Recording.objects.exists()
    takes.start_recording(actor=recorded.backend, confr_id=recorded.id)
    begin(recorded.publish("bob").stream)
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    merged = Recording.objects.get(kind="merged")
    assert (merged.state, merged.stream_id, merged.member_id) == ("uploading", None, None)
    assert list(recorder.over()) == [Recording.objects.get(kind="stream").pk]


def test_a_gap_has_the_cause_that_the_publisher_shows_and_a_pause_is_none(recorded, robot):
    stream, start = recorded.publish("bob").stream, timezone.now()
    recording = begin(stream, start)
    published = MediaSession.objects.filter(stream=stream, action="publish")
    [session] = published

    def missed_between(seconds: int, until: int) -> str:
        recorder.missed(recording=recording, since=start + seconds * SECOND, until=start + until * SECOND)
        return str(Recording.objects.get().gaps[-1]["cause"])

    assert missed_between(10, 12) == "worker"
    session.pk, session.client_id, session.opened_at = None, "again", start + 21 * SECOND
    session.save()
    assert missed_between(20, 22) == "publisher"
    session.pk, session.boot_id, session.opened_at = None, "another run", start + 31 * SECOND
    session.save()
    assert missed_between(30, 32) == "media_server"

    takes.pause_recording(actor=robot, confr_id=recorded.conference.confr_id)
    takes.resume_recording(actor=robot, confr_id=recorded.conference.confr_id)
    recorder.missed(recording=recording, since=timezone.now() - SECOND, until=timezone.now() + SECOND)
    assert len(Recording.objects.get().gaps) == 3
