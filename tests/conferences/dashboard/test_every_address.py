"""Every address of the dashboard and of signing in, by everybody and every method: nobody breaks, reads or changes what
is not theirs."""

from __future__ import annotations

import itertools
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

from tests.conferences.dashboard.addresses import NAME, PASSWORD, Address, World, furnish
from tests.database import all_rows

pytestmark = pytest.mark.timeout(300)
EVERYBODY = ["nobody", "auditor", "moderator", "operator", "owner", "superuser", "stranger"]
CHANGELESS = ["get", "head", "options", "put", "delete"]
WITHOUT_TOKEN = {"violations"}  # browsers report, and send no token
# What everybody may read: pages of sign-in, and the door for guests.
SIGNING_OUT = {"account_logout"}
FORM = "application/x-www-form-urlencoded"
PUBLIC = {"join", "violations", "language"}
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "\thttps://evil.example",
    "/\t/evil.example",
    "https:///evil.example",
    "http://testserver@evil.example/",
    "http://[",
    "data:text/html,x",
]


@pytest.fixture
def world(application, foreign, room, media, unlimited) -> World:
    return furnish(application, foreign, room)


def ask(client: Client, method: str, address: Address | str, *args: Any, **options: Any) -> HttpResponseBase:
    path = address if isinstance(address, str) else address.path
    response: HttpResponseBase = getattr(client, method)(path, *args, **options)
    return response


def text_of(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return str(body.decode(errors="replace"))


@pytest.mark.parametrize("role", EVERYBODY)
def test_asking_breaks_nothing_and_changes_nothing(world: World, role: str) -> None:
    client, before, faults = world.browser(role), all_rows(), []
    for address in world.addresses:
        for method in CHANGELESS:
            response = ask(client, method, address)
            text_of(response)
            if response.status_code >= 500:
                faults.append(f"{method} {address.path}: {response.status_code}")
        if address.name in SIGNING_OUT and role != "nobody":
            client = world.browser(role)
    assert not faults, "\n".join(faults)
    assert all_rows() == before


@pytest.mark.parametrize("role", EVERYBODY)
def test_posting_without_a_token_does_nothing(world: World, role: str) -> None:
    client, before = world.browser(role, enforce_csrf_checks=True), all_rows()
    for address in world.addresses:
        if address.name not in WITHOUT_TOKEN:
            assert ask(client, "post", address).status_code == 403, address
            assert ask(client, "post", address, headers={"X-CSRFToken": "a" * 64}).status_code == 403, address
    assert all_rows() == before


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}], ids=str)
def test_another_tenants_addresses_are_not_there(world: World, headers: dict[str, str]) -> None:
    stranger, before, looked = world.browser("stranger"), all_rows(), 0
    for address in world.addresses:
        if not address.is_of_a_tenant:
            continue
        looked += 1
        for method in ("get", "post", "put", "delete"):
            response = ask(stranger, method, address, headers=headers)
            assert response.status_code in {404, 405}, (method, address)
            assert NAME not in text_of(response)
        for slug in ("all", str(world.application.app_id)):
            elsewhere = address.path.replace(str(world.application.app_id), slug)
            for method in ("get", "post"):
                assert NAME not in text_of(ask(stranger, method, elsewhere, headers=headers)), (method, elsewhere)
    assert looked > 40
    assert all_rows() == before


def test_things_of_one_tenant_are_not_there_below_another(world: World, foreign) -> None:
    """The stranger's own slug, and somebody else's ids behind it."""
    stranger, before = world.browser("stranger"), all_rows()
    for address in world.addresses:
        if address.route.count("<") < 2 or not address.is_of_a_tenant or address.name in {"now_part", "now_series"}:
            continue
        elsewhere = address.path.replace(str(world.application.app_id), str(foreign.app_id))
        for method in ("get", "post"):
            response = ask(stranger, method, elsewhere, {"ban": "1", "role": "owner", "overlap": "0"})
            assert response.status_code in {400, 404, 405}, (method, elsewhere)
            assert NAME not in text_of(response)
    assert all_rows() == before


def test_who_is_not_signed_in_is_asked_to_and_sees_nothing(world: World) -> None:
    nobody, before = world.browser("nobody"), all_rows()
    for address in world.addresses:
        for method in ("get", "post", "put", "delete"):
            response = ask(nobody, method, address)
            assert NAME not in text_of(response), address
            if address.path.startswith("/dashboard/") and address.name not in PUBLIC:
                assert response.status_code in {302, 405}, (method, address)
                assert response.status_code == 405 or response["Location"].startswith(
                    "/account/login/?next=/dashboard/"
                )
    assert all_rows() == before


