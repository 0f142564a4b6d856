"""What people call themselves and write is text on every page, whatever it looks like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser import StaffPage, Team
from tests.conferences.dashboard.test_pages import addresses
from tests.scenarios.stage import Room, Stage, demo_stage
from tests.server import Confr

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]
IMAGE = '"><img src=x onerror=alert(1)>'
SVG = "'><svg/onload=alert(2)>"
SCRIPT = "</script><script>alert(3)</script>"
PATTERN = "<b>$&</b>{name}{{7*7}}${7*7}"
NAMES = [IMAGE, SVG, SCRIPT, PATTERN]
# What would be there, had any of it become markup.
INJECTED = """() => document.querySelectorAll('img[src="x"], svg[onload], [onerror], main b').length
    + [...document.scripts].filter((script) => script.text.startsWith("alert")).length"""


@pytest.fixture(scope="module")
def stage(confr: Confr) -> Stage:
    return demo_stage(confr)


@pytest.fixture
def room(stage: Stage) -> Iterator[Room]:
    """A room in which everything that somebody can type is markup."""
    with stage.room(*NAMES, confr_type=11, name=SCRIPT + IMAGE, ext=IMAGE) as room:
        for content in NAMES:
            room[IMAGE].ask("sendBroadcast", content=content)
        room.call("POST", "/mute", memNames=[SVG], kinds=["audio"], muted=True, reason=IMAGE)
        room.enter("spammer" + SVG)
        room.call("POST", "/kick", memNames=["spammer" + SVG], reason=SCRIPT)
        yield room


def alerts_of(page: Page) -> list[str]:
    """What a script that came to life would say, written down as it is said."""
    said: list[str] = []

    def hear(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", hear)
    return said


def looks(page: Page, address: str, *texts: str) -> None:
    """The page shows the texts as they were typed, and nothing of them came to life."""
    page.goto(address)
    for text in texts:
        expect(page.locator("main").get_by_text(text, exact=False).first).to_be_attached()
    assert page.evaluate(INJECTED) == 0, address


def test_no_name_comes_to_life_on_any_page(staff_page: StaffPage, team: Team, room: Room) -> None:
    page = staff_page("superuser", refusals=(404, 405))
    alerts = alerts_of(page)
    slug = team.slugs["demo"]
    known = {name: path for name, path in addresses(slug=slug, confr_id=room.confr_id).items() if "." not in path}
    for address in known.values():
        if page.request.get(address).text().lstrip().startswith("<"):  # a page, or a part of one
            looks(page, address)
    looks(page, known["rooms"], SCRIPT + IMAGE)
    looks(page, known["report"], *NAMES)
    looks(page, known["bans"], "spammer" + SVG, SCRIPT)
    looks(page, f"{known['audit']}?room={room.confr_id}", *NAMES)
    page.get_by_role("button", name="Details").first.click()
    page.locator("#details-body dl").wait_for()
    assert page.evaluate(INJECTED) == 0
    assert not alerts


def test_no_name_comes_to_life_in_the_console(staff_page: StaffPage, team: Team, room: Room) -> None:
    page = staff_page("owner")
    alerts = alerts_of(page)
    page.goto(f"/dashboard/{team.slugs['demo']}/rooms/{room.confr_id}/")
    expect(page.locator("#room:not([aria-busy])")).to_be_visible()
    for name in NAMES:
        expect(page.locator(".member [data-field=user]").get_by_text(name, exact=True)).to_be_visible()
    row = page.locator(".member", has=page.locator("[data-field=user]").get_by_text(IMAGE, exact=True))
    expect(row.locator("[data-mute=audio]")).to_have_attribute("title", f"Mute the microphone of {IMAGE.title()}")
    row.locator("[data-do=kick]").click()
    expect(page.locator("dialog[open]")).to_contain_text(IMAGE.title())
    page.keyboard.press("Escape")
    room[PATTERN].ask("sendBroadcast", content=PATTERN + IMAGE)
    for tab in page.locator("#room [role=tab]").all():
        tab.click()
        assert page.evaluate(INJECTED) == 0
    expect(page.locator("#room").get_by_text(PATTERN + IMAGE).first).to_be_attached()
    room.call("POST", "/kick", memNames=[SVG], reason=IMAGE)
    expect(page.locator("#announcer")).to_contain_text(IMAGE)
    assert page.evaluate(INJECTED) == 0
    assert not alerts


def test_a_guest_sees_names_as_they_are(staff_page: StaffPage, room: Room) -> None:
    page = staff_page("auditor")
    ticket = room.ticket("guest" + PATTERN)["ticket"]
    page.goto(f"/dashboard/join/#confrId={room.confr_id}&ticket={ticket}")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator("#status")).to_have_text(f"You are in the room as guest{PATTERN}.")
    expect(page.locator("#people")).to_contain_text(SVG.title())
    assert page.evaluate(INJECTED) == 0


def test_a_link_without_an_invitation_says_so(staff_page: StaffPage) -> None:
    page = staff_page("auditor")
    for link in ("", "#", "#ticket=", "#confrId=x", "#%E0%A4%A"):
        page.goto("about:blank")
        page.goto(f"/dashboard/join/{link}")
        expect(page.locator("#status")).to_have_text("This link holds no invitation. Ask for a new one.")
        expect(page.locator("#enter")).to_be_hidden()
    page.goto("about:blank")
    page.goto("/dashboard/join/#ticket=nonsense")
    page.get_by_role("button", name="Enter").click()
    expect(page.locator("#status")).not_to_have_text("Entering …")
    expect(page.locator("#enter")).to_be_enabled()
