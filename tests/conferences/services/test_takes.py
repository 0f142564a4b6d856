"""Takes: who may start, pause and stop a recording, who is told, and what may not be recorded."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed
from conferences.errors import (
    ConferenceClosed,
    ConferenceNotFound,
    RecordingDiskFull,
    RecordingFolderAway,
    RecordingOff,
    RecordingQuotaReached,
)
from conferences.models import Recording, Take
from conferences.services import takes
from conferences.services.conferences import destroy_conference, update_conference
from conferences.services.snapshots import take_snapshot
from tests import factories

COMMANDS = (takes.start_recording, takes.stop_recording, takes.pause_recording, takes.resume_recording)


def flags(room):
    return room.row.rec, room.row.rec_paused


def test_a_recording_is_started_paused_resumed_and_stopped_each_once(room, published):
    published.facts()
    alice = room.actor("alice")
    for command, state in zip(COMMANDS, [(True, False), None, (True, True), (True, False)], strict=True):
        if command is takes.stop_recording:
            continue
        for _ in range(2):
            command(actor=alice, confr_id=room.id)
        assert flags(room) == state
    for _ in range(2):
        takes.stop_recording(actor=alice, confr_id=room.id, reason="enough")
    assert flags(room) == (False, False)
    assert published.types() == ["recording.started", "recording.paused", "recording.resumed", "recording.stopped"]
    take = Take.objects.get()
    ((since, until),) = take.pauses
    assert (take.stop_reason, take.ended_at is not None, since <= until) == ("requested", True, True)
    assert room.events("recording.stopped")[0].personal["reason"] == "enough"


def test_a_second_start_is_a_second_take(room):
    for _ in range(2):
        takes.start_recording(actor=room.backend, confr_id=room.id)
        takes.stop_recording(actor=room.backend, confr_id=room.id)
    assert Take.objects.filter(conference=room.conference, ended_at__isnull=False).count() == 2


def test_an_end_while_paused_closes_the_pause(room):
    takes.start_recording(actor=room.backend, confr_id=room.id)
    takes.pause_recording(actor=room.backend, confr_id=room.id)
    destroy_conference(actor=room.backend, confr_id=room.id)
    take = Take.objects.get()
    assert take.stop_reason == "conference_closed"
    assert None not in take.pauses[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["bob", "carol", "charlie"])
def test_who_is_no_admin_is_refused(command, name, room, refused):
    with refused(NotAllowed):
        command(actor=room.actor(name), confr_id=room.id)


@pytest.mark.parametrize("command", COMMANDS)
def test_another_tenant_finds_nothing(command, room, foreign_robot, refused):
    with refused(ConferenceNotFound):
        command(actor=foreign_robot, confr_id=room.id)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_over_is_not_recorded(command, room, refused):
    destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(ConferenceClosed):
        command(actor=room.backend, confr_id=room.id)


@pytest.mark.parametrize("command", [takes.pause_recording, takes.resume_recording])
def test_what_is_not_recorded_cannot_be_paused(command, room, refused):
    with refused(RecordingOff):
        command(actor=room.backend, confr_id=room.id)


def test_a_moderator_of_the_staff_may_not_record_and_an_operator_may(room, refused):
    with refused(NotAllowed):
        takes.start_recording(actor=factories.staff(room.conference.application), confr_id=room.id)
    operator = factories.staff(room.conference.application, factories.ALL_SCOPES)
    takes.start_recording(actor=operator, confr_id=room.id)


def test_a_conference_with_rec_is_recorded_from_the_beginning(new_room, media):
    room = new_room(rec=True)
    assert room.types() == ["conference.created", "recording.started", "ticket.issued"]
    assert take_snapshot(room.conference.pk).conference.rec


def test_the_setting_starts_and_stops_too(room):
    update_conference(actor=room.backend, confr_id=room.id, changes={"rec": True})
    assert room.types()[-2:] == ["recording.started", "conference.updated"]
    update_conference(actor=room.backend, confr_id=room.id, changes={"rec": False})
    assert room.types()[-2:] == ["recording.stopped", "conference.updated"]
    assert not Take.objects.filter(ended_at=None).exists()


def _full(room):
    application = room.conference.application
    factories.change_application(application, max_recording_bytes=100)
    takes.start_recording(actor=room.backend, confr_id=room.id)
    take = Take.objects.get()
    Recording.objects.create(
        application=application, conference=room.conference, take=take, kind=Recording.Kind.MERGED, size=100
    )
    takes.stop_recording(actor=room.backend, confr_id=room.id)


def test_over_the_quota_nothing_new_is_recorded(room, new_room, refused):
    _full(room)
    with refused(RecordingQuotaReached, maximum=100):
        takes.start_recording(actor=room.backend, confr_id=room.id)
    with refused(RecordingQuotaReached):
        new_room(rec=True)
    new_room()


def test_on_a_full_disk_nothing_new_is_recorded(room, new_room, refused, settings):
    settings.RECORDING_MIN_FREE_BYTES = 1 << 62
    with refused(RecordingDiskFull):
        takes.start_recording(actor=room.backend, confr_id=room.id)
    with refused(RecordingDiskFull):
        new_room(rec=True)


def test_where_the_folder_cannot_be_used_nothing_new_is_recorded(room, new_room, refused, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.RECORDINGS_DIR = tmp_path / "file" / "recordings"
    with refused(RecordingFolderAway):
        takes.start_recording(actor=room.backend, confr_id=room.id)
    with refused(RecordingFolderAway):
        update_conference(actor=room.backend, confr_id=room.id, changes={"rec": True})
    with refused(RecordingFolderAway):
        new_room(rec=True)
