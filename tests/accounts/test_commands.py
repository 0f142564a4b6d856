"""What an operator types."""

from __future__ import annotations

import json
import stat
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import keys
from accounts.authentication import api_key_actor
from accounts.models import ApiKey, Application, ApplicationEvent, Scope, Staff
from tests.database import together


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def var(settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path


def test_create_application_shows_what_a_backend_needs(db):
    shown = json.loads(run("create_application", "acme#live", "--name", "Acme"))
    application = Application.objects.get()
    assert shown == {
        "app_key": "acme#live",
        "app_id": application.app_id,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
    }
    event = ApplicationEvent.objects.get()
    assert event.actor_kind == "system"
    assert event.personal["actor"].startswith("command line, uid ")


@pytest.mark.parametrize("app_key", ["acme", "Acme#live", "api#live", "acme#", "a#b#c"])
def test_create_application_says_what_is_wrong_with_a_key(db, app_key):
    with pytest.raises(CommandError, match=r"bad_parameters[\s\S]+(org|app):"):
        run("create_application", app_key)
    assert not Application.objects.exists()


def test_create_application_refuses_one_that_exists(application):
    with pytest.raises(CommandError, match="such an application already"):
        run("create_application", application.app_key)


def test_create_api_key_shows_a_key_that_works(application):
    shown = json.loads(run("create_api_key", "acme#live", "--name", "backend", "--scopes", "read", "tokens"))
    assert api_key_actor(shown["api_key"], None, "").scopes == {"read", "tokens"}
    assert shown["expires_at"] is None


def test_create_api_key_has_every_scope_and_no_end_unless_told(application):
    shown = json.loads(run("create_api_key", "acme#live", "--name", "backend", "--days", "30"))
    assert set(shown["scopes"]) == set(Scope.values)
    assert ApiKey.objects.get().expires_at == datetime.fromisoformat(shown["expires_at"])


def test_create_api_key_refuses_an_unknown_application(db):
    with pytest.raises(CommandError, match="There is no application"):
        run("create_api_key", "acme#live", "--name", "backend")


def test_rotate_keys_puts_a_new_key_in_front_and_keeps_the_old(settings, tmp_path):
    settings.KEYS_FILE = tmp_path / "keys.json"
    before = keys.load(settings.KEYS_FILE)
    output = run("rotate_keys", "signing", "seals", "signing")
    after = keys.load(settings.KEYS_FILE)
    for ring in ("signing", "seals"):
        assert after[ring][1:] == before[ring]
        assert after[ring][0] not in output
    for ring in ("django", "encryption", "media"):
        assert after[ring] == before[ring]
    assert stat.S_IMODE(settings.KEYS_FILE.stat().st_mode) == 0o600


def test_the_first_start_makes_a_demo_that_works(db, var):
    output = run("ensure_demo")
    path = var / "demo.json"
    demo = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(demo) == [
        "url",
        "app_key",
        "app_id",
        "client_id",
        "client_secret",
        "api_key",
        "staff_user",
        "staff_password",
    ]
    assert demo["app_key"] == "demo#live"
    assert api_key_actor(demo["api_key"], None, "").scopes == set(Scope.values)
    client = Client()
    signed_in = client.post("/account/login/", {"login": demo["staff_user"], "password": demo["staff_password"]})
    assert signed_in.status_code == 302
    assert client.get("/admin/").status_code == 200
    assert Staff.objects.get(username=demo["staff_user"]).is_superuser
    assert demo["staff_password"] not in output
    assert demo["api_key"] not in output


def test_a_later_start_makes_nothing(db, var):
    run("ensure_demo")
    kept = (var / "demo.json").read_bytes()
    assert run("ensure_demo") == ""
    assert (var / "demo.json").read_bytes() == kept
    assert (Application.objects.count(), Staff.objects.count()) == (1, 1)


def test_no_demo_beside_an_application_of_ones_own(application, var):
    assert run("ensure_demo") == ""
    assert list(var.iterdir()) == []


def test_no_demo_when_the_file_is_there(db, var):
    (var / "demo.json").write_text("{}")
    run("ensure_demo")
    assert not Application.objects.exists()


def test_a_staff_user_of_that_name_is_not_touched(db, var):
    Staff.objects.create_user("admin", password="mine")
    with pytest.raises(CommandError, match="create_application"):
        run("ensure_demo")
    assert not Application.objects.exists()
    assert list(var.iterdir()) == []


def test_two_first_starts_at_once_make_one_demo(committed, var):
    outputs = together(*[lambda: run("ensure_demo")] * 4)
    assert sorted(map(bool, outputs)) == [False, False, False, True]
    assert (Application.objects.count(), Staff.objects.count()) == (1, 1)
    assert [path.name for path in var.iterdir()] == ["demo.json"]
    assert api_key_actor(json.loads((var / "demo.json").read_text())["api_key"], None, "")
