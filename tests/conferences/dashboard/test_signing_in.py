"""Signing in at a browser: an invitation, an authenticator app, recovery codes, a passkey, and losing a role."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect

from tests.browser import StaffPage, Team, Watch, assert_accessible

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
PASSWORD = secrets.token_hex(12)


@pytest.fixture
def guest(browser: Browser, team: Team) -> Iterator[Page]:
    """Somebody who is not signed in, with a built-in authenticator. Passkeys want a name and no address."""
    base_url = team.confr.url.replace("127.0.0.1", "localhost")
    context = browser.new_context(base_url=base_url, locale="en", viewport={"width": 1280, "height": 900})
    watch = Watch(context, base_url, (404,))
    page = context.new_page()
    authenticator = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})
    yield page
    troubles = watch.troubles()
    context.close()
    assert not troubles, "\n".join(troubles)


class App:
    """An authenticator app. A code works once, so each is of the next half minute, which is let pass too."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._counter = int(time.time()) // 30 - 2

    def code(self) -> str:
        self._counter = max(self._counter + 1, int(time.time()) // 30 - 1)
        return str(format_hotp_value(hotp_value(self._secret, self._counter)))


def join(guest: Page, link: str, name: str) -> None:
    guest.goto(re.sub(r"^https?://[^/]+", "", link))
    assert_accessible(guest)
    guest.fill("[name=username]", name)
    guest.fill("[name=password]", PASSWORD)
    guest.fill("[name=again]", PASSWORD)
    guest.click("text=Join")
    guest.wait_for_url("**/dashboard/**")


def sign_out(page: Page) -> None:
    page.goto("/account/logout/")
    page.click("main button")
    page.wait_for_url("**/account/login/**")


def give_password(page: Page, name: str) -> None:
    page.goto("/account/login/")
    page.fill("[name=login]", name)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")


def confirm(page: Page) -> None:
    """allauth asks for the password again before it changes what one signs in with."""
    if "/reauthenticate/" in page.url:
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")


def invitation(owner: Page, slug: str) -> str:
    owner.goto(f"/dashboard/staff/{slug}/")
    assert_accessible(owner)
    owner.click("text=Invite …")
    owner.select_option("#invite [name=role]", "moderator")
    owner.click("text=Make a link")
    link = owner.input_value("#secret")
    assert_accessible(owner)
    return link


def set_up_an_app(page: Page) -> tuple[App, str]:
    """The app, and the first of the recovery codes that are shown then."""
    page.goto("/account/2fa/totp/activate/")
    confirm(page)
    assert_accessible(page)
    app = App(page.input_value("#authenticator_secret"))
    page.fill("[name=code]", app.code())
    page.click("main button[type=submit]")
    page.wait_for_url("**/recovery-codes/**")
    assert_accessible(page)
    return app, page.input_value("#recovery_codes").split()[0]


def add_a_passkey(page: Page) -> None:
    page.goto("/account/2fa/webauthn/add/")
    page.fill("[name=name]", "laptop")
    page.check("[name=passwordless]")
    assert_accessible(page)
    page.click("#mfa_webauthn_add")
    page.wait_for_url(re.compile(r"/account/2fa/(recovery-codes/)?$"))


def test_from_an_invitation_to_a_passkey_and_out(staff_page: StaffPage, guest: Page, team: Team) -> None:
    slug, name = team.slugs["demo"], f"eve-{secrets.token_hex(4)}"
    owner = staff_page("owner")
    join(guest, invitation(owner, slug), name)
    app, recovery = set_up_an_app(guest)
    add_a_passkey(guest)
    guest.goto("/account/2fa/")
    assert_accessible(guest)

    sign_out(guest)
    assert_accessible(guest)
    give_password(guest, name)
    guest.wait_for_url("**/account/2fa/authenticate/**")
    assert_accessible(guest)
    guest.goto(f"/dashboard/applications/{slug}/")
    guest.wait_for_url("**/account/2fa/authenticate/**")  # there is no way around it
    guest.fill("[name=code]", app.code())
    guest.click("main form >> text=Sign In")
    guest.wait_for_url("**/dashboard/**")

    sign_out(guest)
    give_password(guest, name)
    guest.fill("[name=code]", recovery)
    guest.click("main form >> text=Sign In")
    guest.wait_for_url("**/dashboard/**")

    sign_out(guest)
    guest.click("#passkey_login")
    guest.wait_for_url("**/dashboard/**")

    guest.goto("/account/sessions/")
    expect(guest.get_by_text("this one")).to_be_visible()
    assert_accessible(guest)
    guest.goto(f"/dashboard/applications/{slug}/")
    expect(guest.locator("h1")).to_have_text("demo#live")
    assert_accessible(guest)
    owner.goto(f"/dashboard/staff/{slug}/")
    card = owner.locator("section.card", has=owner.get_by_role("heading", name=name))
    expect(card.get_by_text("second factor", exact=True)).to_be_visible()
    card.get_by_text("Remove …").click()
    owner.locator("dialog[open] .btn-danger").click()
    expect(owner.get_by_role("heading", name=name)).to_have_count(0)
    gone = guest.goto(f"/dashboard/applications/{slug}/")
    assert gone is not None
    assert gone.status == 404


def test_an_owner_with_a_second_factor_is_asked_again(staff_page: StaffPage, guest: Page, team: Team) -> None:
    slug, name = team.slugs["other"], f"olga-{secrets.token_hex(4)}"
    root = staff_page("superuser")
    root.goto(f"/dashboard/staff/{slug}/")
    root.click("text=Invite …")
    root.select_option("#invite [name=role]", "owner")
    root.click("text=Make a link")
    join(guest, root.input_value("#secret"), name)
    app, _ = set_up_an_app(guest)
    sign_out(guest)
    give_password(guest, name)
    guest.fill("[name=code]", app.code())
    guest.click("main form >> text=Sign In")
    guest.wait_for_url("**/dashboard/**")
    guest.goto(f"/dashboard/applications/{slug}/")
    guest.click("text=New key")
    guest.fill("#key_name", "backend")
    guest.check("[name=scopes][value=read]")
    guest.click("details >> role=button[name=Create]")
    expect(guest.locator("#secret")).to_have_value(re.compile(r"^ck_"))  # the code was given just now
    guest.context.grant_permissions(["clipboard-read", "clipboard-write"])
    guest.click("text=Copy")
    expect(guest.get_by_text("Copied")).to_be_visible()
    assert guest.evaluate("navigator.clipboard.readText()") == guest.input_value("#secret")


def test_guessing_ends_on_a_page_that_says_so(browser: Browser, team: Team) -> None:
    context = browser.new_context(base_url=team.confr.url, locale="zh-CN")
    watch = Watch(context, team.confr.url, (429,))
    page = context.new_page()
    for _ in range(5):
        page.goto("/account/login/")
        page.fill("[name=login]", "auditor-other")
        page.fill("[name=password]", "wrong")
        with page.expect_navigation() as answer:
            page.press("[name=password]", "Enter")
    assert answer.value is not None
    assert answer.value.status == 429
    assert_accessible(page)
    owner = team.session(browser, "owner", "other")
    with browser.new_context(base_url=team.confr.url, storage_state=owner, locale="en") as colleague:
        staff = colleague.new_page()
        staff.goto(f"/dashboard/staff/{team.slugs['other']}/")
        card = staff.locator("section.card", has=staff.get_by_role("heading", name="auditor-other"))
        expect(card.get_by_text("locked out")).to_be_visible()
        card.get_by_text("Lift").click()
        expect(staff.get_by_text("locked out")).to_have_count(0)
    assert not watch.troubles()
    context.close()
