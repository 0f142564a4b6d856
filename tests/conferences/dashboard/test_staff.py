"""The pages of the staff and of applications, over HTTP: who may, what is refused, what is told, what is shown once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.actors import system
from accounts.authentication import api_key_actor, staff_actor
from accounts.errors import ApplicationNotFound, InvitationInvalid, LastOwner
from accounts.models import ApiKey, Application, ApplicationEvent, Invitation, Membership, Staff, StaffRole
from accounts.standings import standings
from tests.database import together

PASSWORD = "correct horse battery"


def address(name: str, application: Application, **more: object) -> str:
    return reverse(f"dashboard:{name}", kwargs={"slug": application.app_id, **more})


def types(application: Application) -> list[str]:
    return list(ApplicationEvent.objects.filter(application=application).order_by("seq").values_list("type", flat=True))


@pytest.fixture
def hired(application: Application) -> Callable[..., tuple[Client, Membership]]:
    """Signs somebody in who has a role in the application."""

    def hire(role: str, name: str = "", of: Application | None = None) -> tuple[Client, Membership]:
        staff = Staff.objects.create_user(name or role, password=None)
        membership = services.add_membership(actor=system(), application=of or application, staff=staff, role=role)
        client = Client()
        client.force_login(staff)
        assert client.get("/account/sessions/").status_code == 200  # the session is noted
        return client, membership

    return hire


def second_factor(staff: Staff) -> Callable[[], str]:
    """Sets up an authenticator app; answers its next code, another one each time."""
    secret = generate_totp_secret()
    TOTP.activate(staff, secret)
    counter = int(time.time()) // 30 - 1

    def code() -> str:
        nonlocal counter
        counter += 1
        return str(format_hotp_value(hotp_value(secret, counter)))

    return code


# Staff


@pytest.mark.parametrize("role", [StaffRole.AUDITOR, StaffRole.MODERATOR, StaffRole.OPERATOR])
def test_only_owners_see_and_change_the_staff(hired: Any, application: Application, role: StaffRole) -> None:
    _, owner = hired("owner")
    client, _ = hired(role)
    assert client.get(reverse("dashboard:staff")).status_code == 403
    assert client.get(address("staff_of", application)).status_code == 403
    for name in ("change_staff_role", "remove_staff"):
        assert client.post(address(name, application, pk=owner.pk), {"role": "auditor"}).status_code == 403
    assert client.post(address("invite_staff", application), {"role": "owner"}).status_code == 403
    assert Membership.objects.get(pk=owner.pk).role == StaffRole.OWNER
    assert not Invitation.objects.exists()


def test_staff_of_another_application_do_not_exist(hired: Any, application: Application, foreign: Application) -> None:
    client, _ = hired("owner")
    stranger_client, stranger = hired("owner", "stranger", foreign)
    session = Session.objects.count()
    assert client.get(address("staff_of", foreign)).status_code == 404
    for name, more in (("remove_staff", {}), ("change_staff_role", {}), ("end_staff_session", {"session": 1})):
        for where in (application, foreign):
            refused = client.post(address(name, where, pk=stranger.pk, **more), {"role": "auditor"})
            assert refused.status_code == 404
    assert Membership.objects.filter(pk=stranger.pk, role=StaffRole.OWNER).exists()
    assert Session.objects.count() == session
    assert stranger_client.get(address("staff_of", foreign)).status_code == 200


def test_roles_change_and_people_leave_and_an_owner_stays(hired: Any, application: Application) -> None:
    client, owner = hired("owner")
    colleague_client, colleague = hired("moderator")
    [key] = Session.objects.filter(session_key=colleague_client.session.session_key).values_list("pk", flat=True)
    client.post(address("change_staff_role", application, pk=colleague.pk), {"role": "operator"})
    assert standings([key])[key].role_in(application.pk) == StaffRole.OPERATOR
    assert "operator" in client.get(address("staff_of", application)).content.decode()
    refused = client.post(address("change_staff_role", application, pk=owner.pk), {"role": "auditor"})
    assert refused.status_code == 409
    assert client.post(address("remove_staff", application, pk=owner.pk)).status_code == 409
    client.post(address("remove_staff", application, pk=colleague.pk))
    assert standings([key])[key].role_in(application.pk) is None
    assert colleague_client.get(address("application", application)).status_code == 404
    assert types(application)[-2:] == ["membership.changed", "membership.removed"]


def test_an_invitation_is_shown_once_and_opens_one_door_once(hired: Any, application: Application) -> None:
    client, _ = hired("owner")
    shown = client.post(address("invite_staff", application), {"role": "moderator", "email": "eve@example.com"})
    assert "no-store" in shown["Cache-Control"]
    [link] = re.findall(r"/account/invitation/[\w-]+/", shown.content.decode())
    listed = client.get(address("staff_of", application)).content.decode()
    assert "eve@example.com" in listed
    assert link not in listed
    guest = Client()
    page = guest.get(link).content.decode()
    assert application.app_key in page
    weak = guest.post(link, {"username": "eve", "password": "12345678", "again": "12345678"})
    assert weak.status_code == 200
    assert not Staff.objects.filter(username="eve").exists()
    taken = guest.post(link, {"username": "OWNER", "password": PASSWORD, "again": PASSWORD})
    assert "taken" in taken.content.decode()
    joined = guest.post(link, {"username": "eve", "password": PASSWORD, "again": PASSWORD})
    assert joined.status_code == 302
    assert guest.get(address("application", application)).status_code == 200
    eve = Staff.objects.get(username="eve")
    assert (eve.email, eve.is_staff, eve.is_superuser) == ("", False, False)
    assert eve.memberships.get().role == StaffRole.MODERATOR
    assert Client().get(link).status_code == 404
    assert types(application)[-3:] == ["invitation.created", "membership.added", "staff.signed_in"]
    assert ApplicationEvent.objects.get(type="membership.added", actor_id=str(eve.pk)).data["invitation"]


def test_who_has_an_account_joins_with_it(hired: Any, application: Application, foreign: Application) -> None:
    owner, _ = hired("owner")
    other, _ = hired("auditor", "frank", foreign)
    shown = owner.post(address("invite_staff", application), {"role": "operator"})
    [link] = re.findall(r"/account/invitation/[\w-]+/", shown.content.decode())
    assert owner.post(link).status_code == 302  # belongs to it already: the link is not used up
    assert other.post(link).status_code == 302
    assert other.get(address("application", application)).status_code == 200
    assert Membership.objects.get(staff__username="frank", application=application).role == StaffRole.OPERATOR


def test_an_invitation_ends_by_time_and_by_withdrawal(hired: Any, application: Application, clock: Any) -> None:
    client, _ = hired("owner")
    new = services.invite_staff(actor=system(), application=application, role="auditor")
    late = services.invite_staff(actor=system(), application=application, role="auditor")
    withdraw = address("withdraw_invitation", application, pk=new.invitation.pk)
    assert client.post(withdraw).status_code == 302
    assert client.post(withdraw).status_code == 404
    clock.shift(7 * 86_400 + 1)
    for token in (new.token, late.token):
        assert Client().get(f"/account/invitation/{token}/").status_code == 404
    assert Membership.objects.count() == 1


def test_an_owner_ends_a_session_and_the_person_is_out_at_once(hired: Any, application: Application) -> None:
    client, _ = hired("owner")
    colleague_client, colleague = hired("moderator")
    key = colleague_client.session.session_key
    page = client.get(address("staff_of", application)).content.decode()
    [session] = re.findall(rf"/members/{colleague.pk}/sessions/(\d+)/end/", page)
    assert key in standings([key])
    assert client.post(address("end_staff_session", application, pk=colleague.pk, session=session)).status_code == 302
    assert standings([key]) == {}
    assert colleague_client.get(address("application", application)).status_code == 302
    assert types(application)[-1] == "staff.session_ended"


def test_staff_see_and_end_their_own_sessions(hired: Any, application: Application) -> None:
    client, membership = hired("moderator")
    elsewhere = Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    elsewhere.force_login(membership.staff)
    elsewhere.get("/account/sessions/")
    stranger, _ = hired("owner")
    page = client.get("/account/sessions/").content.decode()
    assert "Firefox · Linux" in page
    first, *_ = re.findall(r"/account/sessions/(\d+)/end/", page)
    assert stranger.post(f"/account/sessions/{first}/end/").status_code == 404
    assert elsewhere.get("/account/sessions/").status_code == 200
    for pk in re.findall(r"/account/sessions/(\d+)/end/", page):
        client.post(f"/account/sessions/{pk}/end/")
    assert elsewhere.get("/account/sessions/").status_code == 302


# Applications and keys


def test_a_superuser_makes_an_application_and_nobody_else(hired: Any, application: Application) -> None:
    client, _ = hired("owner")
    form = {"org": "fresh", "app": "live", "name": "Fresh"}
    assert client.post(reverse("dashboard:new_application"), form).status_code == 403
    assert not Application.objects.filter(org="fresh").exists()
    root = Client()
    root.force_login(Staff.objects.create_superuser("root"))
    assert root.post(reverse("dashboard:new_application"), form).status_code == 302
    again = root.post(reverse("dashboard:new_application"), form)
    assert "already" in again.content.decode()
    assert Application.objects.filter(org="fresh").count() == 1


def test_limits_are_numbers_in_fields(hired: Any, application: Application) -> None:
    client, _ = hired("operator")
    form = {
        "name": "Acme", "ticket_seconds": 60, "grace_seconds": 30, "requests_per_minute": 6000,
        "total_requests_per_minute": 60000, "limit_12_audience": 50, "limit_10_videos": "0",
    }  # fmt: skip
    assert client.post(address("save_application_settings", application), form).status_code == 302
    application.refresh_from_db()
    assert application.limits == {"10": {"videos": 0}, "12": {"audience": 50}}
    assert application.ticket_seconds == 60
    refused = client.post(address("save_application_settings", application), form | {"limit_12_audience": -1})
    assert refused.status_code == 200
    application.refresh_from_db()
    assert application.limits["12"] == {"audience": 50}
    auditor, _ = hired("auditor")
    assert auditor.get(address("application", application)).status_code == 200
    assert auditor.post(address("save_application_settings", application), form).status_code == 403


def test_a_key_is_made_shown_once_rotated_and_revoked(hired: Any, application: Application) -> None:
    client, _ = hired("owner")
    shown = client.post(address("create_key", application), {"name": "backend", "scopes": ["read", "tokens"]})
    [secret] = re.findall(r"ck_[0-9a-f]{12}_[\w-]{43}", shown.content.decode())
    assert "no-store" in shown["Cache-Control"]
    assert api_key_actor(secret, None, "").scopes == {"read", "tokens"}
    assert secret not in client.get(address("application", application)).content.decode()
    old = ApiKey.objects.get()
    rotated = client.post(address("rotate_key", application, pk=old.pk), {"overlap": "3600"})
    [successor] = re.findall(r"ck_[0-9a-f]{12}_[\w-]{43}", rotated.content.decode())
    api_key_actor(successor, None, "")
    client.post(address("revoke_key", application, pk=old.pk), {"reason": "leaked"})
    old.refresh_from_db()
    assert old.revoked_at is not None
    event = ApplicationEvent.objects.get(type="api_key.revoked")
    assert event.personal["reason"] == "leaked"


def test_keys_of_others_do_not_exist(hired: Any, application: Application, foreign: Application) -> None:
    client, _ = hired("owner")
    key = services.create_api_key(actor=system(), application=foreign, name="theirs", scopes=["read"]).key
    for where in (application, foreign):
        assert client.post(address("revoke_key", where, pk=key.pk)).status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_the_client_secret_is_for_owners_and_looking_is_told(hired: Any, application: Application) -> None:
    operator, _ = hired("operator")
    assert operator.post(address("read_secret", application)).status_code == 403
    client, _ = hired("owner")
    assert application.client_secret not in client.get(address("application", application)).content.decode()
    assert application.client_secret in client.post(address("read_secret", application)).content.decode()
    replaced = client.post(address("rotate_secret", application)).content.decode()
    before = application.client_secret
    application.refresh_from_db()
    assert application.client_secret != before
    assert application.client_secret in replaced
    assert types(application)[-2:] == ["application.secret_read", "application.secret_rotated"]


def test_only_superusers_suspend_and_resume(hired: Any, application: Application) -> None:
    client, _ = hired("owner")
    assert client.post(address("suspend_application", application)).status_code == 403
    root = Client()
    root.force_login(Staff.objects.create_superuser("root"))
    root.post(address("suspend_application", application), {"reason": "unpaid"})
    application.refresh_from_db()
    assert application.suspended_at is not None
    root.post(address("resume_application", application))
    application.refresh_from_db()
    assert application.suspended_at is None


# A fresh second factor


def test_what_cannot_be_taken_back_asks_for_the_second_factor_again(hired: Any, application: Application) -> None:
    client, membership = hired("owner")
    code = second_factor(membership.staff)
    page = address("application", application)
    asked = client.post(address("rotate_secret", application), HTTP_REFERER=f"http://testserver{page}")
    assert asked["Location"] == f"{reverse('mfa_reauthenticate')}?next={page.replace('/', '%2F')}"
    before = application.client_secret
    application.refresh_from_db()
    assert application.client_secret == before
    back = client.post(asked["Location"], {"code": code(), "next": page})
    assert back["Location"] == page
    application.refresh_from_db()
    assert application.client_secret == before  # nothing is done behind the person's back
    assert client.post(address("rotate_secret", application)).status_code == 200
    application.refresh_from_db()
    assert application.client_secret != before


def test_after_five_minutes_or_by_a_password_alone_it_is_not_fresh(hired: Any, application: Application) -> None:
    client, membership = hired("owner")
    second_factor(membership.staff)
    for record in ({"method": "mfa", "at": time.time() - 301}, {"method": "password", "at": time.time()}):
        session = client.session
        session["account_authentication_methods_user"] = str(membership.staff_id)
        session[AUTHENTICATION_METHODS_SESSION_KEY] = [record]
        session.save()
        assert client.post(address("rotate_secret", application)).status_code == 302
    assert "application.secret_rotated" not in types(application)


def test_a_script_is_told_where_to_ask_and_nobody_is_led_elsewhere(hired: Any, application: Application) -> None:
    client, membership = hired("owner")
    second_factor(membership.staff)
    refused = client.post(
        address("rotate_secret", application), HTTP_ACCEPT="application/json", HTTP_REFERER="https://evil.example/x"
    )
    assert refused.status_code == 403
    problem = refused.json()
    assert problem["code"] == "second_factor_needed"
    assert problem["location"] == f"{reverse('mfa_reauthenticate')}?next=%2Fdashboard%2F"


# Races


def test_of_two_owners_who_remove_each_other_one_stays(hired: Any, application: Application) -> None:
    memberships = [hired("owner", name)[1] for name in ("olga", "otto")]
    actors = [staff_actor(each.staff, None, "") for each in memberships]
    results = together(
        lambda: services.remove_membership(actor=actors[0], membership=memberships[1]),
        lambda: services.remove_membership(actor=actors[1], membership=memberships[0]),
    )
    assert [isinstance(result, LastOwner | ApplicationNotFound) for result in results].count(True) == 1
    assert Membership.objects.filter(application=application, role=StaffRole.OWNER).count() == 1


def test_of_two_who_open_a_link_at_once_one_joins(application: Application) -> None:
    token = services.invite_staff(actor=system(), application=application, role="auditor").token
    results = together(
        lambda: services.join_staff(actor=system(), token=token, username="first", password=PASSWORD),
        lambda: services.join_staff(actor=system(), token=token, username="second", password=PASSWORD),
    )
    assert [isinstance(result, InvitationInvalid) for result in results].count(True) == 1
    assert Membership.objects.count() == Staff.objects.count() == 1
