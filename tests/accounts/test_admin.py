"""The admin of accounts: who sees what, that every change is in the log, and that secrets are shown once."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts import services
from accounts.actors import system
from accounts.authentication import api_key_actor
from accounts.models import (
    ApiKey,
    Application,
    ApplicationEvent,
    Membership,
    Staff,
    StaffRole,
    User,
    UserToken,
)

pytestmark = pytest.mark.usefixtures("db", "redis_names")
PAGES = [model for model in admin.site._registry if model._meta.app_label == "accounts"]


def url(model: type[Any], page: str = "changelist", *arguments: object) -> str:
    return reverse(f"admin:accounts_{model._meta.model_name}_{page}", args=arguments)


def signed_in(staff: Staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def act(client: Client, model: type[Any], action: str, *rows: Any) -> Any:
    """Choose an action for the rows in the list."""
    return client.post(url(model), {"action": action, "_selected_action": [row.pk for row in rows]})


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


@pytest.fixture
def root() -> Client:
    return signed_in(Staff.objects.create_superuser("root", password="correct horse battery"))


@pytest.fixture
def member(application: Application) -> Any:
    """Signs somebody in who has a role in the application."""

    def make(role: StaffRole) -> Client:
        staff = Staff.objects.create_user(role, is_staff=True)
        services.add_membership(actor=system(), application=application, staff=staff, role=role)
        return signed_in(staff)

    return make


@pytest.fixture
def filled(application: Application, foreign: Application) -> None:
    """A row of everything, in two applications."""
    for tenant in (application, foreign):
        key = services.create_api_key(actor=system(), application=tenant, name="backend", scopes=["tokens"])
        robot = api_key_actor(key.secret, None, "")
        services.issue_user_token(actor=robot, application=tenant, user=f"user-of-{tenant.org}")
        staff = Staff.objects.create_user(f"staff-of-{tenant.org}", is_staff=True)
        services.add_membership(actor=system(), application=tenant, staff=staff, role=StaffRole.AUDITOR)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_every_page_opens_for_a_superuser_and_shows_no_secret(root, application, model):
    pages = [root.get(url(model)), root.get(url(model), {"q": "a"})]
    pages += [root.get(url(model, "change", row.pk)) for row in model.objects.all()]
    for page in pages:
        assert page.status_code == 200
        assert application.client_secret not in page.content.decode()


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("role", StaffRole)
def test_staff_see_their_own_application_and_nothing_of_others(member, foreign, role):
    client = member(role)
    for model in (Application, ApiKey, User, UserToken, Membership, ApplicationEvent):
        page = client.get(url(model)).content.decode()
        assert "acme#live" in page or "acme" in page
        assert "other#live" not in page
        assert "of-other" not in page
    assert client.get(url(Application, "change", foreign.pk)).status_code == 302
    assert client.get(url(Staff)).status_code == 403


def test_an_application_is_made_with_ids_and_a_fact(root):
    root.post(url(Application, "add"), {"org": "acme", "app": "live", "name": "Acme"})
    application = Application.objects.get()
    assert application.client_secret
    assert ApplicationEvent.objects.get().personal["actor"] == "root"


@pytest.mark.parametrize("form", [{"org": "api"}, {"org": "Acme"}, {"app": ""}])
def test_a_bad_application_is_explained_in_the_form(root, form):
    page = root.post(url(Application, "add"), {"org": "acme", "app": "live"} | form)
    assert page.status_code == 200
    assert page.context["adminform"].form.errors.keys() == form.keys()
    assert not Application.objects.exists()


def limits_form(**changes: object) -> dict[str, object]:
    return {
        "name": "Acme",
        "limits": "{}",
        "ticket_seconds": 600,
        "grace_seconds": 30,
        "requests_per_minute": 6000,
        "total_requests_per_minute": 60000,
    } | changes


def test_an_operator_changes_limits_and_it_is_in_the_log(member, application):
    client = member(StaffRole.OPERATOR)
    form = limits_form(ticket_seconds=60, limits='{"12": {"audience": 50}}')
    client.post(url(Application, "change", application.pk), form)
    application.refresh_from_db()
    assert (application.ticket_seconds, application.limits) == (60, {"12": {"audience": 50}})
    event = ApplicationEvent.objects.get(type="application.updated")
    assert event.after == {"ticket_seconds": 60, "limits": {"12": {"audience": 50}}}
    assert event.personal["actor"] == "operator"


@pytest.mark.parametrize("role", [StaffRole.AUDITOR, StaffRole.MODERATOR])
def test_who_may_only_look_changes_nothing(member, application, role):
    client = member(role)
    assert client.get(url(Application, "change", application.pk)).status_code == 200
    refused = client.post(url(Application, "change", application.pk), limits_form(ticket_seconds=60))
    assert refused.status_code == 403
    application.refresh_from_db()
    assert application.ticket_seconds == 600


def test_an_owner_sees_the_client_secret_on_request_and_it_is_in_the_log(member, application):
    page = act(member(StaffRole.OWNER), Application, "show_client_secret", application)
    assert application.client_secret in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert ApplicationEvent.objects.filter(type="application.secret_read").count() == 1


def test_an_operator_does_not_see_the_client_secret(member, application, log_of):
    page = act(member(StaffRole.OPERATOR), Application, "show_client_secret", application)
    assert application.client_secret not in page.content.decode()
    assert said(page) == ["acme#live: You may not do this; ask somebody with the needed role."]
    assert "application.secret_read" not in log_of(application)


def test_a_replaced_client_secret_is_shown_and_true(member, application):
    page = act(member(StaffRole.OWNER), Application, "rotate_client_secret", application)
    replaced = Application.objects.get().client_secret
    assert replaced != application.client_secret
    assert replaced in page.content.decode()


def test_only_superusers_suspend(root, member, application, log_of):
    act(member(StaffRole.OWNER), Application, "suspend", application)
    assert Application.objects.get().suspended_at is None
    act(root, Application, "suspend", application)
    assert Application.objects.get().suspended_at is not None
    act(root, Application, "resume", application)
    assert Application.objects.get().suspended_at is None
    assert log_of(application)[-2:] == ["application.suspended", "application.resumed"]


def key_form(application: Application) -> dict[str, object]:
    return {"application": application.pk, "name": "backend", "scopes": ["read", "tokens"]}


def test_a_key_is_shown_once_and_works(member, application):
    client = member(StaffRole.OWNER)
    page = client.post(url(ApiKey, "add"), key_form(application))
    (secret,) = re.findall(r"ck_[0-9a-f]{12}_[\w-]{43}", page.content.decode())
    assert api_key_actor(secret, None, "").scopes == {"read", "tokens"}
    key = ApiKey.objects.get()
    for again in (client.get(url(ApiKey)), client.get(url(ApiKey, "change", key.pk))):
        assert secret not in again.content.decode()
    assert said(page) == []


def test_an_owner_makes_no_key_for_another_application(member, foreign):
    page = member(StaffRole.OWNER).post(url(ApiKey, "add"), key_form(foreign))
    assert "application" in page.context["adminform"].form.errors
    assert not ApiKey.objects.exists()


def test_an_operator_makes_and_revokes_no_keys(member, application, secret):
    client = member(StaffRole.OPERATOR)
    assert client.post(url(ApiKey, "add"), key_form(application)).status_code == 403
    act(client, ApiKey, "revoke", application.keys.get())
    assert ApiKey.objects.get().revoked_at is None


def test_keys_are_rotated_and_revoked_in_the_list(member, application, secret):
    client, old = member(StaffRole.OWNER), application.keys.get()
    page = act(client, ApiKey, "rotate", old)
    (rotated,) = re.findall(r"ck_[0-9a-f]{12}_[\w-]{43}", page.content.decode())
    api_key_actor(rotated, None, "")
    act(client, ApiKey, "revoke", old)
    old.refresh_from_db()
    assert old.revoked_at is not None


def test_tokens_of_users_are_revoked_in_the_lists(member, application, robot):
    for name in ("bob", "carol"):
        services.issue_user_token(actor=robot, application=application, user=name)
    client = member(StaffRole.OPERATOR)
    act(client, User, "revoke_tokens", User.objects.get(name="bob"))
    assert UserToken.objects.get(user__name="bob").revoked_at is not None
    carols = UserToken.objects.get(user__name="carol")
    assert carols.revoked_at is None
    act(client, UserToken, "revoke", carols)
    carols.refresh_from_db()
    assert carols.revoked_at is not None


def test_an_owner_adds_changes_and_removes_members_of_the_staff(member, application, log_of):
    client, eve = member(StaffRole.OWNER), Staff.objects.create_user("eve", is_staff=True)
    client.post(url(Membership, "add"), {"application": application.pk, "staff": "eve", "role": "auditor"})
    membership = Membership.objects.get(staff=eve)
    client.post(url(Membership, "change", membership.pk), {"role": "operator"})
    membership.refresh_from_db()
    assert membership.role == StaffRole.OPERATOR
    client.post(url(Membership, "delete", membership.pk), {"post": "yes"})
    assert not Membership.objects.filter(staff=eve).exists()
    assert log_of(application)[-3:] == ["membership.added", "membership.changed", "membership.removed"]


def test_a_member_that_is_there_or_unknown_is_explained_in_the_form(member, application):
    client = member(StaffRole.OWNER)
    for name in ("owner", "nobody"):
        page = client.post(url(Membership, "add"), {"application": application.pk, "staff": name, "role": "auditor"})
        assert page.context["adminform"].form.errors
    assert Membership.objects.get().role == StaffRole.OWNER


def test_the_log_cannot_be_written_in_the_admin(root, application):
    event = ApplicationEvent.objects.get()
    assert root.get(url(ApplicationEvent, "add")).status_code == 403
    assert root.post(url(ApplicationEvent, "change", event.pk), {"type": "x"}).status_code == 403
    assert root.post(url(ApplicationEvent, "delete", event.pk), {"post": "yes"}).status_code == 403
    assert ApplicationEvent.objects.values().get() == ApplicationEvent.objects.filter(pk=event.pk).values().get()


def test_switching_staff_off_and_a_new_password_are_told_to_their_applications(root, application, member):
    member(StaffRole.MODERATOR)
    staff = Staff.objects.get(username="moderator")
    root.post(url(Staff, "change", staff.pk), {"username": "moderator", "is_staff": "on"})
    staff.refresh_from_db()
    assert not staff.is_active
    password = "correct horse battery staple"
    root.post(
        reverse("admin:auth_user_password_change", args=[staff.pk]),
        {"password1": password, "password2": password, "usable_password": "true", "set-password": "x"},
    )
    staff.refresh_from_db()
    assert staff.check_password(password)
    events = ApplicationEvent.objects.filter(type="staff.changed").order_by("seq")
    assert ["Active"] in [event.data["fields"] for event in events]
    assert ["password"] in [event.data["fields"] for event in events]
    assert password not in str(list(events.values()))


def test_staff_are_not_deleted(root):
    staff = Staff.objects.create_user("eve")
    assert root.post(url(Staff, "delete", staff.pk), {"post": "yes"}).status_code == 403
    assert Staff.objects.filter(pk=staff.pk).exists()


def test_the_admin_has_no_door_of_its_own():
    url = reverse("admin:index")
    through = Client().get(url, follow=True)
    assert through.redirect_chain[-1][0] == f"{reverse('account_login')}?next={quote(url, safe='')}"
    outsider = signed_in(Staff.objects.create_user("eve"))
    assert outsider.get(url, follow=True).status_code == 403
    assert outsider.get(reverse("admin:password_change"))["Location"] == reverse("account_change_password")
