"""Whatever is posted to the dashboard or asked of it gets an answer, and a refusal changes nothing."""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson
import pytest
from django import forms
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conferences.dashboard import acts
from conferences.dashboard.csv import FORMULA_BEGINNINGS
from conferences.dashboard.pages import is_plain
from conferences.services import bans
from conferences.services.messages import broadcast
from conferences.services.moderation import Hold, kick_members
from tests import factories
from tests.conferences.dashboard.addresses import Address, World, furnish
from tests.conferences.dashboard.staff import table
from tests.database import all_rows
from tests.server import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EXAMPLES = settings(
    max_examples=8,
    derandomize=True,  # the same attacks each time
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
FORMULA = "=cmd|' /C calc'!A0"
ODD_CURSORS = ['["x",1]', "[1,1]", "[null,null]"]
ODD = [
    "", " ", "\0", "a\0b", "\x1b[31m", "\x85", "‮evil", "é" * 70, "한" * 300, "🙈" * 4000, "a" * 70_000, "A\u0301",
    "\ufeff", "\ufffe", "\U0010ffff", "%00", "%", "_", "\\", "'", "' OR 1=1 --", "<script>alert(1)</script>",
    FORMULA, "-1", "0", "1", "٣", "1e999", "NaN", "1.5", str(1 << 31), str(1 << 63), str(10**40), "9" * 5000,
    "true", "on", "yes", "null", "{}", "[]", "[" * 3000, "[1,2]", '["2026-01-01",1]', "[1e400,1]", '["\\u0000",1]',
    '["2026-01-01T00:00:00Z","conference",1]', f'["0001-01-01T00:00:00+14:00","conference",{1 << 70}]', '["\\ud800",1]',
    "0001-01-01", "9999-12-31", "2026-02-30", "2026-11-20", "2026-11-20T10:00", "10000-01-01", "12:00",
    "192.0.2.1", "192.0.2.1/33", "203.0.113.0/24", "fe80::1%eth0", "fe80::1%eth0/64", "::/0", "::ffff:192.0.2.1",
    "1.2.3", "256.1.1.1", "mail@example.com", "a@b", "/dashboard/", "https://evil.example/",
    *ODD_CURSORS, "alice", "bob", "alice\nbob", "acme#live_bob@x", "other#live_bob", "camera", "audio", "video",
    "owner", "auditor", "end", "lock", "mute", "announce", "live", "closed", "ending", "-members", "ends", "3600", "7",
]  # fmt: skip
DAYS = ["0001-01-01", "2026-11-20", "9999-12-31", "10000-01-01", "x"]
SORTS = ["", "name", "-members", "ends", "-streams", "created"]
CURSORS = ("after", "before")
ODD_PARTS = ["\0", "‮", "9" * 5000]
LISTS = ["rooms", "bans", "audit", "reports", "recordings", "wall_tiles"]
# Names that no form of ours tells: those of allauth's forms, of lists and of odd requests.
MORE = {
    "after", "before", "login", "password", "oldpassword", "password1", "password2", "code", "credential",
    "authenticators", "passwordless", "trust", "next", "remember", "account", "csrfmiddlewaretoken", "HX-Request",
}  # fmt: skip
SOURCES = [*CHECKOUT.glob("conferences/dashboard/**/*.py"), *CHECKOUT.glob("accounts/signin/*.py")]
READ = [
    re.compile(r"""(?:GET|POST|post|data)\.get(?:list)?\("(\w+)\""""),
    re.compile(r"""_number\(request, "(\w+)\""""),
    re.compile(r""""(\w+)" in (?:request\.)?(?:GET|POST|post)"""),
]


def names() -> list[str]:
    """What pages of ours read of a query or of a form, from their sources."""
    found = {name for path in SOURCES for pattern in READ for name in pattern.findall(path.read_text())}
    for form in _heirs(forms.BaseForm):
        if form.__module__.startswith(("conferences.dashboard", "accounts.signin")):
            found |= form.base_fields.keys()
    return sorted(found | MORE)


def _heirs(of: type) -> Iterator[Any]:
    for heir in of.__subclasses__():
        yield heir
        yield from _heirs(heir)


def values(world: World, foreign_room: str) -> list[str]:
    """Odd ones, and those that name something, of this tenant or of another."""
    numbers = {number for address in world.addresses for number in re.findall(r"/(\d+)/", address.path)}
    return [*ODD, *sorted(numbers), world.room.id, world.room.id.lower(), foreign_room]


@pytest.fixture
def world(application, foreign, foreign_robot, room, media, unlimited) -> World:
    return furnish(application, foreign, room)


@pytest.fixture
def odd(world: World, foreign_robot) -> st.SearchStrategy[str]:
    return st.sampled_from(values(world, factories.room(foreign_robot).id)) | st.text(max_size=300)


def assert_answers(client: Client, before: Any, address: str, **wish: Any) -> None:
    """An answer that says something; a refusal changes nothing. What was done is taken back."""
    with transaction.atomic():
        response: Any = client.post(address, **wish)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        assert response.status_code < 500, (address, wish)
        if response.status_code >= 400:
            assert all_rows() == before, (address, wish)
            assert body or response.status_code in {404, 405}, (address, wish)
        transaction.set_rollback(True)


def test_forms(world: World, odd: st.SearchStrategy[str]) -> None:
    fields = st.dictionaries(st.sampled_from(names()), odd | st.lists(odd, max_size=3), max_size=12)
    browsers = [world.browser(role) for role in ("owner", "nobody", "superuser")]
    before = all_rows()
    for address in world.addresses:
        attack(address.path, browsers[:1] if address.is_of_a_tenant else browsers, before, fields)


def attack(path: str, browsers: list[Client], before: Any, fields: st.SearchStrategy[dict[str, Any]]) -> None:
    @EXAMPLES
    @given(data=fields, by_script=st.booleans())
    def post(data: dict[str, Any], by_script: bool) -> None:
        for browser in browsers:
            assert_answers(browser, before, path, data=data, headers={"HX-Request": "true"} if by_script else {})

    post()


def test_forms_that_are_filled_in_but_for_one_field(world: World, odd: st.SearchStrategy[str]) -> None:
    """Past the first refusal: what a person would send, with something odd in one place."""
    app, room = str(world.application.app_id), world.room.id
    usual: dict[str, dict[str, Any]] = {
        "add_ban": {"application": app, "room": room, "names": "bob", "seconds": "3600", "reason": "x", "note": "y"},
        "lift_bans": {"ban": ["1"]},
        "save_filter": {"name": "x", "query": "q=1"},
        "bulk_preview": {"verb": "lock", "conference": [room], "query": "q=1"},
        "bulk_begin": {"verb": "announce", "conference": [room], "token": "t1", "content": "x", "reason": "y"},
        "suspend_application": {"reason": "x"},
        "create_key": {"name": "x", "scopes": ["read"], "expires_at": "2030-01-01T10:00"},
        "revoke_key": {"reason": "x"},
        "rotate_key": {"overlap": "0"},
        "new_application": {"org": "acme", "app": "second", "name": "x"},
        "invite_staff": {"role": "auditor", "email": "a@example.com"},
        "lift_lock_out": {"username": world.staff["owner"].username, "address": "192.0.2.1"},
        "hold_recording": {"hold": "yes", "reason": "x"},
        "delete_recording": {"reason": "x"},
        "account_invitation": {"username": "new", "password": "correct horse", "again": "correct horse"},
        "account_login": {"login": "x", "password": "y"},
    }
    browser, before = world.browser("superuser"), all_rows()
    for name, form in usual.items():
        one = st.dictionaries(st.sampled_from(sorted(form)), odd, min_size=1, max_size=1)
        attack(world.address(name), [browser], before, one.map(partial(operator.or_, form)))


def test_network_bans(world: World) -> None:
    app = str(world.application.app_id)
    browser, before = world.browser("owner"), all_rows()
    for network in ODD:
        assert_answers(browser, before, world.address("add_ban"), data={"application": app, "network": network})


def test_acts(world: World, odd: st.SearchStrategy[str]) -> None:
    scalar = odd | st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False)
    value = scalar | st.lists(scalar, max_size=3) | st.dictionaries(st.text(max_size=3), scalar, max_size=2)
    usual = {
        "names": ["bob"], "kinds": ["audio"], "role": 3, "name": "bob", "member": 2, "content": "x", "seconds": 60,
        "network": "192.0.2.1", "stream": f"camera__Of_{world.room.id}M2", "reason": "x", "muted": True, "locked": True,
    }  # fmt: skip
    browser, before = world.browser("owner"), all_rows()
    for name, act in acts.ACTS.items():
        fields = st.dictionaries(st.sampled_from([*act.body.base_fields, "x"]), value, max_size=3)
        perform(world.address("act").replace("/acts/lock/", f"/acts/{name}/"), browser, before, fields, usual)


