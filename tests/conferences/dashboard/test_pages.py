"""Every page of the dashboard, whoever built it: found by its address, looked at by each role and in every guise."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver
from playwright.sync_api import APIResponse, Browser, Page, ViewportSize

from conferences.dashboard.urls import urlpatterns
from tests.browser import ROLES, StaffPage, Team, assert_accessible, barriers
from tests.server import CHECKOUT, Confr

pytestmark = [pytest.mark.server, pytest.mark.slow]

PAGES = {
    "now", "rooms", "room", "wall", "reports", "report", "recordings", "bans", "audit",
    "applications", "staff_of", "system",
}  # fmt: skip
# Text without a Chinese character, and what is called so in every language.
ENGLISH = re.compile(r"\A[^一-鿿]*[A-Za-z][^一-鿿]*\Z")
NAMES = {"Redis", "demo#live", "admin", *(f"{role}-demo" for role in ROLES)}
OPEN = {"join"}  # to the guests that an invitation leads there
DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
MARKED = re.compile(r"""{%\s*translate\s+"([^"]+)"|_\(\s*"([^"]+)"\s*\)""")
SOURCES = ["templates/**/*.html", "conferences/dashboard/**/*.py"]
# The texts of a page that are ours, and not what somebody typed.
FIXED_TEXTS = """
() => {
  const others = "[translate=no], [lang]:not(html), code, kbd, pre, script, template";
  const ours = (element) => element && !element.closest(others);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) if (ours(walker.currentNode.parentElement)) found.push(walker.currentNode.data.trim());
  for (const name of ["aria-label", "title", "placeholder", "alt"])
    for (const element of document.querySelectorAll(`[${name}]`))
      if (ours(element)) found.push(element.getAttribute(name).trim());
  return [document.title.split(" · ")[0], ...found];
}
"""
# What must hold Chinese, since nothing that somebody typed stands there.
HEADINGS = """
() => [...document.querySelectorAll("h1, h2, h3, th, label, legend, button, .form-hint, .empty-title, nav a")]
  .filter((element) => !element.closest("[translate=no], [lang]:not(html)"))
  .filter((element) => !element.querySelector("code, kbd, [translate=no]"))
  .map((element) => element.textContent.trim())
