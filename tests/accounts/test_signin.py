"""Signing in as allauth and axes are set up here: passwords, codes, lock-outs, and what the logs keep of it."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.actors import system
from accounts.errors import NotAllowed
from accounts.models import ApplicationEvent, Staff, StaffRole

pytestmark = pytest.mark.usefixtures("db", "redis_names")
PASSWORD = "correct horse battery"
LOGIN = "/account/login/"


@pytest.fixture(autouse=True)
def no_limits_of_others(redis_names: str, settings: Any) -> None:
    settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | {"KEY_PREFIX": redis_names}}


@pytest.fixture
def alice(application: Any) -> Staff:
    staff = Staff.objects.create_user("alice", email="alice@example.com", password=PASSWORD)
    services.add_membership(actor=system(), application=application, staff=staff, role=StaffRole.OWNER)
    return staff


@pytest.fixture
def secret_of_alice(alice: Staff) -> str:
    secret: str = generate_totp_secret()
    TOTP.activate(alice, secret)
    return secret


def code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time()))))


def sign_in(client: Client, login: str = "alice", password: str = PASSWORD) -> Any:
    return client.post(LOGIN, {"login": login, "password": password})


def is_in(client: Client) -> bool:
    return client.get("/account/sessions/").status_code == 200


@pytest.mark.parametrize("login", ["alice", "Alice", "alice@example.com"])
def test_a_name_or_an_address_and_the_password_open_the_door(alice, login):
    client = Client()
    answer = sign_in(client, login)
    assert (answer.status_code, answer.url) == (302, settings.LOGIN_REDIRECT_URL)
    assert is_in(client)
    event = ApplicationEvent.objects.get(type="staff.signed_in")
    assert (event.actor_id, event.data["methods"]) == (str(alice.pk), ["password"])
    assert event.personal["address"] == "127.0.0.1"


def test_nobody_signs_up_and_the_pages_for_it_are_not_there(db):
    for path in ("signup/", "email/", "password/reset/", "confirm-email/"):
        assert Client().get(f"/account/{path}").status_code == 404
    closed = Client().get(reverse("socialaccount_signup"))
    assert closed.status_code == 302
    assert not Staff.objects.exists()


@pytest.mark.parametrize(
    "path",
    ["login/", "sessions/", "2fa/", "2fa/totp/activate/", "2fa/webauthn/add/", "password/change/", "reauthenticate/"],
)
def test_pages_hold_no_script_or_style_of_their_own(alice, path):
    client = Client()
    if path != "login/":
        sign_in(client)
    page = client.get(f"/account/{path}", follow=True).content.decode()
    assert "card" in page
    assert not re.search(r"<style|style=|\son\w+=", page)
    scripts = re.findall(r"<script([^>]*)>([^<]*)", page)
    assert all("src=" in attributes or "application/json" in attributes for attributes, _ in scripts)


def test_guessing_is_locked_out_by_name_and_address_and_leaves_no_secret(alice, application, caplog):
    caplog.set_level(logging.INFO)
    guesser = Client(REMOTE_ADDR="192.0.2.7")
    answers = [sign_in(guesser, password=f"guess-{number}") for number in range(settings.AXES_FAILURE_LIMIT)]
    assert [answer.status_code for answer in answers] == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]
    assert answers[-1]["Retry-After"] == "900"
    right = sign_in(guesser, "alice@example.com")
    assert right.status_code == 429
    assert not is_in(guesser)
    assert sign_in(Client(REMOTE_ADDR="192.0.2.8")).status_code == 302  # alice herself, from elsewhere
    locked = ApplicationEvent.objects.get(type="staff.locked_out")
    assert locked.personal | {"staff_name": "alice", "address": "192.0.2.7"} == locked.personal
    kept = caplog.text + str(list(AccessAttempt.objects.values())) + str(list(ApplicationEvent.objects.values()))
    assert "refused to sign in alice from 192.0.2.7" in caplog.text
    assert "guess-" not in kept
    assert PASSWORD not in kept


def test_what_strangers_type_as_a_name_is_kept_nowhere(alice, caplog):
    sign_in(Client(), login="my-password-in-the-wrong-field")
    kept = caplog.text + str(list(AccessAttempt.objects.values()))
    assert "my-password" not in kept
    assert "unknown-" in caplog.text


def test_only_a_trusted_proxy_says_whose_attempt_it_is(alice, settings):
    settings.TRUSTED_PROXIES = ["198.51.100.1"]
    forged = Client(REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="203.0.113.5")
    proxied = Client(REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="203.0.113.5")
    sign_in(forged, password="wrong")
    sign_in(proxied, password="wrong")
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"192.0.2.7", "203.0.113.5"}


def test_a_lock_out_is_lifted_by_an_owner(alice, application, foreign, staff_with, log_of):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(Client(), password="wrong")
    assert sign_in(Client()).status_code == 429
    services.lift_lock_out(
        actor=staff_with(StaffRole.OWNER), application=application, username="alice", address="127.0.0.1"
    )
    assert sign_in(Client()).status_code == 302
    assert "staff.lock_out_lifted" in log_of(application)


def test_a_code_is_asked_for_after_the_password(alice, secret_of_alice):
    client = Client()
    assert sign_in(client).url == reverse("mfa_authenticate")
    assert not is_in(client)
    assert client.get("/admin/").status_code == 302
    assert client.post(reverse("mfa_authenticate"), {"code": code(secret_of_alice)}).status_code == 302
    assert is_in(client)
    assert ApplicationEvent.objects.get(type="staff.signed_in").data["methods"] == ["password", "totp"]


def test_wrong_codes_lead_to_the_same_lock_out(alice, secret_of_alice):
    client = Client()
    sign_in(client)
    wrong = format(999_999 - int(code(secret_of_alice)), "06d")
    answers = [client.post(reverse("mfa_authenticate"), {"code": wrong}) for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers[-1].status_code == 429
    assert client.post(reverse("mfa_authenticate"), {"code": code(secret_of_alice)}).status_code == 429
    assert not is_in(client)


def test_a_password_alone_takes_no_second_factor_away(alice, secret_of_alice):
    client = Client()
    sign_in(client)
    client.post(reverse("mfa_authenticate"), {"code": code(secret_of_alice)})
    asked = client.get(reverse("mfa_deactivate_totp"))
    assert asked["Location"].startswith(reverse("mfa_reauthenticate"))
    assert "password" not in client.get(asked["Location"]).content.decode()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.post(reverse("mfa_deactivate_totp"))["Location"].startswith(reverse("mfa_reauthenticate"))
    assert Authenticator.objects.exists()


def test_a_recovery_code_opens_once(alice, secret_of_alice):
    [recovery, *_] = RecoveryCodes.activate(alice).get_unused_codes()
    for expected in (True, False):
        client = Client()
        sign_in(client)
        client.post(reverse("mfa_authenticate"), {"code": recovery})
        assert is_in(client) is expected


def test_secrets_of_second_factors_are_encrypted(alice, secret_of_alice):
    assert secret_of_alice not in str(Authenticator.objects.get().data)


def test_another_password_ends_the_other_sessions(alice):
    here, there = Client(), Client()
    for client in (here, there):
        sign_in(client)
    form = {"oldpassword": PASSWORD, "password1": "another horse entirely", "password2": "another horse entirely"}
    assert here.post(reverse("account_change_password"), form).status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert Session.objects.count() == 1


def test_who_is_switched_off_is_signed_out_and_stays_out(alice, superuser):
    client = Client()
    sign_in(client)
    alice.is_active = False
    alice.save()
    services.record_staff_change(actor=superuser, staff=alice, fields=["Active"])
    assert not Session.objects.exists()
    assert not is_in(client)
    assert sign_in(client).url == reverse("account_inactive")
    assert not is_in(client)


def test_a_lost_second_factor_is_reset_by_superusers_only(
    alice, secret_of_alice, superuser, staff_with, log_of, application
):
    with pytest.raises(NotAllowed):
        services.reset_second_factor(actor=staff_with(StaffRole.OWNER), staff=alice)
    assert Authenticator.objects.exists()
    services.reset_second_factor(actor=superuser, staff=alice)
    assert sign_in(Client()).url == settings.LOGIN_REDIRECT_URL
    assert log_of(application)[-2:] == ["staff.second_factor_reset", "staff.signed_in"]


def test_while_redis_is_away_nobody_signs_in_and_is_told_so(alice, settings):
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    client = Client(raise_request_exception=False)
    refused = sign_in(client)
    assert refused.status_code == 503
    assert "try again in a moment" in refused.content.decode()
    assert not Session.objects.exists()