def perform(
    path: str, browser: Client, before: Any, fields: st.SearchStrategy[dict[str, Any]], usual: dict[str, Any]
) -> None:
    @EXAMPLES
    @given(body=fields)
    def post(body: dict[str, Any]) -> None:
        for sent in (body, usual | body):
            assert_answers(browser, before, path, data=orjson.dumps(sent), content_type="application/json")

    post()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"5", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"reason": "\\ud800"}', b'{"names": [1e999]}',
     b'{"reason": "\\u0000"}', b'{"reason": {"a": 1}}', b'{"locked": "banana"}', b'{"locked": NaN}'],
)  # fmt: skip
@pytest.mark.parametrize("name", ["act", "watch"])
def test_bodies_that_are_none_are_refused(world: World, name: str, body: bytes) -> None:
    client, before = world.browser("owner"), all_rows()
    response = client.post(world.address(name), data=body, content_type="application/json", headers=SCRIPT)
    assert response.status_code == 400
    assert response.json()["code"] == "bad_parameters"
    assert all_rows() == before


SCRIPT = {"Accept": "application/json"}


def test_a_form_where_a_script_posts_is_refused(world: World) -> None:
    client, before = world.browser("owner"), all_rows()
    client.handler.enforce_csrf_checks = False
    response = client.post(world.address("act"), data={"locked": "on"}, headers=SCRIPT)
    assert response.status_code == 400
    assert all_rows() == before


