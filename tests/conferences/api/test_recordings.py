"""Recordings over REST: started, listed, linked, downloaded in parts, held and deleted."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.conf import settings as confr
from django.test import Client
from django.utils import timezone

from conferences.models import Recording, Take
from conferences.services import recordings
from tests import storages
from tests.api_client import answered, problem, refused

CONTENT = bytes(range(250)) * 2000


@pytest.fixture
def path(room):
    return f"/conferences/{room.id}/recording"


@pytest.fixture
def ready(room, settings, tmp_path):
    """A recording that is ready."""
    storages.use(settings, storages.folder(tmp_path / "files"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.mp4").write_bytes(CONTENT)
    return Recording.objects.create(
        application=room.conference.application,
        conference=room.conference,
        take=Take.objects.create(conference=room.conference, started_at=timezone.now(), ended_at=timezone.now()),
        kind="merged",
        state="ready",
        storage_name="a.mp4",
        size=len(CONTENT),
        checksum=hashlib.sha256(CONTENT).hexdigest(),
        progress=100,
    )


def test_a_recording_is_started_paused_and_stopped(backend, room, path):
    regions = [{"memName": "bob", "x": 0, "y": 0, "width": 320, "height": 240}]
    wish = {"merge": True, "width": 640, "height": 480, "regions": regions}
    flags = {"confrId": room.id, "rec": True, "recMerge": True, "recPaused": False}
    assert answered(backend.post(f"{path}/start", wish)) == flags
    take = Take.objects.get()
    assert take.canvas == {"width": 640, "height": 480, "regions": [{"name": "bob", "type": 0, **{
        name: regions[0][name] for name in ("x", "y", "width", "height")
    }}]}  # fmt: skip
    assert answered(backend.post(f"{path}/pause")) == flags | {"recPaused": True}
    assert answered(backend.get(f"/conferences/{room.id}"))["recPaused"] is True
    assert answered(backend.post(f"{path}/resume")) == flags
    assert answered(backend.post(f"{path}/stop", {"reason": "over"})) == flags | {"rec": False}
    refused(lambda: backend.post(f"{path}/pause"), 409, "recording_off")


@pytest.mark.parametrize(
    "wish",
    [
        {"layout": "pile"},
        {"width": 641},
        {"regions": []},
        {"regions": [{"memName": "bob", "x": 1000, "y": 0, "width": 320, "height": 240}]},
        {"regions": [{"memName": "bob", "x": 1, "y": 0, "width": 320, "height": 240}]},
        {"regions": [{"memName": "bob", "x": 0, "y": 0, "width": 0, "height": 240}]},
    ],
)
def test_what_cannot_be_drawn_is_refused(wish, backend, path):
    refused(lambda: backend.post(f"{path}/start", wish), 400, "bad_parameters")


def test_a_folder_that_cannot_be_used_is_said_and_nothing_begins(backend, room, path, settings, tmp_path, caplog):
    settings.RECORDINGS_DIR = tmp_path / "recordings"
    settings.RECORDINGS_DIR.symlink_to(tmp_path / "unmounted")
    refused(lambda: backend.post(f"{path}/start"), 503, "recording_folder_away")
    assert str(settings.RECORDINGS_DIR) in caplog.text

    settings.RECORDINGS_DIR.unlink()
    assert answered(backend.post(f"{path}/start"))["rec"] is True


def test_recordings_are_listed_for_the_application_and_for_a_conference(backend, as_member, room, ready):
    (item,) = answered(backend.get("/recordings"))["items"]
    assert answered(backend.get(f"/conferences/{room.id}/recordings?state=ready"))["total"] == 1
    assert answered(as_member(room, "alice").get(f"/conferences/{room.id}/recordings"))["total"] == 1
    for query in ("state=failed", "kind=stream", "memName=bob", "createdBefore=2020-01-01T00:00:00Z"):
        assert answered(backend.get(f"/recordings?{query}"))["items"] == []
    assert {name: item[name] for name in ("recordingId", "confrId", "kind", "state", "memName", "size")} == {
        "recordingId": ready.pk,
        "confrId": room.id,
        "kind": "merged",
        "state": "ready",
        "memName": None,
        "size": len(CONTENT),
    }
    assert answered(backend.get(f"/recordings/{ready.pk}"))["checksum"] == ready.checksum
    Recording.objects.update(state="failed", error_code="disk_full")
    failed = answered(backend.get(f"/recordings/{ready.pk}"))
    assert (failed["url"], failed["urlExpiresAt"], failed["code"]) == (None, None, "disk_full")


def link_to(backend, ready) -> str:
    url = answered(backend.get(f"/recordings/{ready.pk}"))["url"]
    assert url.startswith(f"{confr.PUBLIC_URL}/api/v1/recordings/{ready.pk}/file/")
    return str(url.removeprefix(confr.PUBLIC_URL))


def fetch(path: str, **options: Any) -> Any:
    """What somebody gets who has no credential."""
    return Client().get(path, **options)


def body_of(response) -> bytes:
    return b"".join(response.streaming_content)


def test_a_link_leads_to_the_file_without_a_credential(backend, ready):
    response = fetch(link_to(backend, ready))
    assert (response.status_code, response["Content-Type"]) == (200, "video/mp4")
    assert (response["Accept-Ranges"], response["Content-Length"]) == ("bytes", str(len(CONTENT)))
    assert (response["Content-Disposition"], response["X-Content-Type-Options"]) == ("inline", "nosniff")
    assert body_of(response) == CONTENT
    saved = fetch(link_to(backend, ready) + "?download")
    assert saved["Content-Disposition"] == f'attachment; filename="{ready.conference.confr_id}-{ready.pk}.mp4"'
    assert "private" in saved["Cache-Control"]


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [
        ("bytes=0-9", 206, (0, 10)),
        ("bytes=499990-", 206, (499_990, 500_000)),
        ("bytes=499990-600000", 206, (499_990, 500_000)),
        ("bytes=-5", 206, (499_995, 500_000)),
        ("bytes=-600000", 200, (0, 500_000)),
        ("bytes=0-", 200, (0, 500_000)),
        ("bytes=500000-", 416, None),
        ("bytes=9-3", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=0-1,4-5", 200, (0, 500_000)),
        ("bytes=-", 200, (0, 500_000)),
        ("lines=0-1", 200, (0, 500_000)),
    ],
)
def test_parts_of_a_file(asked, status, given, backend, ready):
    response = fetch(link_to(backend, ready), headers={"Range": asked})
    assert response.status_code == status
    if given is None:
        assert response["Content-Range"] == "bytes */500000"
        return
    start, end = given
    assert body_of(response) == CONTENT[start:end]
    assert response["Content-Length"] == str(end - start)
    assert response.get("Content-Range") == (f"bytes {start}-{end - 1}/500000" if status == 206 else None)


def test_a_part_of_another_version_is_not_mixed_in(backend, ready):
    path, part = link_to(backend, ready), {"Range": "bytes=0-9"}
    etag = Client().head(path)["ETag"]
    assert fetch(path, headers=part | {"If-Range": etag}).status_code == 206
    assert fetch(path, headers=part | {"If-Range": '"other"'}).status_code == 200


def test_a_link_that_was_changed_or_has_expired_leads_nowhere(backend, ready, clock):
    path = link_to(backend, ready)
    other = Recording.objects.create(
        application=ready.application, conference=ready.conference, take=ready.take, state="ready", storage_name="a.mp4"
    )
    head, key, name = path.rsplit("/", 2)
    for wrong in (
        path.replace(f"/{ready.pk}/file", f"/{other.pk}/file"),
        f"{head}/{key[:-3]}{'A' if key[-3] != 'A' else 'B'}{key[-2:]}/{name}",
        f"{head}/zzzzzz.{key.partition('.')[2]}/{name}",
        f"{head}/nonsense/{name}",
    ):
        problem(fetch(wrong), 403, "recording_link_invalid")
    clock.shift(confr.RECORDING_LINK_SECONDS + 1)
    problem(fetch(path), 410, "recording_link_expired")


def test_a_link_ends_with_its_recording(backend, ready, tmp_path):
    path = link_to(backend, ready)
    assert answered(backend.delete(f"/recordings/{ready.pk}?reason=private")) == {}
    problem(fetch(path), 404, "recording_not_found")
    refused(lambda: backend.get(f"/recordings/{ready.pk}"), 404, "recording_not_found")
    assert recordings.remove_recordings() == 1
    assert list((tmp_path / "files").iterdir()) == []


def test_the_log_keeps_no_link(backend, ready, caplog):
    path = link_to(backend, ready)
    key = path.split("/")[-2]
    with caplog.at_level("INFO"):
        fetch(path)
    assert f"/recordings/{ready.pk}/file/…/" in caplog.text
    assert key not in caplog.text


def test_a_storage_that_is_away_is_said_so(backend, ready, tmp_path):
    path = link_to(backend, ready)
    (tmp_path / "files" / "a.mp4").unlink()
    problem(fetch(path), 503, "unavailable")


def test_with_a_bucket_a_link_leads_on_to_it(backend, ready, settings):
    with storages.silent_server() as address:
        storages.use(settings, storages.bucket(address))
        response = fetch(link_to(backend, ready) + "?download")
    assert response.status_code == 302
    assert response["Location"].startswith(f"{address}/recordings/confr/a.mp4?")
    assert f"{ready.conference.confr_id}-{ready.pk}.mp4" in response["Location"]


def test_a_held_recording_is_not_deleted(backend, room, ready):
    path = f"/recordings/{ready.pk}"
    assert answered(backend.post(f"{path}/hold", {"hold": True, "reason": "case 12"}))["legalHold"] is True
    refused(lambda: backend.delete(path), 409, "recording_held")
    assert answered(backend.post(f"{path}/hold", {"hold": False}))["legalHold"] is False
    answered(backend.delete(path))
    assert [event.data.get("hold") for event in room.events("recording.held")] == [True, False]


def test_only_what_failed_is_tried_again(backend, ready):
    path = f"/recordings/{ready.pk}/retry"
    refused(lambda: backend.post(path), 409, "recording_not_failed")
    Recording.objects.update(state="failed", error_code="disk_full", attempts=6)
    tried = answered(backend.post(path))
    assert (tried["state"], tried["code"], tried["attempts"]) == ("uploading", "", 0)
    refused(lambda: backend.delete(f"/recordings/{ready.pk}"), 409, "recording_unfinished")
