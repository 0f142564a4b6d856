"""Now and System in a browser: they fill up by themselves, and get over the loss of the server without a reload."""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest
from playwright.sync_api import Page, expect

from conferences.management.demo import Backend, Member
from tests.browser import StaffPage, Team, assert_accessible
from tests.scenarios.faults.processes import Processes
from tests.scenarios.stage import eventually, measured
from tests.server import Confr

Meeting = Callable[..., tuple[str, list[Member]]]

pytestmark = pytest.mark.server

SECOND = 1000
# A chart is drawn when some of its canvas is not transparent.
IS_DRAWN = """box => {
  const canvas = box.querySelector("canvas");
  const drawn = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  return drawn.some((byte) => byte > 0);
}"""

# From now on no connection comes about, and the one that there is dies quietly.
LOSE = """async (scope) => {
  const { connect } = await import("/static/dashboard/live.js");
  window.WebSocket = class { send() {} close() {} };
  connect({ scope }).drop();
}"""


@pytest.fixture
def meeting(confr: Confr) -> Iterator[Meeting]:
    """`meeting("alice", "bob")`: the id of a new room of the demo's application, and who is inside."""
    backend = Backend(confr.url, confr.demo["api_key"])
    with ExitStack() as over:

        def hold(*names: str, **wishes: int) -> tuple[str, list[Member]]:
            name = f"now-{secrets.token_hex(3)}"
            room = backend.call("POST", "/conferences", name=name, confrDelayMillis=600_000, **wishes)["confrId"]
            over.callback(backend.call, "DELETE", f"/conferences/{room}")
            return name, [enter(room, name) for name in names]

        def enter(room: str, name: str) -> Member:
            ticket = backend.call("POST", f"/conferences/{room}/tickets", memName=name)["ticket"]
            member = Member(name, f"ws{confr.url.removeprefix('http')}/live", ticket)
            over.callback(member.close)
            return member

        yield hold


def open_now(page: Page, team: Team) -> None:
    page.goto(f"/dashboard/{team.slugs['demo']}/")
    expect(page.locator("[data-live-state]")).to_have_attribute("data-state", "connected")
    page.evaluate("window.isTheSamePage = true")


def workers(processes: Processes) -> list[int]:
    """Those that run now; none while one of them is just ending."""
    try:
        return processes.web_workers()
    except psutil.Error:
        return []


def count(page: Page, name: str) -> int:
    return int(page.locator(f"#now-{name}").inner_text())


def test_now_fills_up_by_itself(staff_page: StaffPage, team: Team, meeting: Meeting) -> None:
    page = staff_page("auditor")
    open_now(page, team)
    members, rooms = count(page, "members"), count(page, "conferences")
    name, _ = meeting("alice", "bob")
    began = time.monotonic()
    expect(page.locator("#now-members")).to_have_text(str(members + 2))
    expect(page.locator("#now-conferences")).to_have_text(str(rooms + 1))
    expect(page.get_by_role("link", name=name)).to_be_visible()
    measured(figures_follow_after=time.monotonic() - began)
    assert page.evaluate("window.isTheSamePage")


def test_now_gets_over_the_loss_of_every_web_process_without_a_reload(
    staff_page: StaffPage, team: Team, confr: Confr, meeting: Meeting
) -> None:
    page = staff_page("auditor")
    open_now(page, team)
    processes = Processes(confr)
    for worker in workers(processes):
        os.kill(worker, signal.SIGKILL)
    badge = page.locator("[data-live-state]")
    expect(badge).not_to_have_attribute("data-state", "connected")
    eventually(lambda: len(workers(processes)) == 2, seconds=60)
    eventually(confr.is_ready, seconds=60)
    expect(badge).to_have_attribute("data-state", "connected", timeout=30 * SECOND)
    name, _ = meeting("alice")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    assert page.evaluate("window.isTheSamePage")


def test_a_page_that_hears_nothing_says_of_what_time_it_is(staff_page: StaffPage, team: Team) -> None:
    page = staff_page("auditor")
    page.clock.install()
    page.goto(f"/dashboard/{team.slugs['demo']}/")
    badge = page.locator("[data-live-state]")
    expect(badge).to_have_text("Live")
    page.evaluate(LOSE, team.slugs["demo"])
    expect(badge).to_have_text("Reconnecting …")
    page.clock.run_for(20 * SECOND)
    expect(badge).to_have_text(re.compile(r"Data as of \d\d:\d\d:\d\d"))


def test_charts_are_drawn_and_said_in_a_table(staff_page: StaffPage, team: Team, meeting: Meeting) -> None:
    meeting("alice", "bob")
    page = staff_page("auditor", color_scheme="dark", reduced_motion="reduce")  # colours change at once
    open_now(page, team)
    plots = page.locator(".now-plot")
    expect(plots.first).to_be_visible(timeout=30 * SECOND)  # the first sample is taken within ten seconds
    for index in range(3):
        assert plots.nth(index).evaluate(IS_DRAWN)
    page.get_by_text("The same as a table").click()
    rows = page.locator(".now-table tbody tr")
    expect(rows).to_have_count(12)
    expect(rows.last.locator("td").nth(1)).not_to_have_text("–", timeout=30 * SECOND)
    for hours in ("6 h", "24 h"):
        page.get_by_role("button", name=hours, exact=True).click()
        expect(page.get_by_role("button", name=hours, exact=True)).to_have_attribute("aria-pressed", "true")
        expect(rows).to_have_count(12)
    assert_accessible(page)
    page.get_by_role("button", name="1 h", exact=True).click()
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-bs-theme=light]")
    assert_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_alert_leads_to_what_it_is_about(staff_page: StaffPage, team: Team, meeting: Meeting, scheme: str) -> None:
    name, _ = meeting("alice", confrType=10, maxTalkerCount=1)
    page = staff_page("moderator", color_scheme=scheme)
    open_now(page, team)
    alert = page.locator(".now-alert", has_text="Full rooms")
    expect(alert).to_be_visible()
    assert_accessible(page, within="#now-alerts")
    expect(alert.locator("a")).to_have_css("text-decoration-line", "underline")
    alert.get_by_role("link").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()


def test_system_looks_again_by_itself(staff_page: StaffPage) -> None:
    page = staff_page("superuser")
    page.goto("/dashboard/system/")
    for name in ("Health", "Media server", "Background jobs", "Web processes with sockets", "Stores", "Versions"):
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(page.locator("#job-reconcile_media")).to_contain_text("works")
    expect(page.locator("#health")).not_to_contain_text("away")
    expect(page.locator("#health td:last-child")).to_have_text([""] * 6)  # what works has nothing to tell
    expect(page.get_by_role("row", name=re.compile(r"^Confr \d"))).to_be_visible()
    before = page.locator("#system > p").inner_text()
    expect(page.locator("#system > p")).not_to_have_text(before, timeout=20 * SECOND)
    assert_accessible(page)
