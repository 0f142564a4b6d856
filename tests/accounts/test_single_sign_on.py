"""Signing in by a company's OpenID Connect, against a provider that speaks it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.actors import system
from accounts.models import ApplicationEvent, Membership, Staff, StaffRole
from tests.accounts.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider

pytestmark = pytest.mark.usefixtures("db", "redis_names")
START = "/account/oidc/sso/login/"


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with running_provider() as running:
        providers = deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
        providers["openid_connect"]["APPS"] = [
            {
                "provider_id": "sso",
                "name": "Acme's sign-in",
                "client_id": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "settings": {"server_url": running.url},
            }
        ]
        settings.SOCIALACCOUNT_PROVIDERS = providers
        yield running


@pytest.fixture
def alice(application: Any) -> Staff:
    staff = Staff.objects.create_user("alice", email="Alice@example.com")
    services.add_membership(actor=system(), application=application, staff=staff, role=StaffRole.OWNER)
    return staff


def person(email: str, *, verified: object = True, sub: str = "1") -> dict[str, Any]:
    return {"sub": sub, "email": email, "email_verified": verified, "name": "Somebody"}


def come_back(client: Client) -> Any:
    """What the browser does: to the provider, and back with its code."""
    there = client.get(START)
    assert there.status_code == 302
    back = requests.get(there["Location"], allow_redirects=False, timeout=10).headers["Location"]
    return client.get(back)


def is_in(client: Client) -> bool:
    return client.get("/account/sessions/").status_code == 200


def test_the_door_is_there_when_it_is_set_up_only(provider, settings):
    assert "Acme&#x27;s sign-in" in Client().get("/account/login/").content.decode()
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}}
    assert "Acme" not in Client().get("/account/login/").content.decode()
    assert Client().get(START).status_code == 404


def test_who_is_of_the_staff_comes_in_and_is_known_by_the_account_from_then_on(provider, alice, application):
    provider.person = person("alice@EXAMPLE.com")
    client = Client()
    assert come_back(client).status_code == 302
    assert is_in(client)
    assert SocialAccount.objects.get().user == alice
    assert ApplicationEvent.objects.get(type="staff.signed_in").data["methods"] == ["socialaccount"]
    provider.person = person("married@example.com")
    again = Client()
    come_back(again)
    assert again.session["_auth_user_id"] == str(alice.pk)


@pytest.mark.parametrize("claims", [
    person("stranger@example.com"),
    person("alice@example.com", verified=False),
    person("alice@example.com", verified="false"),
    person(""),
])  # fmt: skip
def test_strangers_and_unverified_addresses_stay_outside(provider, alice, claims):
    provider.person = claims
    client = Client()
    refused = come_back(client)
    assert refused.status_code == 403
    assert "invite" in refused.content.decode()
    assert not is_in(client)
    assert list(Staff.objects.values_list("username", flat=True)) == ["alice"]
    assert not SocialAccount.objects.exists()


def test_who_is_invited_by_address_joins_with_it(provider, application, foreign):
    for tenant, role in ((application, "moderator"), (foreign, "auditor")):
        services.invite_staff(actor=system(), application=tenant, role=role, email="Bob@example.com")
    provider.person = person("bob@example.com")
    client = Client()
    come_back(client)
    assert is_in(client)
    bob = Staff.objects.get()
    assert (bob.email, bob.has_usable_password(), bob.is_staff) == ("bob@example.com", False, False)
    roles = Membership.objects.filter(staff=bob).values_list("application__org", "role")
    assert set(roles) == {("acme", "moderator"), ("other", "auditor")}
    assert not services.open_invitations().exists()


def test_a_withdrawn_invitation_lets_nobody_in(provider, application):
    new = services.invite_staff(actor=system(), application=application, role="owner", email="bob@example.com")
    services.withdraw_invitation(actor=system(), invitation=new.invitation)
    provider.person = person("bob@example.com")
    assert come_back(Client()).status_code == 403
    assert not Staff.objects.exists()


def test_who_was_switched_off_or_has_a_second_factor_is_not_let_past_it(provider, alice):
    provider.person = person("alice@example.com")
    TOTP.activate(alice, generate_totp_secret())
    client = Client()
    assert come_back(client)["Location"] == reverse("mfa_authenticate")
    assert not is_in(client)
    Staff.objects.update(is_active=False)
    client = Client()
    assert come_back(client)["Location"] == reverse("account_inactive")
    assert not is_in(client)


def test_a_code_that_was_asked_for_by_another_browser_opens_nothing(provider, alice):
    provider.person = person("alice@example.com")
    attacker, victim = Client(), Client()
    there = attacker.get(START)["Location"]
    back = requests.get(there, allow_redirects=False, timeout=10).headers["Location"]
    victim.get(back)
    assert not is_in(victim)


def test_an_address_of_a_link_is_nobodys(provider, application):
    """Whoever opened a link that names an address is not known by that address."""
    new = services.invite_staff(actor=system(), application=application, role="owner", email="bob@example.com")
    services.join_staff(actor=system(), token=new.token, username="mallory", password="correct horse battery")
    provider.person = person("bob@example.com")
    assert come_back(Client()).status_code == 403