def ask(browser: Client, path: str, query: dict[str, Any]) -> None:
    response: Any = browser.get(path, query)
    assert response.status_code < 500, (path, query)
    if response.streaming:
        b"".join(response.streaming_content)


def test_queries(world: World) -> None:
    """Every field of every page with many odd things: in each request another one in each of them."""
    browser, before = world.browser("superuser"), all_rows()
    fields = [name for name in names() if name not in CURSORS]
    things = [text for text in [*ODD, world.room.id] if is_plain(text) and len(text) < 1000]
    for address in world.addresses:
        if not address.path.startswith("/dashboard/") or "get" not in methods(browser, address):
            continue
        for shift in range(0, len(things), 4):
            ask(browser, address.path, {name: things[(at + shift) % len(things)] for at, name in enumerate(fields)})
    assert all_rows() == before


def methods(browser: Client, address: Address) -> str:
    """Those that are allowed, in small letters."""
    return browser.get(address.path).headers.get("Allow", "get").lower()


@pytest.mark.filterwarnings("ignore:DateTimeField:RuntimeWarning")  # a time without a zone is taken as UTC
@pytest.mark.parametrize("name", LISTS)
def test_queries_of_a_list(world: World, name: str) -> None:
    browser, cursor = world.browser("owner"), itertools.cycle(CURSORS)  # both are read alike
    for text in ODD:
        ask(browser, world.address(name), dict.fromkeys(("q", "room", "actor", "text"), text[:5000]))
        ask(browser, world.address(name), {next(cursor): text[:5000]})
    for first, last in itertools.product(DAYS, DAYS):
        ask(browser, world.address(name), {"begin": first, "end": last, "created_from": first, "created_to": last})


def test_each_sort_of_rooms_with_the_cursor_of_another(world: World) -> None:
    browser = world.browser("owner")
    for tab, sort, cursor in itertools.product(("live", "ending", "closed"), SORTS, ODD_CURSORS):
        ask(browser, world.address("rooms"), {"tab": tab, "sort": sort, "after": cursor})


def test_odd_addresses_are_not_there(world: World) -> None:
    browser, before = world.browser("superuser"), all_rows()
    method: Iterator[Any] = itertools.cycle([browser.get, browser.post])  # each place gets both
    for address in world.addresses:
        pieces = address.path.split("/")
        for place, part in itertools.product(range(2, len(pieces) - 1), ODD_PARTS):
            odd = "/".join([*pieces[:place], part, *pieces[place + 1 :]])
            assert next(method)(odd).status_code < 500, odd
    assert all_rows() == before


def test_no_cell_is_a_formula(world: World) -> None:
    room, robot = world.room, world.room.backend
    for beginning in FORMULA_BEGINNINGS:
        name, said = f"{beginning.strip() or '='}{ord(beginning)}", f"{beginning}1"
        room.enter(name)
        broadcast(actor=robot, confr_id=room.id, content=said)
        kick_members(actor=robot, confr_id=room.id, names=[name], hold=Hold(reason=said, note=said))
        bans.ban_users(actor=robot, names=[name], hold=Hold(reason=said, note=said))
    room.conference.name = FORMULA
    room.conference.save(update_fields=["name"])
    client, cells = world.browser("owner"), list[str]()
    for address in world.addresses:
        if address.path.endswith(".csv"):
            response = client.get(address.path, {"state": "any"})
            assert response.status_code == 200
            cells += [cell for row in table(response) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell.startswith(FORMULA_BEGINNINGS)]
