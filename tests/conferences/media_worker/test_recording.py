"""What the media worker does about recordings beside writing them; that is in the scenarios."""

from __future__ import annotations

from django.utils import timezone

from conferences.media_worker import recording
from conferences.media_worker.recording import RecorderWork
from conferences.models import Recording
from conferences.services import recorder
from conferences.services.conferences import destroy_conference


def uploading() -> int:
    return Recording.objects.filter(state=Recording.State.UPLOADING).count()


def test_what_a_dead_worker_left_is_handed_in_turn_by_turn(new_room, media, monkeypatch):
    monkeypatch.setattr(recording, "TIDY_SECONDS", 0.0)
    room = new_room(rec=True)
    for name in ("alice", "bob", "carol"):
        room.enter(name)
        recorder.began(stream=room.publish(name).stream.pk, at=timezone.now())
    destroy_conference(actor=room.backend, confr_id=room.id)
    [_, one, _] = recorder.over().values()
    work = RecorderWork()

    for handed_in in (1, 2, 2):
        work.tidy({one})
        assert uploading() == handed_in
    work.tidy(set())
    assert uploading() == 3
