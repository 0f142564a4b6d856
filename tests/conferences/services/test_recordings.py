"""Recordings that are kept: who sees them, how long they last, and what ends them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import (
    ConferenceNotFound,
    RecordingHeld,
    RecordingNotFailed,
    RecordingNotFound,
    RecordingUnfinished,
)
from conferences.models import Conference, Recording, Take
from conferences.services import audit, recordings, takes
from conferences.services.conferences import destroy_conference
from conferences.services.recorder import folder_of
from tests import factories
from tests.database import all_rows
from tests.storages import bucket, folder, use


@pytest.fixture(autouse=True)
def _here(settings, tmp_path):
    settings.RECORDINGS_DIR = tmp_path
    use(settings, folder(tmp_path / "files"))


def make(room, **values) -> Recording:
    """A recording that is ready, with a file."""
    take = Take.objects.create(conference=room.conference, started_at=timezone.now(), ended_at=timezone.now())
    values = {"state": "ready", "kind": "merged", "size": 4, "keep_until": timezone.now() + timedelta(days=1)} | values
    row = Recording.objects.create(
        application=room.conference.application, conference=room.conference, take=take, **values
    )
    row.storage_name = f"{row.pk}.mp4"
    row.save()
    storages["recordings"].save(row.storage_name, ContentFile(b"film"))
    return row


def files(tmp_path) -> set[str]:
    return {path.name for path in (tmp_path / "files").glob("*")}


def seen(actor, room=None) -> list[int]:
    rows = recordings.list_recordings(actor=actor, confr_id=room.id if room else None)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def test_who_sees_recordings(room, foreign_robot, alice, bob, refused):
    row = make(room)
    assert seen(room.backend) == seen(room.backend, room) == seen(room.actor("alice"), room) == [row.pk]
    assert recordings.get_recording(actor=room.actor("alice"), recording_id=row.pk) == row
    destroy_conference(actor=room.backend, confr_id=room.id)
    assert seen(room.actor("alice"), room) == [row.pk], "the creator"
    for name in ("bob", "carol", "charlie"):
        with refused(NotAllowed):
            seen(room.actor(name), room)
        with refused(NotAllowed):
            recordings.get_recording(actor=room.actor(name), recording_id=row.pk)
    with refused(NotAllowed):
        seen(room.actor("alice"))
    assert seen(foreign_robot) == []
    with refused(ConferenceNotFound):
        seen(foreign_robot, room)
    with refused(ScopeMissing):
        seen(factories.backend(room.conference.application, frozenset({"conferences"})))


ACTS = {
    "delete": lambda actor, pk: recordings.delete_recording(actor=actor, recording_id=pk),
    "hold": lambda actor, pk: recordings.hold_recording(actor=actor, recording_id=pk, hold=True),
    "retry": lambda actor, pk: recordings.retry_recording(actor=actor, recording_id=pk),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_who_may_not_act_changes_nothing(act, room, foreign_robot, refused):
    row = make(room)
    with refused(RecordingNotFound):
        act(foreign_robot, row.pk)
    with refused(RecordingNotFound):
        act(room.backend, row.pk + 1)
    with refused(NotAllowed):
        act(room.actor("bob"), row.pk)
    with refused(NotAllowed):
        act(factories.staff(room.conference.application), row.pk)
    with refused(ScopeMissing):
        act(factories.backend(room.conference.application, frozenset({"read"})), row.pk)


def test_no_member_holds_a_recording(room, refused):
    row = make(room)
    with refused(NotAllowed):
        ACTS["hold"](room.actor("alice"), row.pk)


def test_a_deleted_recording_is_gone_at_once_and_its_file_soon(room, tmp_path):
    row, other = make(room), make(room)
    folder_of(row.pk).mkdir(parents=True)
    recordings.delete_recording(actor=room.actor("alice"), recording_id=row.pk, reason="asked for")
    assert seen(room.backend) == [other.pk]
    (fact,) = room.events("recording.deleted")
    assert (fact.data["recording"], fact.data["size"], fact.personal["reason"]) == (row.pk, 4, "asked for")
    assert recordings.remove_recordings() == 1
    assert recordings.remove_recordings() == 0
    assert files(tmp_path) == {f"{other.pk}.mp4"}
    assert not folder_of(row.pk).exists()
    assert not Recording.objects.filter(pk=row.pk).exists()


def test_a_file_that_the_storage_does_not_give_up_is_tried_again(room, settings, tmp_path):
    row = make(room)
    recordings.delete_recording(actor=room.backend, recording_id=row.pk)
    use(settings, bucket("http://127.0.0.1:1"))
    assert recordings.remove_recordings() == 0
    assert Recording.objects.filter(pk=row.pk).exists()
    use(settings, folder(tmp_path / "files"))
    assert recordings.remove_recordings() == 1


def test_what_has_been_kept_long_enough_is_deleted_but_under_hold(room):
    over = timezone.now() - timedelta(seconds=1)
    old, held = make(room, keep_until=over), make(room, keep_until=over)
    failed = make(room, keep_until=over, state="failed")
    young, forever, unsettled = make(room), make(room, keep_until=None), make(room, keep_until=over, state="processing")
    recordings.hold_recording(actor=room.backend, recording_id=held.pk, hold=True)
    assert recordings.expire_recordings() == 2
    assert recordings.expire_recordings() == 0
    assert seen(room.backend) == [held.pk, young.pk, forever.pk, unsettled.pk]
    assert [fact.data["recording"] for fact in room.events("recording.deleted")] == [old.pk, failed.pk]
    recordings.hold_recording(actor=room.backend, recording_id=held.pk, hold=False)
    assert recordings.expire_recordings() == 1


def test_refusals_of_acts_change_nothing(room, refused):
    row = make(room)
    with refused(RecordingNotFailed):
        ACTS["retry"](room.backend, row.pk)
    recordings.hold_recording(actor=room.backend, recording_id=row.pk, hold=True)
    before = all_rows()
    recordings.hold_recording(actor=room.backend, recording_id=row.pk, hold=True)
    assert all_rows() == before, "it was held already"
    with refused(RecordingHeld):
        ACTS["delete"](room.backend, row.pk)
    for state in ("recording", "uploading", "processing"):
        unfinished = make(room, state=state)
        with refused(RecordingUnfinished, state=state):
            ACTS["delete"](room.backend, unfinished.pk)


def test_an_application_says_how_long_its_recordings_last(room):
    row, now = make(room), timezone.now()
    assert recordings.keep_until(row, now) == now + timedelta(days=30)
    factories.change_application(row.application, recording_days=7)
    assert recordings.keep_until(Recording.objects.get(pk=row.pk), now) == now + timedelta(days=7)
    factories.change_application(row.application, recording_days=0)
    assert recordings.keep_until(Recording.objects.get(pk=row.pk), now) is None


def test_a_conference_outlives_its_retention_while_it_has_recordings(room, settings, clock):
    row = make(room)
    destroy_conference(actor=room.backend, confr_id=room.id)
    clock.shift(settings.RETENTION_DAYS * 86_400 + 1)
    assert audit.purge() == 0
    recordings.delete_recording(actor=room.backend, recording_id=row.pk)
    assert audit.purge() == 0, "the file is still there"
    recordings.remove_recordings()
    assert audit.purge() == 1
    assert not Conference.objects.exists()
    assert not Take.objects.exists()


@pytest.mark.parametrize(("limit", "free", "reason"), [(4, 0, "quota_reached"), (None, 1 << 62, "disk_full")])
def test_where_space_runs_out_recording_stops_and_members_are_told(limit, free, reason, room, new_room, settings):
    other = new_room()
    takes.start_recording(actor=room.backend, confr_id=room.id)
    recordings.guard_space()
    assert room.row.rec
    make(room)
    factories.change_application(room.conference.application, max_recording_bytes=limit)
    settings.RECORDING_MIN_FREE_BYTES = free
    for _ in range(2):
        recordings.guard_space()
    assert not room.row.rec
    (fact,) = room.events("recording.stopped")
    assert (fact.data["reason"], fact.actor_kind) == (reason, "system")
    assert other.events("recording.stopped") == []


def test_pieces_that_a_killed_job_left_are_removed(room):
    ready, failed = make(room), make(room, state="failed")
    for row in (ready, failed):
        folder_of(row.pk).mkdir(parents=True)
    others = folder_of(failed.pk).with_name("lost+found")  # where a disk of its own is mounted
    others.mkdir()
    recordings.remove_leftovers()
    assert (folder_of(ready.pk).exists(), folder_of(failed.pk).exists(), others.exists()) == (False, True, True)


def test_all_that_failed_are_tried_again_by_command(room, capsys):
    failed = [make(room, state="failed").pk for _ in range(2)]
    ready = make(room)
    call_command("retry_recordings")
    assert set(Recording.objects.filter(state="uploading").values_list("pk", flat=True)) == set(failed)
    assert capsys.readouterr().out == "2 recordings are tried again\n"
    with pytest.raises(CommandError, match="recording_not_failed"):
        call_command("retry_recordings", ready.pk)
