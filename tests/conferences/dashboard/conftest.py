"""Staff at a browser. `staff_page` fails its test when a page had an error, broke the policy or lost a request."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import StaffPage, Team, Watch, chromium
from tests.conferences.dashboard.staff import SignedIn, sign_in
from tests.server import Confr


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def team(confr: Confr) -> Team:
    return Team(confr)


@pytest.fixture
def signed_in(committed: None) -> SignedIn:
    """Makes browsers without a window, of new staff: `signed_in(application, "moderator")`."""
    return sign_in


@pytest.fixture
def unlimited(settings: Any) -> None:
    """Nobody counts how often somebody tries to sign in, here or in other tests."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


@pytest.fixture
def staff_page(browser: Browser, team: Team) -> Iterator[StaffPage]:
    """Opens a page of somebody who is signed in: `staff_page("moderator", color_scheme="dark")`.

    `role` is a staff role or "superuser", `application` "demo" or "other"; `refusals` are the statuses that the test
    provokes. What else is given goes to Playwright's context.
    """
    watches: list[Watch] = []
    with ExitStack() as opened:

        def open_page(
            role: str = "owner", application: str = "demo", refusals: Collection[int] = (), **wishes: Any
        ) -> Page:
            context = browser.new_context(
                base_url=team.confr.url,
                storage_state=team.session(browser, role, application),
                **{"locale": "en", "viewport": {"width": 1280, "height": 800}, **wishes},
            )
            opened.callback(context.close)
            watches.append(Watch(context, team.confr.url, refusals))
            return context.new_page()

        yield open_page
        troubles = [trouble for watch in watches for trouble in watch.troubles()]
        assert not troubles, "\n".join(troubles)
