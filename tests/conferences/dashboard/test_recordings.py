"""The recordings of the staff, over HTTP: what is found and shown, who may act, and what is refused."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from accounts.models import Application, Staff
from conferences.models import Recording, Take
from tests import storages
from tests.conferences.dashboard.staff import SignedIn, table, url
from tests.database import all_rows


def found(client: Client, application: Application | str = "all", **query: str) -> list[int]:
    """The recordings that the list shows, in its order."""
    response = client.get(url("recordings", application), query)
    assert response.status_code == 200
    return [row.recording.pk for row in response.context["rows"]]


def make(room, media, **values) -> Recording:
    take, _ = Take.objects.get_or_create(conference=room.conference, defaults={"started_at": timezone.now()})
    stream = values.pop("stream", None)
    return Recording.objects.create(
        application=room.conference.application,
        conference=room.conference,
        take=take,
        kind="stream" if stream else "merged",
        stream=stream,
        member=stream and stream.member,
        **values,
    )


@pytest.fixture
def camera(room, media):
    """What bob's camera left: ready, with a gap and a piece that could not be used."""
    gaps = [{"from": 1000, "until": 3500, "cause": "media_server"}]
    skipped = [{"input": "<1>.ts", "code": "media_unreadable"}]
    values = {"state": "ready", "size": 4, "duration_ms": 65_000, "width": 160, "height": 120, "checksum": "c" * 64}
    stream = room.publish("bob").stream
    return make(room, media, stream=stream, storage_name="a.mp4", gaps=gaps, skipped=skipped, **values)


@pytest.fixture
def merged(room, media, camera):
    return make(room, media, state="processing", progress=40)


def test_recordings_are_found(application, foreign, signed_in: SignedIn, room, camera, merged):
    client = signed_in(application, "auditor")
    assert found(client, application) == found(client) == [merged.pk, camera.pk]
    for query, expected in (
        ({"state": "ready"}, [camera.pk]),
        ({"state": "unsettled"}, [merged.pk]),
        ({"state": "failed"}, []),
        ({"kind": "merged"}, [merged.pk]),
        ({"q": "BO"}, [camera.pk]),
        ({"q": room.id.lower()}, [merged.pk, camera.pk]),
        ({"held": "on"}, []),
    ):
        assert found(client, application, **query) == expected, query
    stranger = signed_in(foreign, "owner")
    assert found(stranger) == []
    assert stranger.get(url("recording", foreign, recording_id=camera.pk)).status_code == 404
    assert stranger.get(url("recording", application, recording_id=camera.pk)).status_code == 404


def test_while_something_is_made_the_list_looks_again(application, signed_in: SignedIn, camera, merged):
    client = signed_in(application, "auditor")
    page = client.get(url("recordings", application), headers={"HX-Request": "true"}).content.decode()
    assert page.lstrip().startswith('<div id="list"')
    assert "every 3s" in page
    assert 'value="40"' in page
    Recording.objects.filter(pk=merged.pk).update(state="failed", error_code="storage_failed")
    page = client.get(url("recordings", application)).content.decode()
    assert "every 3s" not in page
    assert "The storage refused the file or was away." in page


def test_a_recording_is_played_and_told_of(application, signed_in: SignedIn, camera, settings, tmp_path):
    storages.use(settings, storages.folder(tmp_path))
    (tmp_path / "a.mp4").write_bytes(b"film")
    client = signed_in(application, "auditor")
    response = client.get(url("recording", application, recording_id=camera.pk))
    page, path = response.content.decode(), response.context["link"].path
    assert f'src="{path}"' in page
    assert f'href="{path}?download"' in page
    assert client.get(path).getvalue() == b"film"
    for text in ("1:05", "2.5 s: the media server was away", "&lt;1&gt;.ts", "160 × 120", "bob"):
        assert text in page, text
    assert 'data-opens="delete"' not in page


def test_the_page_is_loaded_again_once_there_is_a_file(application, signed_in: SignedIn, merged):
    client = signed_in(application, "auditor")
    address = url("recording", application, recording_id=merged.pk)
    assert "every 2s" in client.get(address).content.decode()

    def ask():
        return client.get(f"{address}?until_settled", headers={"HX-Request": "true"})

    assert "HX-Refresh" not in ask()
    Recording.objects.filter(pk=merged.pk).update(state="ready", storage_name="b.mp4")
    assert ask()["HX-Refresh"] == "true"
    Recording.objects.filter(pk=merged.pk).update(deleted_at=timezone.now())
    assert ask()["HX-Redirect"] == url("recordings", application), "whoever looks at it is led away"
    assert client.get(address).status_code == 404


def test_an_operator_tries_again_holds_releases_and_deletes(application, signed_in: SignedIn, room, merged):
    client = signed_in(application, "operator")

    def act(name: str, **data: str):
        return client.post(url(name, application, recording_id=merged.pk), data)

    assert act("retry_recording").status_code == 409
    Recording.objects.filter(pk=merged.pk).update(state="failed", error_code="disk_full")
    assert b"Try again" in client.get(url("recording", application, recording_id=merged.pk)).content
    assert act("retry_recording").status_code == 302
    assert Recording.objects.get(pk=merged.pk).state == "uploading"
    assert act("hold_recording", hold="yes", reason="case 12").status_code == 302
    Recording.objects.filter(pk=merged.pk).update(state="ready")
    assert act("delete_recording").status_code == 409
    assert act("hold_recording", hold="no").status_code == 302
    assert act("delete_recording", reason="asked for").status_code == 302
    assert found(client) != [merged.pk]
    told = room.events("recording.retried", "recording.held", "recording.deleted")
    assert [(event.type, event.personal.get("reason"), event.actor_kind) for event in told] == [
        ("recording.retried", None, "staff"),
        ("recording.held", "case 12", "staff"),
        ("recording.held", None, "staff"),
        ("recording.deleted", "asked for", "staff"),
    ]


def test_whoever_has_a_second_factor_gives_it_again_to_delete(application, signed_in: SignedIn, camera):
    client = signed_in(application, "operator")
    Authenticator.objects.create(user=Staff.objects.latest("pk"), type=Authenticator.Type.TOTP, data={"secret": "x"})
    asked = client.post(url("delete_recording", application, recording_id=camera.pk))
    assert (asked.status_code, "/2fa/" in asked["Location"]) == (302, True)
    assert found(client) == [camera.pk]


@pytest.mark.parametrize("name", ["retry_recording", "hold_recording", "delete_recording"])
def test_who_may_not_act_changes_nothing(name, application, foreign, signed_in: SignedIn, camera):
    before = None
    for client, status in (
        (signed_in(application, "moderator"), 403),
        (signed_in(application, "auditor"), 403),
        (signed_in(foreign, "owner"), 404),
    ):
        before = {label: rows for label, rows in all_rows().items() if label.startswith("conferences")}
        assert client.post(url(name, application, recording_id=camera.pk), {"hold": "yes"}).status_code == status
        assert client.get(url(name, application, recording_id=camera.pk)).status_code in {403, 404, 405}
        after = {label: rows for label, rows in all_rows().items() if label.startswith("conferences")}
        assert after == before


def test_the_spreadsheet_has_what_the_filter_has(application, signed_in: SignedIn, room, camera, merged):
    rows = table(signed_in(application, "auditor").get(url("recordings_csv", application), {"state": "ready"}))
    assert len(rows) == 2
    assert rows[1][:7] == [str(camera.pk), "acme#live", room.id, "", "bob", "one stream", "ready"]
