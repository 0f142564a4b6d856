"""`script/screenshots`: pictures of a lively Confr for docs/images. No test, but what the tests' browser can do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from playwright.sync_api import Browser, Page

from tests.browser import chromium
from tests.server import CHECKOUT, Confr, running_confr

IMAGES = CHECKOUT / "docs/images"
WIDE, PHONE = {"width": 1360, "height": 850}, {"width": 390, "height": 844}
# What the charts and the wall need to have something to show.
LIVELY_SECONDS = 75


@contextmanager
def lively(confr: Confr) -> Iterator[None]:
    """Rooms with members and publishers, as long as the block lasts."""
    command = [sys.executable, "manage.py", "seed_demo", "--live"]
    seeding = subprocess.Popen(
        command, cwd=CHECKOUT, env=confr.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert seeding.stdout is not None
    try:
        said = []
        for line in seeding.stdout:
            said.append(line)
            if line.startswith("Lively"):
                break
        else:
            raise AssertionError("".join(said))
        time.sleep(LIVELY_SECONDS)
        yield
    finally:
        seeding.terminate()
        seeding.wait(30)


def signed_in(browser: Browser, confr: Confr, **wishes: Any) -> Page:
    page = browser.new_context(base_url=confr.url, **wishes).new_page()
    page.goto("/account/login/")
    page.fill("[name=login]", confr.demo["staff_user"])
    page.fill("[name=password]", confr.demo["staff_password"])
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/dashboard/**")
    return page


def photograph(page: Page, address: str, name: str, selector: str = "main") -> None:
    """One page, once what `selector` names is there."""
    page.goto(address)
    page.wait_for_selector(selector)
    time.sleep(3)  # a moment of life: pictures, charts, tiles and the timeline fill up
    page.screenshot(path=IMAGES / f"{name}.png")
    sys.stderr.write(f"docs/images/{name}.png\n")


def busiest(confr: Confr) -> str:
    """The room with the most members."""
    answer = requests.get(
        f"{confr.url}/api/v1/conferences?state=live",
        headers={"Authorization": f"Bearer {confr.demo['api_key']}"},
        timeout=10,
    ).json()
    rooms = sorted(answer["items"], key=lambda room: room["createdAt"])
    confr_id: str = rooms[0]["confrId"]
    return confr_id


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with running_confr() as confr, lively(confr), chromium() as browser:
        home = f"/dashboard/{confr.demo['app_id']}"
        room = f"{home}/rooms/{busiest(confr)}/"
        page = signed_in(browser, confr, viewport=WIDE, locale="en")
        for name, address in {
            "now": f"{home}/",
            "rooms": f"{home}/rooms/",
            "console": room,
            "wall": f"{home}/wall/",
            "audit": f"{home}/audit/",
        }.items():
            photograph(page, address, name)
        dark = signed_in(browser, confr, viewport=WIDE, locale="zh-CN", color_scheme="dark")
        photograph(dark, room, "console-dark-zh")
        phone = signed_in(browser, confr, viewport=PHONE, locale="en", device_scale_factor=2, has_touch=True)
        photograph(phone, room, "console-phone")


if __name__ == "__main__":
    main()
