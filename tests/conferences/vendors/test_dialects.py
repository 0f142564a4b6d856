"""What every dialect owes: frames for every fact, numbers for every refusal, and addresses that hide none of ours."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.urls import URLPattern, resolve

from accounts import services
from accounts.actors import system
from accounts.errors import BadParameters
from accounts.models import Application
from accounts.names import RESERVED_ORGS
from conferences.events import CATALOGUE, Audience
from conferences.live.frames import EVENTS as OURS
from conferences.management.commands.error_table import refusals
from conferences.vendors.base import Dialect, enabled
from config.urls import urlpatterns

DIALECTS = pytest.mark.parametrize("dialect", enabled(), ids=lambda dialect: dialect.name)
VISIBLE = {name for name, kind in CATALOGUE.items() if kind.audience is not Audience.STAFF}
NOTES = OURS.keys() - CATALOGUE.keys()


def test_the_dialects_are_those_of_the_settings() -> None:
    assert [dialect.name for dialect in enabled()] == settings.VENDORS == ["emedia"]


@DIALECTS
def test_every_fact_that_a_member_may_see_has_frames_or_a_reason_why_not(dialect: Dialect) -> None:
    assert dialect.events.keys() == VISIBLE | NOTES
    assert dialect.unsupported.keys() <= dialect.events.keys()
    assert all(reason.endswith(".") for reason in dialect.unsupported.values())


@DIALECTS
def test_every_refusal_has_a_number(dialect: Dialect) -> None:
    assert dialect.errors.keys() == {refusal.code for refusal in refusals()}
    assert all(number < 0 for number in dialect.errors.values())


@DIALECTS
def test_a_dialects_addresses_come_after_ours(dialect: Dialect) -> None:
    places = [index for index, pattern in enumerate(urlpatterns) if pattern in dialect.urlpatterns]
    ours = [index for index, pattern in enumerate(urlpatterns) if not isinstance(pattern, URLPattern)]
    assert places
    assert min(places) > max(ours)


@pytest.mark.parametrize("org", ["api", "admin", "hooks", "live", "dashboard", "static", "easemob"])
def test_no_organisation_has_a_name_that_is_an_address_of_ours(org: str, committed: None) -> None:
    assert org in RESERVED_ORGS
    with pytest.raises(BadParameters):
        services.create_application(actor=system(), org=org, app="live")
    assert not Application.objects.exists()


@pytest.mark.parametrize("path", ["/api/v1/conferences", "/healthz", "/admin/login/", "/hooks/nginx/publish"])
def test_our_own_addresses_are_ours(path: str) -> None:
    assert not resolve(path).func.__module__.startswith("conferences.vendors")
