"""Staff at a browser: Debian's Chromium against a running Confr, and what every page must be free of.

Playwright's sync API keeps an event loop running in its thread, so a test that drives a browser asks Confr over HTTP
and never the ORM, and the browser lives no longer than its test file.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.server import CHECKOUT, Confr

StaffPage = Callable[..., Page]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROLES = ["owner", "operator", "moderator", "auditor"]
APPLICATIONS = ["demo", "other"]
AXE = CHECKOUT / "node_modules/axe-core/axe.min.js"
SERIOUS = {"serious", "critical"}

# What a page said of its policy, kept where the test can ask for it.
LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
HIRE = """
import json, sys
from accounts.actors import system
from accounts.models import Application, Staff
from accounts.services import add_membership, create_application
other = Application.objects.filter(org="other", app="live").first()
applications = {
    "demo": Application.objects.get(app_id=%(demo)d),
    "other": other or create_application(actor=system(), org="other", app="live"),
}
for application, role in json.loads('%(hired)s'):
    staff = Staff.objects.create_user(f"{role}-{application}", password="%(password)s")
    add_membership(actor=system(), application=applications[application], staff=staff, role=role)
print(applications["other"].app_id)
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Team:
    """Staff of a running Confr: somebody of each role in the demo's application and in another one."""

    def __init__(self, confr: Confr) -> None:
        self.confr = confr
        self._password = secrets.token_hex(12)
        self._sessions: dict[str, Any] = {}
        hired = json.dumps([(application, role) for application in APPLICATIONS for role in ROLES])
        facts = {"demo": confr.demo["app_id"], "hired": hired, "password": self._password}
        self.slugs = {"demo": str(facts["demo"]), "other": self._manage(HIRE % facts)}

    def session(self, browser: Browser, role: str, application: str) -> Any:
        """The cookies of somebody who signed in."""
        name = "admin" if role == "superuser" else f"{role}-{application}"
        if name not in self._sessions:
            password = self.confr.demo["staff_password"] if role == "superuser" else self._password
            context = browser.new_context(base_url=self.confr.url, locale="en")
            page = context.new_page()
            page.goto("/account/login/")
            page.fill("[name=login]", name)
            page.fill("[name=password]", password)
            page.press("[name=password]", "Enter")
            page.wait_for_url("**/dashboard/**")
            self._sessions[name] = context.storage_state()
            context.close()
        return self._sessions[name]

    def _manage(self, script: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", script],
            cwd=CHECKOUT, env=self.confr.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Watch:
    """What must not happen on a page, written down as it happens."""

    def __init__(self, context: BrowserContext, url: str, refusals: Collection[int]) -> None:
        self._context, self._url, self._refusals = context, url, refusals
        self._seen: list[str] = []
        context.add_init_script(LISTEN)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._seen.append(f"error: {error.error}"))
        context.on("response", self._response)
        context.on("requestfailed", self._failed)

    def troubles(self) -> list[str]:
        """All of it, the open pages' violations of the policy included."""
        violations = [found for page in self._context.pages for found in page.evaluate("window.violations")]
        return self._seen + violations

    def _console(self, message: ConsoleMessage) -> None:
        # That a resource was refused is judged by its status, below.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self._seen.append(f"console: {message.text} {message.location}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._refusals:
            self._seen.append(f"{response.status}: {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left behind gives up what it was asking for.
        if request.url.startswith(self._url) and request.failure != "net::ERR_ABORTED":
            self._seen.append(f"failed: {request.url} {request.failure}")


def assert_accessible(page: Page, *, within: str = "body") -> None:
    """axe-core finds nothing serious in the page as it is now."""
    found = barriers(page, within=within)
    assert not found, "\n".join(found)


def barriers(page: Page, *, within: str = "body", only: Collection[str] = ()) -> list[str]:
    """What axe-core finds serious, by all its rules or some."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": list(only)} if only else {})
    found = page.evaluate("([within, options]) => axe.run(within, options)", [within, options])["violations"]
    return [
        f"{page.url} {rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"][:5]
    ]
