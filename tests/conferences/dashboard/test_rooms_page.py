"""Rooms and reports in a browser: choosing, asking, doing, and what is left of it; rows that follow what happens."""

from __future__ import annotations

import json
import re
import secrets
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from tests.browser import StaffPage, Team, assert_accessible
from tests.scenarios.stage import eventually
from tests.server import Confr

pytestmark = pytest.mark.server

Rest = Callable[..., Any]


@pytest.fixture
def rest(confr: Confr) -> Rest:
    """Calls as the backend of the demo application: `rest("POST", "/conferences", name="standup")`."""

    def call(method: str, path: str, **body: object) -> Any:
        request = urllib.request.Request(  # noqa: S310 an address of ours
            f"{confr.url}/api/v1{path}",
            json.dumps(body).encode() if method != "GET" else None,
            {"Authorization": f"Bearer {confr.demo['api_key']}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 as above
            return json.load(response)

    return call


@pytest.fixture
def prefix() -> str:
    """What the rooms of this test are called, so that it finds its own."""
    return f"r{secrets.token_hex(3)}"


def create(rest: Rest, *names: str) -> list[str]:
    wish = {"confrType": 10, "confrDelayMillis": 600_000}
    return [rest("POST", "/conferences", name=name, **wish)["confrId"] for name in names]


def rooms(page: Page, team: Team, query: str) -> None:
    page.goto(f"/dashboard/{team.slugs['demo']}/rooms/?{query}")
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "connected")


def test_rows_follow_what_happens_and_what_is_chosen_stays_chosen(
    staff_page: StaffPage, team: Team, rest: Rest, prefix: str
) -> None:
    first, _ = create(rest, f"{prefix}-one", f"{prefix}-two")
    page = staff_page("operator")
    rooms(page, team, f"q={prefix}&sort=created")
    box = page.locator(f"#choose-{first}")
    box.check()
    box.focus()
    [third] = create(rest, f"{prefix}-three")
    expect(page.locator(f"#room-{third}")).to_be_visible()
    rest("PATCH", f"/conferences/{first}", locked=True)
    expect(page.locator(f"#room-{first}")).to_contain_text("locked")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    expect(page.locator("[data-chosen]")).to_have_text("Chosen: 1")
    rest("DELETE", f"/conferences/{first}")
    expect(page.locator(f"#room-{first}")).to_have_count(0)
    expect(page.locator("[data-chosen]")).to_have_text("No room is chosen")
    assert_accessible(page)


def test_rooms_are_chosen_asked_about_and_ended_by_keyboard(
    staff_page: StaffPage, team: Team, rest: Rest, prefix: str
) -> None:
    ids = create(rest, *(f"{prefix}-{number}" for number in range(7)))
    page = staff_page("operator")
    rooms(page, team, f"q={prefix}")
    end = page.get_by_role("button", name="End …")
    expect(end).to_be_disabled()
    page.keyboard.press("a")
    expect(page.locator("[data-chosen]")).to_have_text("Chosen: 7")
    page.locator(f"#choose-{ids[0]}").focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-chosen]")).to_have_text("Chosen: 6")
    end.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("End: 6 rooms")
    expect(dialog).to_contain_text("6 rooms will be changed")
    assert_accessible(page, within="#preview")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(end).to_be_focused()
    assert rest("GET", f"/conferences/{ids[1]}")["state"] == "live"
    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("night")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rooms/bulk/*/")
    expect(page.get_by_role("status").first).to_have_text("Finished: 6 rooms.", timeout=20_000)
    expect(page.locator("tbody .badge", has_text="done")).to_have_count(6)
    assert_accessible(page)
    page.reload()
    expect(page.get_by_role("status").first).to_have_text("Finished: 6 rooms.")
    assert [rest("GET", f"/conferences/{each}")["state"] for each in ids] == ["live"] + ["closed"] * 6
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("link", name="Back to the rooms").click()
    page.wait_for_url("**/rooms/")
    assert not [address for address in requests if "/bulk/" in address]


def test_the_whole_filter_is_announced_to_and_an_auditor_only_looks(
    staff_page: StaffPage, team: Team, rest: Rest, prefix: str
) -> None:
    create(rest, *(f"{prefix}-{number}" for number in range(3)))
    page = staff_page("moderator")
    rooms(page, team, f"q={prefix}")
    expect(page.get_by_role("button", name="End …")).to_have_count(0)
    page.get_by_label("The whole filter").check()
    expect(page.locator("[data-chosen]")).to_have_text("All 3 rooms of this filter")
    page.get_by_role("button", name="Announce …").click()
    page.get_by_label("Announcement").fill("<b>Five minutes</b>")
    page.get_by_role("dialog").get_by_role("button", name="Announce").click()
    expect(page.get_by_role("status").first).to_have_text("Finished: 3 rooms.", timeout=20_000)
    expect(page.get_by_text("<b>Five minutes</b>")).to_be_visible()
    auditor = staff_page("auditor")
    rooms(auditor, team, f"q={prefix}")
    expect(auditor.locator("#list tbody tr")).to_have_count(3)
    expect(auditor.get_by_role("checkbox", name="Choose")).to_have_count(0)
    assert_accessible(auditor)


def stay(confr: Confr, rest: Rest, confr_id: str, *names: str) -> None:
    """Each enters, and leaves; the last one's leaving ends the conference."""
    with ExitStack() as sockets:
        for name in names:
            ticket = rest("POST", f"/conferences/{confr_id}/tickets", memName=name)["ticket"]
            socket = sockets.enter_context(connect(f"ws://127.0.0.1:{confr.port}/live", proxy=None))
            socket.send(json.dumps({"id": 1, "op": "enter", "data": {"ticket": ticket}}))
            assert "result" in json.loads(socket.recv(10))
        for name in names:
            rest("POST", f"/conferences/{confr_id}/exit", memName=name)


def test_a_report_is_replayed(staff_page: StaffPage, team: Team, confr: Confr, rest: Rest, prefix: str) -> None:
    [ended] = create(rest, f"{prefix}-room")
    stay(confr, rest, ended, "alice", "bob", "carol")
    page = staff_page("auditor", viewport={"width": 400, "height": 800})
    page.clock.install()
    page.goto(f"/dashboard/{team.slugs['demo']}/reports/")
    page.get_by_role("link", name=f"{prefix}-room").click()
    moment, scrubber = page.locator("#moment"), page.get_by_role("slider")
    expect(moment).to_contain_text("Inside: 3.")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    scrubber.focus()
    page.keyboard.press("Home")
    expect(moment).to_contain_text("Nobody is inside.")
    page.keyboard.press("End")
    expect(moment).to_contain_text("Inside: 0.")
    for _ in range(2):  # the end itself, and the last one's leaving
        page.get_by_role("button", name="Event before").click()
    expect(moment).to_contain_text("Inside: 1.")
    scrubber.focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    last = scrubber.get_attribute("max")

    def is_at_the_end() -> bool:
        page.clock.run_for(1000)  # the next event waits for the answer to the one before
        return scrubber.input_value() == last

    eventually(is_at_the_end, seconds=60)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(moment).to_have_attribute("data-seq", str(last))
    page.get_by_role("button", name="Go to event 1", exact=True).click()
    expect(scrubber).to_have_attribute("aria-valuetext", re.compile("^1, "))
