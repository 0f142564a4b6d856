"""From a real stream to a film that plays in a browser: recorded, merged, looked at, held, deleted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser import StaffPage, Team, assert_accessible
from tests.conferences.media.conftest import require_programs
from tests.scenarios.stage import Room, Stage, demo_stage, eventually
from tests.server import Confr

pytestmark = [pytest.mark.server, pytest.mark.media, pytest.mark.timeout(300)]
MAKING_SECONDS, PATIENCE_MS = 120, 30_000


@pytest.fixture(scope="module")
def stage(confr: Confr) -> Stage:
    require_programs()
    return demo_stage(confr)


@pytest.fixture(scope="module")
def recorded(stage: Stage) -> Iterator[Room]:
    """A meeting of two that was recorded and merged, and is over."""
    with stage.room("alice", "bob", confr_type=10, rec=True, recMerge=True) as room:
        room.publish("alice")
        room.publish("bob", kind="audio", video=False)
        begun = "SELECT count(*) FROM conferences_recording r JOIN conferences_conference c ON c.id = r.conference_id"
        duration = f"{begun} WHERE c.confr_id = %s AND r.started_at < now() - interval '4 seconds'"
        eventually(lambda: stage.value(duration, room.confr_id) == 2, seconds=60, what="both are recorded")
        room.destroy()
        eventually(lambda: states(room) == {"ready": 3}, seconds=MAKING_SECONDS, what="files")
        yield room


def items(room: Room) -> list[dict[str, object]]:
    found: list[dict[str, object]] = room.call("GET", "/recordings")["items"]
    return found


def states(room: Room) -> dict[object, int]:
    found = [item["state"] for item in items(room)]
    return {state: found.count(state) for state in set(found)}


def test_every_file_is_there_and_is_what_it_says(recorded: Room) -> None:
    for item in items(recorded):
        film = requests.get(str(item["url"]), timeout=30)
        assert (len(film.content), hashlib.sha256(film.content).hexdigest()) == (item["size"], item["checksum"])
        assert film.headers["Content-Type"] == "video/mp4"
        part = requests.get(str(item["url"]), headers={"Range": "bytes=4-7"}, timeout=30)
        assert (part.status_code, part.content) == (206, b"ftyp")
    by_kind = {(item["kind"], item["memName"]): item for item in items(recorded)}
    assert by_kind.keys() == {("stream", "alice"), ("stream", "bob"), ("merged", None)}
    assert (by_kind["stream", "alice"]["width"], by_kind["stream", "alice"]["height"]) == (360, 640)
    assert by_kind["stream", "bob"]["width"] == 0
    assert (by_kind["merged", None]["width"], by_kind["merged", None]["height"]) == (1280, 720)


def opened(page: Page, team: Team, room: Room, name: str) -> Page:
    page.goto(f"/dashboard/{team.slugs['demo']}/recordings/?q={room.confr_id}")
    page.get_by_role("link", name=name).first.click()
    return page


def test_a_recording_is_played_held_and_deleted(staff_page: StaffPage, team: Team, recorded: Room) -> None:
    auditor = opened(staff_page("auditor"), team, recorded, "Merged")
    video = auditor.locator("video")
    video.evaluate("video => { video.muted = true; return video.play(); }")
    eventually(lambda: video.evaluate("video => video.currentTime") > 1, seconds=30, what="it plays")
    assert video.evaluate("video => video.videoWidth") == 1280
    assert_accessible(auditor)
    expect(auditor.get_by_role("button", name="Delete")).to_have_count(0)

    operator = opened(staff_page("operator", color_scheme="dark"), team, recorded, "Merged")
    operator.get_by_role("button", name="Hold …").click()
    operator.locator("#hold").get_by_label("Reason").fill("case 12")
    operator.locator("#hold").get_by_role("button", name="Hold", exact=True).click()
    expect(operator.get_by_text("legal hold", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(operator.get_by_role("button", name="Delete …")).to_have_count(0)
    assert_accessible(operator)
    operator.get_by_role("button", name="Release the hold …").click()
    operator.get_by_role("button", name="Release", exact=True).click()
    operator.get_by_role("button", name="Delete …").click()
    operator.get_by_role("button", name="Delete", exact=True).click()
    expect(operator).to_have_url(f"{team.confr.url}/dashboard/{team.slugs['demo']}/recordings/")
    assert states(recorded) == {"ready": 2}
    expect(auditor).to_have_url(re.compile(r"/recordings/$"), timeout=PATIENCE_MS)