"""


@pytest.fixture(scope="module")
def confr_id(confr: Confr) -> str:
    """A live room of the demo's application."""
    request = urllib.request.Request(  # noqa: S310 an address of ours
        f"{confr.url}/api/v1/conferences",
        data=json.dumps({"name": f"课堂 {token_hex(3)}", "confrDelayMillis": 3_600_000}).encode(),
        headers={"Authorization": f"Bearer {confr.demo['api_key']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 an address of ours
        return str(json.load(answer)["confrId"])


def addresses(**values: str) -> dict[str, str]:
    """The addresses of the dashboard that need no more than these values, by the name of their view."""
    found = {}
    for route, pattern in _walk(urlpatterns, "/dashboard/"):
        filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values.get(match[1], match[0]), route)
        if "<" not in filled:
            found[str(pattern.name)] = filled
    return found


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern


def ask(page: Page, address: str) -> APIResponse:
    return page.context.request.get(address, headers={"Accept": "text/html"})


def is_page(response: APIResponse, address: str) -> bool:
    """Whether that is a page of its own: no download, no part of a page, and nothing that leads elsewhere."""
    html = response.headers.get("content-type", "").startswith("text/html")
    here = response.url.endswith(address)
    return html and here and response.status == 200 and "<!DOCTYPE html>" in response.text()


@pytest.fixture(scope="module")
def pages(browser: Browser, team: Team, confr_id: str) -> dict[str, str]:
    """The pages about the demo's application, by name."""
    session = team.session(browser, "superuser", "demo")
    asked = browser.new_page(base_url=team.confr.url, storage_state=session, locale="en")
    known = addresses(slug=team.slugs["demo"], confr_id=confr_id) | {"home": "/dashboard/?choose"}
    found = {name: address for name, address in known.items() if is_page(ask(asked, address), address)}
    asked.close()
    assert found.keys() >= PAGES
    return found


def test_pages_are_without_fault_in_light_and_dark_and_on_a_phone(staff_page: StaffPage, pages: dict[str, str]) -> None:
    page, faults = staff_page("superuser", reduced_motion="reduce"), []  # colours change at once
    for name, address in pages.items():
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(DESKTOP)
        page.goto(address)
        assert page.locator("h1").count() == 1, name
        assert page.title().removesuffix(" · Confr"), name
        assert page.locator("html").get_attribute("data-bs-theme") == "light"
        faults += barriers(page)
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector("html[data-bs-theme=dark]")
        faults += barriers(page, only=["color-contrast"])
        page.set_viewport_size(PHONE)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            faults.append(f"{address} is {wide} px too wide for a phone")
    assert not faults, "\n".join(faults)


def test_pages_speak_chinese(staff_page: StaffPage, pages: dict[str, str]) -> None:
    marked = {
        text
        for pattern in SOURCES
        for path in CHECKOUT.glob(pattern)
        for texts in MARKED.findall(path.read_text())
        for text in texts
        if re.search(r"[A-Za-z]{2}", text)
    }
    assert len(marked) > 100
    page = staff_page("superuser", locale="zh-CN")
    english: set[tuple[str, str]] = set()
    for address in pages.values():
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == "zh-hans"
        english |= {(address, text) for text in page.evaluate(FIXED_TEXTS) if text in marked - NAMES}
        english |= {(address, text) for text in page.evaluate(HEADINGS) if ENGLISH.search(text) and text not in NAMES}
    assert not english, "\n".join(f"{address}: {text}" for address, text in sorted(english))


def test_each_role_opens_what_its_navigation_offers_and_no_less_than_a_lower_one(
    staff_page: StaffPage, team: Team, pages: dict[str, str]
) -> None:
    allowed: dict[str, set[str]] = {}
    for role in ROLES:
        page = staff_page(role)
        answers = {name: ask(page, address).status for name, address in pages.items()}
        assert set(answers.values()) <= {200, 403}, answers
        allowed[role] = {name for name, status in answers.items() if status == 200}
        page.goto(pages["bans"])
        page.wait_for_selector("#navigation a")
        links = [link.get_attribute("href") or "" for link in page.locator("#navigation a").all()]
        assert len(links) >= 8
        assert {ask(page, link).status for link in links} == {200}
    assert allowed["owner"] >= allowed["operator"] >= allowed["moderator"] >= allowed["auditor"]
    assert allowed["auditor"] >= {"home", "rooms", "room", "bans", "audit", "reports"}
    assert allowed["owner"] >= PAGES - {"system"}
    assert "staff_of" not in allowed["operator"]


def test_nobody_sees_another_tenants_pages(
    staff_page: StaffPage, team: Team, confr_id: str, pages: dict[str, str]
) -> None:
    stranger = staff_page("owner", application="other")
    about_demo = {name: address for name, address in pages.items() if team.slugs["demo"] in address}
    assert len(about_demo) >= 9
    for address in about_demo.values():
        response = ask(stranger, address)
        assert response.status == 404, address
        assert "demo#live" not in response.text()
    for scope in ("all", team.slugs["other"]):
        for address in addresses(slug=scope).values():
            assert "demo#live" not in ask(stranger, address).text(), address
        response = ask(stranger, addresses(slug=scope, confr_id=confr_id)["room"])
        assert response.status == 404


def test_nobody_sees_anything_without_signing_in(browser: Browser, team: Team, pages: dict[str, str]) -> None:
    context = browser.new_context(base_url=team.confr.url)
    page = context.new_page()
    for address in ["/", *(address for name, address in pages.items() if name not in OPEN)]:
        page.goto(address)
        assert page.url.startswith(f"{team.confr.url}/account/login/?next=/dashboard/"), address
    assert context.request.get(pages["bans"], headers={"HX-Request": "true"}).status == 401
    context.close()


def test_the_frame(staff_page: StaffPage, pages: dict[str, str]) -> None:
    """The theme and the language are kept; keys lead about; the sheet lists them; a phone has its menu; refusals are
    pages and notices."""
    page = staff_page("auditor", refusals=(403, 404))
    page.goto(pages["bans"])
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("href") == "#content"
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Dark").click()
    page.keyboard.press("Escape")
    page.reload()
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    page.keyboard.press("?")
    assert page.locator("#help").get_by_text("Audit").is_visible()
    assert_accessible(page, within="#help")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/audit/")
    page.get_by_role("button", name="Details").first.click()
    page.locator("#details-body dl").wait_for()
    assert_accessible(page, within="#details")
    page.locator("#details").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Verify").click()
    assert "as they were written" in page.locator("#verdict .alert-success").inner_text()
    page.evaluate("htmx.ajax('POST', location.pathname.replace('/audit/', '/bans/lift/'), {target: '#verdict'})")
    refused = page.locator("#toasts .notice")
    refused.wait_for()
    assert "You may not do this" in refused.inner_text()
    assert page.locator("#verdict .alert-success").is_visible()
    page.get_by_role("button", name="Language").click()
    page.get_by_role("button", name="简体中文").click()
    page.wait_for_selector("html[lang=zh-hans]")
    page.set_viewport_size(PHONE)
    assert not page.locator("#navigation").is_visible()
    page.locator(".navbar-toggler").click()
    page.locator("#navigation a").first.click()
    page.wait_for_selector("h1")
    assert page.locator("html").get_attribute("lang") == "zh-hans"
    page.goto("/dashboard/1/")
    assert page.get_by_role("heading", level=1).is_visible()
    assert_accessible(page)


def test_a_broken_policy_is_logged_and_counted(confr: Confr, staff_page: StaffPage) -> None:
    page = staff_page("auditor")
    before = _reports(page)
    report = {"document-uri": "http://x/page?secret=1", "effective-directive": "img-src", "blocked-uri": "http://y/\n"}
    for body in (json.dumps({"csp-report": report}), "nonsense", "[]", '{"csp-report": 5}'):
        answer = page.context.request.post(
            "/dashboard/violations/", data=body, headers={"Content-Type": "application/csp-report"}
        )
        assert answer.status == 204
    assert _reports(page) == before + 4
    assert '{"page":"http://x/page"' in confr.log.read_text()
    assert "secret=1" not in confr.log.read_text()


def _reports(page: Page) -> float:
    text = page.context.request.get("/metrics").text()
    return sum(map(float, re.findall(r"^confr_csp_reports_total (\S+)", text, re.MULTILINE)))
