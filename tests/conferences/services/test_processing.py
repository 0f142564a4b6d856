"""From pieces to files: what is made, verified, tried again, given up, and never made twice."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from django.conf import settings as confr
from django.db import connections
from django.utils import timezone

from conferences.events import changing_id
from conferences.media import ffmpeg, storage
from conferences.media.ffmpeg import FfmpegFailed
from conferences.models import Recording
from conferences.services import processing, recorder, takes
from conferences.services.audit import verify_conference
from conferences.services.conferences import destroy_conference, update_conference
from conferences.services.processing import LEASE, process_next
from conferences.services.recordings import delete_recording, retry_recording
from tests import storages
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.films import BLACK, BLUE, RED, film, looks, starts_with_its_index, tones
from tests.factories import some, until
from tests.recordings import hand_in, kept, record, write_pieces
from tests.server import CHECKOUT
from tests.web import _database

pytestmark = pytest.mark.media
START = timezone.now().replace(microsecond=0)
NOTHING = b"no film"


def claim() -> Recording:
    return some(processing._claim())


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


@pytest.fixture(autouse=True)
def _here(settings, tmp_path):
    require_programs()
    settings.RECORDINGS_DIR = tmp_path
    storages.use(settings, storages.folder(tmp_path / "files"))
    settings.RECORDING_RETRY = timedelta(0)


@pytest.fixture
def recorded(new_room, alice, bob, media):
    room = new_room(rec=True, rec_merge=True)
    room.enter("alice")
    room.enter("bob")
    return room


def process_all() -> int:
    count = 0
    while process_next():
        count += 1
    return count


def file_of(recording: Recording) -> Path:
    return confr.RECORDINGS_DIR / "files" / recording.storage_name


def test_every_stream_becomes_a_file_and_all_of_them_another(recorded):
    camera = record(recorded.publish("bob").stream, second(0), seconds=5)
    voice = record(recorded.publish("alice", kind="audio").stream, second(2), seconds=2, colour=None, tone=880)
    screen = record(recorded.publish("alice", "screen", "desktop").stream, second(3), colour=BLUE, tone=None)
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    assert not process_next(), "the recorder has not handed them in"
    hand_in()
    assert process_all() == 4

    bob, alice = kept(camera), kept(voice)
    assert (bob.state, bob.progress, bob.attempts, bob.error_code) == ("ready", 100, 1, "")
    assert bob.duration_ms == pytest.approx(5000, abs=200)
    assert (bob.width, bob.height, alice.width, alice.height) == (160, 120, 0, 0)
    assert bob.checksum == hashlib.sha256(file_of(bob).read_bytes()).hexdigest()
    assert bob.size == file_of(bob).stat().st_size
    assert starts_with_its_index(file_of(bob))
    assert some(bob.keep_until) - some(bob.ready_at) == timedelta(days=confr.RECORDING_DAYS)
    assert not recorder.folder_of(camera).exists()
    assert list((confr.RECORDINGS_DIR / "work").iterdir()) == []

    merged = Recording.objects.get(kind="merged")
    assert (merged.state, merged.width, merged.height, merged.skipped) == ("ready", 1280, 720, [])
    assert merged.duration_ms == pytest.approx(5000, abs=200)
    film = file_of(merged)
    assert looks(film, 1, 320, 360, RED)
    assert looks(film, 1, 960, 360, BLACK)
    assert looks(film, 4, 960, 360, BLUE)
    assert [tones(film, at, 440, 880) for at in (1, 3)] == [{440}, {440, 880}]
    facts = recorded.events("recording.ready")
    assert [(fact.data["kind"], fact.data["member"]) for fact in facts] == [
        ("stream", 2), ("stream", 1), ("stream", 1), ("merged", 0),
    ]  # fmt: skip
    assert kept(screen).storage_name.startswith(f"{bob.application_id}/{recorded.id}/{screen}-")
    assert list(verify_conference(recorded.row)) == []


def test_a_pause_is_in_no_file_and_a_gap_is(recorded):
    stream = recorded.publish("bob").stream
    paused = record(stream, second(0), second(10), second(14))
    take = recorded.conference.takes.get()
    take.pauses = [[int(second(2).timestamp() * 1000), int(second(10).timestamp() * 1000)]]
    take.save()
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    hand_in()
    assert process_all() == 2
    for recording in Recording.objects.all():
        assert recording.duration_ms == pytest.approx(8000, abs=300), recording.kind
    assert tones(file_of(kept(paused)), 5, 440) == set()
    assert tones(file_of(kept(paused)), 7, 440) == {440}


@pytest.mark.parametrize(
    ("canvas", "x", "y"),
    [
        ({"layout": "speaker"}, 480, 360),
        ({"width": 640, "height": 640, "regions": [
            {"name": "bob", "type": 0, "x": 320, "y": 320, "width": 320, "height": 320}
        ]}, 480, 480),
    ],
)  # fmt: skip
def test_the_merged_file_looks_as_was_wished(canvas, x, y, room, media):
    takes.start_recording(actor=room.backend, confr_id=room.id, merge=True, canvas=canvas)
    record(room.publish("bob").stream, second(0))
    destroy_conference(actor=room.backend, confr_id=room.id)
    hand_in()
    assert process_all() == 2
    merged = Recording.objects.get(kind="merged")
    assert (merged.width, merged.height) == (canvas.get("width", 1280), canvas.get("height", 720))
    assert looks(file_of(merged), 1, x, y, RED)


def test_what_cannot_be_played_is_reported_and_the_rest_is_merged(recorded):
    good = record(recorded.publish("bob").stream, second(0), second(2))
    (recorder.folder_of(good) / "1-00000.ts").write_bytes(NOTHING)
    empty = some(recorder.began(stream=recorded.publish("alice").stream.pk, at=second(0)))
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    hand_in()
    assert process_all() == 3
    assert kept(good).skipped == [{"input": "1-00000.ts", "code": "media_unreadable"}]
    failed = kept(empty)
    assert (failed.state, failed.error_code, failed.attempts) == ("failed", "nothing_recorded", 1)
    merged = Recording.objects.get(kind="merged")
    assert (merged.state, merged.skipped) == ("ready", [{"input": str(empty), "code": "nothing_recorded"}])
    (fact,) = recorded.events("recording.failed")
    assert (fact.data["recording"], fact.data["code"]) == (empty, "nothing_recorded")


def test_a_merge_of_nothing_fails(recorded):
    recorder.began(stream=recorded.publish("bob").stream.pk, at=second(0))
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    hand_in()
    assert process_all() == 2
    assert set(Recording.objects.values_list("state", "error_code")) == {("failed", "nothing_recorded")}


def over(room, *begin, **options) -> int:
    """A recording that waits for its file."""
    recording = record(room.publish("bob").stream, *(begin or [second(0)]), **options)
    destroy_conference(actor=room.backend, confr_id=room.id)
    hand_in()
    return recording


def test_a_storage_that_refuses_loses_nothing_and_is_tried_again(recorded, settings, tmp_path):
    recording = over(recorded)
    storages.use(settings, storages.folder(tmp_path / "files", "tests.storages.Damaging"))
    settings.RECORDING_ATTEMPTS = 2
    assert process_next()
    waiting = kept(recording)
    assert (waiting.state, waiting.error_code, waiting.attempts) == ("uploading", "storage_failed", 1)
    settings.RECORDING_RETRY = timedelta(hours=1)
    assert process_next()
    assert (kept(recording).state, kept(recording).error_code) == ("failed", "storage_failed")
    assert recorder.folder_of(recording).exists(), "what was recorded stays"
    assert process_all() == 1, "the merged one, of nothing"
    storages.use(settings, storages.folder(tmp_path / "files"))
    for each in (recording, Recording.objects.get(kind="merged").pk):
        retry_recording(actor=recorded.backend, recording_id=each)
        assert (kept(each).state, kept(each).attempts, kept(each).error_code) == ("uploading", 0, "")
    assert process_all() == 2
    assert set(Recording.objects.values_list("state", flat=True)) == {"ready"}


def test_a_disk_that_fills_up_under_ffmpeg_is_named():
    with pytest.raises(FfmpegFailed) as full:
        ffmpeg.run(["-f", "lavfi", "-i", "sine", "-t", "9", "-f", "mpegts", "/dev/full"], stall=30)
    assert processing._code(full.value) == "disk_full"


def test_the_next_try_waits_longer_each_time(recorded, settings, tmp_path):
    recording = over(recorded)
    storages.use(settings, storages.folder(tmp_path / "files", "tests.storages.Damaging"))
    settings.RECORDING_RETRY = timedelta(seconds=30)
    waits = []
    for _ in range(3):
        before = timezone.now()
        assert process_next()
        waits.append(round((some(kept(recording).due_at) - before).total_seconds()))
        assert not process_next()
        Recording.objects.filter(pk=recording).update(due_at=before)
    assert waits == pytest.approx([30, 120, 480], abs=20)


def test_with_a_bucket_the_local_file_goes_once_the_copy_is_verified(recorded, settings):
    with storages.s3_server() as address:
        storages.use(settings, storages.bucket(address, "nobodys"))
        recording = over(recorded)
        assert process_next()
        assert kept(recording).error_code == "storage_failed"
        assert recorder.folder_of(recording).exists()
        storages.use(settings, storages.bucket(address))
        assert process_all() == 2
        row = kept(recording)
        copy = storage.fetch(row.storage_name, confr.RECORDINGS_DIR)
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == row.checksum
        assert not recorder.folder_of(recording).exists()
        assert not (confr.RECORDINGS_DIR / "files").exists()


def test_one_at_a_time_of_a_conference_and_the_merged_one_last(recorded):
    for name in ("alice", "bob"):
        record(recorded.publish(name).stream, second(0))
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    hand_in()
    first = claim()
    assert processing._claim() is None
    Recording.objects.filter(pk=first.pk).update(leased_until=timezone.now() - LEASE)
    again = claim()
    assert (again.pk, again.attempts, again.lease != first.lease) == (first.pk, 2, True)
    assert again.kind == "stream"


def test_a_run_that_lost_its_lease_changes_nothing(recorded, published):
    over(recorded)
    lost = claim()
    Recording.objects.filter(pk=lost.pk).update(leased_until=timezone.now() - LEASE)
    assert process_next()
    published.facts()
    before = kept(lost.pk)
    target = confr.RECORDINGS_DIR / "late.mp4"
    target.write_bytes(b"late")
    late = storage.keep(target, "late.mp4")
    with pytest.raises(processing.LeaseLost):
        processing._ready(lost, late, processing.Made(1, 1, 1, []))
    processing._failed(lost, "media_stalled")
    after = kept(lost.pk)
    assert (after.storage_name, after.state, after.error_code) == (before.storage_name, "ready", "")
    assert not (confr.RECORDINGS_DIR / "files" / late.name).exists()
    assert published.facts() == []


def test_work_that_is_done_waits_for_a_conference_that_is_busy(recorded):
    over(recorded)
    claimed, held = claim(), threading.Event()
    film = confr.RECORDINGS_DIR / "film.mp4"
    film.write_bytes(b"film")

    def hold():
        with changing_id(recorded.conference.pk):
            held.set()
            time.sleep(2.5)  # longer than anybody waits for a lock
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    processing._ready(claimed, storage.keep(film, "film.mp4"), processing.Made(1, 1, 1, []))
    holder.join()
    assert kept(claimed.pk).state == "ready"


def test_a_lease_is_renewed_while_the_work_lasts_and_tells_its_progress(recorded):
    over(recorded)
    claimed = claim()
    with processing._Lease(claimed) as lease:
        lease.share(0.5)
        until(lambda: kept(claimed.pk).progress == 45)
        assert some(kept(claimed.pk).leased_until) > some(claimed.leased_until)
        Recording.objects.filter(pk=claimed.pk).update(lease="another's")
        with pytest.raises(processing.LeaseLost):
            until(lambda: lease.share(0.6))


def test_whoever_kills_the_worker_again_and_again_is_given_up(recorded, settings):
    recording = over(recorded)
    settings.RECORDING_ATTEMPTS = 1
    assert processing._claim() is not None
    Recording.objects.filter(pk=recording).update(leased_until=timezone.now() - LEASE)
    assert processing._claim() is None
    assert (kept(recording).state, kept(recording).error_code) == ("failed", "worker_killed")


def test_a_recording_that_was_deleted_is_not_processed(recorded):
    recorder.began(stream=recorded.publish("bob").stream.pk, at=second(0))
    destroy_conference(actor=recorded.backend, confr_id=recorded.id)
    hand_in()
    assert process_next()
    (failed,) = Recording.objects.filter(state="failed")
    write_pieces(failed.pk, second(0))
    retry_recording(actor=recorded.backend, recording_id=failed.pk)
    assert process_all() == 2
    delete_recording(actor=recorded.backend, recording_id=failed.pk)
    assert process_all() == 0


def test_a_worker_that_is_killed_leaves_no_process_and_the_next_one_finishes(recorded):
    update_conference(actor=recorded.backend, confr_id=recorded.id, changes={"rec_merge": False})
    recording = record(recorded.publish("bob").stream, second(0), second(15), seconds=15)
    film(recorder.folder_of(recording) / "1-00000.ts", size="120x160", seconds=15)  # takes its time
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": _database(),
        "CONFR_RECORDINGS_DIR": str(confr.RECORDINGS_DIR),
    }
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config.celery",
        "worker",
        "-Q",
        "media",
        "-c",
        "1",
        "-P",
        "prefork",
    ]
    worker = subprocess.Popen(command, cwd=CHECKOUT, env=environment, process_group=0, stderr=subprocess.DEVNULL)
    try:
        destroy_conference(actor=recorded.backend, confr_id=recorded.id)
        hand_in()
        until(lambda: kept(recording).state == "processing" and ffmpegs(), 60)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    until(lambda: not ffmpegs())
    killed = kept(recording)
    assert (killed.state, killed.attempts) == ("processing", 1)
    assert not process_next(), "its lease stands"
    Recording.objects.filter(pk=recording).update(leased_until=timezone.now() - LEASE)
    assert process_all() == 1
    again = kept(recording)
    assert (again.state, again.attempts, again.width, again.height) == ("ready", 2, 160, 160)
    assert again.duration_ms == pytest.approx(30_000, abs=500)
    assert len(recorded.events("recording.ready")) == 1
    assert list((confr.RECORDINGS_DIR / "work").iterdir()) == []


def ffmpegs() -> list[psutil.Process]:
    """The programs that work in our folder."""
    folder = str(confr.RECORDINGS_DIR)
    running = psutil.process_iter(["name", "cmdline"])
    return [one for one in running if one.info["name"] == "ffmpeg" and folder in " ".join(one.info["cmdline"] or [])]