@pytest.mark.parametrize("role", ["nobody", "auditor", "superuser"])
def test_pages_obey_the_policy_and_are_kept_by_nobody(world: World, role: str) -> None:
    client, faults = world.browser(role), []
    for address in world.addresses:
        for method in ("get", "post"):
            response = ask(client, method, address)
            faults += [f"{method} {address.path}: {fault}" for fault in _faults(response, role, address)]
            if address.name in SIGNING_OUT and role != "nobody":
                client = world.browser(role)
    assert not faults, "\n".join(faults)


def _faults(response: HttpResponseBase, role: str, address: Address) -> list[str]:
    """What the head of an answer lacks."""
    policy, kept = response.headers.get("Content-Security-Policy", ""), response.headers.get("Cache-Control", "")
    found = []
    if "default-src 'none'" not in policy or "unsafe" in policy:
        found.append(f"policy {policy!r}")
    if response.headers.get("X-Frame-Options") != "DENY" or response.headers.get("X-Content-Type-Options") != "nosniff":
        found.append("may be framed or sniffed")
    private = role != "nobody" and response.status_code == 200 and address.name not in PUBLIC
    if private and not ("no-store" in kept or {"private", "no-cache"} <= set(re.split(r",\s*", kept))):
        found.append(f"Cache-Control {kept!r}")
    html = response.headers.get("Content-Type", "").startswith("text/html")
    if html and re.search(r"<style|<script>|<script [^>]*>[^<]|style=|\son\w+=", _without_data(text_of(response))):
        found.append("something inline")
    return found


def _without_data(html: str) -> str:
    """JSON for our scripts is no script."""
    return re.sub(r'<script [^>]*type="application/json"[^>]*>[^<]*</script>', "", html)


def test_next_leads_nowhere_else(world: World) -> None:
    """Below /account/, where `next` is heard, and where the language is chosen; and by the page that one came from."""
    addresses = [each for each in world.addresses if each.path.startswith("/account/") or each.name in PUBLIC]
    for role in ("nobody", "owner"):
        client = world.browser(role)
        for address, where in itertools.product(addresses, ELSEWHERE):
            wishes = {"next": where, "language": "en"}
            for response in (
                ask(client, "get", address, wishes, headers={"Referer": where}),
                ask(client, "post", address, wishes, headers={"Referer": where}),
            ):
                assert response.status_code < 500, (address, where)
                _assert_stays_here(response)
            if address.name in SIGNING_OUT and role != "nobody":
                client = world.browser(role)


def test_signing_in_leads_nowhere_else(world: World) -> None:
    name = world.staff["owner"].username
    for where in ELSEWHERE:
        nobody = world.browser("nobody")
        response = ask(nobody, "post", "/account/login/", {"login": name, "password": PASSWORD, "next": where})
        assert response.status_code == 302
        _assert_stays_here(response)


def test_a_session_that_is_over_comes_back_to_the_page_and_not_to_its_button(world: World) -> None:
    nobody, page = world.browser("nobody"), world.address("bans")
    for referer, back in {
        f"http://testserver{page}?state=any": f"{page}%3Fstate%3Dany",
        "http://testserver//evil.example/": "/dashboard/",
        "http://evil.example/": "/dashboard/",
        "http://[": "/dashboard/",
        "": "/dashboard/",
    }.items():
        response = ask(nobody, "post", world.address("add_ban"), headers={"Referer": referer})
        assert response["Location"] == f"/account/login/?next={back}"


def test_who_opens_the_address_of_a_button_finds_words(world: World) -> None:
    response = ask(world.browser("owner"), "get", world.address("add_ban"))
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert "This address is for a button" in text_of(response)


def test_a_stale_token_and_a_broken_request_are_told_in_words(world: World) -> None:
    careful = world.browser("owner", enforce_csrf_checks=True)
    assert "This page was too old" in text_of(ask(careful, "post", world.address("add_ban")))
    client = world.browser("owner")
    for body, kind in {
        "x": "multipart/form-data; boundary=",
        "&".join(["a=b"] * 2000): FORM,
        "a" * (2 << 20): FORM,
    }.items():
        response = ask(client, "post", world.address("add_ban"), body, content_type=kind)
        assert response.status_code == 400
        assert "This was not understood" in text_of(response)


def test_a_session_key_that_is_none_signs_nobody_in(world: World) -> None:
    for key in ('"\\000aaaaaaaaaaaa"', "a" * 5000, "' OR 1=1 --"):
        nobody = world.browser("nobody", headers={"Cookie": f"sessionid={key}"})
        assert ask(nobody, "get", "/account/login/").status_code == 200
        assert ask(nobody, "get", world.address("rooms")).status_code == 302


def _assert_stays_here(response: HttpResponseBase) -> None:
    for header in ("Location", "HX-Redirect", "HX-Location"):
        to = response.headers.get(header, "")
        assert urlsplit(to).netloc in {"", "testserver"}, to
        assert not to.startswith(("//", "/\\", "\\", "javascript:", "data:")), to
