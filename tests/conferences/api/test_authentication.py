"""Who may call at all: keys, user tokens, role tokens, staff sessions."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import services
from accounts.actors import system
from accounts.authentication import forget
from accounts.models import Scope, Staff, StaffRole
from conferences.models import Role
from tests.api_client import PREFIX, Api, answered, key_of, problem, refused


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "not_authenticated"),
        ("Basic dTpw", "not_authenticated"),
        ("Bearer", "not_authenticated"),
        ("Bearer ck_nonsense", "credentials_invalid"),
        ("Bearer ck_000000000000_" + "x" * 43, "credentials_invalid"),
        ("Bearer ut_AAAA", "credentials_invalid"),
        ("Bearer ut_ä", "credentials_invalid"),
        ("Bearer " + "x" * 5000, "credentials_invalid"),
    ],
)
def test_no_credential_or_a_wrong_one_is_refused(application, stranger, header, code):
    response = stranger.get("/conferences", Authorization=header)
    problem(response, 401, code)
    assert response["WWW-Authenticate"] == "Bearer"


def test_without_a_header_one_is_told_to_send_credentials(application, stranger):
    refused(lambda: stranger.get("/conferences"), 401, "not_authenticated")


@pytest.mark.parametrize("token", ["rt_", "rt_1", "rt_1_xx", "rt_zzzzzzzzzzzzzz_" + "A" * 22, "rt_1_" + "A" * 22])
def test_a_forged_role_token_is_refused(room, token):
    refused(lambda: Api(token).get(f"/conferences/{room.id}"), 403, "role_token_invalid")


def test_a_ticket_is_no_role_token(room):
    issued = room.ticket("bob", Role.TALKER)
    refused(lambda: Api(issued.text).get(f"/conferences/{room.id}"), 401, "credentials_invalid")


def test_a_role_token_is_good_in_its_conference_alone(as_member, new_room, room):
    alice, other = as_member(room, "alice"), new_room()
    answered(alice.get(f"/conferences/{room.id}"))
    refused(lambda: alice.get(f"/conferences/{other.id}"), 403, "role_token_invalid")
    refused(lambda: alice.post("/conferences"), 403, "role_token_invalid")
    refused(lambda: alice.post("/rooms/join", {"roomName": "r"}), 403, "role_token_invalid")


def test_a_role_token_dies_with_its_ticket(backend, as_member, room):
    alice = as_member(room, "alice")
    answered(backend.post(f"/conferences/{room.id}/tickets/revoke", {"memName": "alice"}))
    refused(lambda: alice.get(f"/conferences/{room.id}"), 403, "role_token_invalid")


def test_a_key_does_what_its_scopes_say(application, room):
    reader = Api(key_of(application, Scope.READ))
    answered(reader.get(f"/conferences/{room.id}"))
    document = refused(lambda: reader.delete(f"/conferences/{room.id}"), 403, "scope_missing")
    assert document["scope"] == "conferences"


def test_a_suspended_application_is_shut(application, backend, as_user, as_member, room):
    callers = [backend, as_user("dave"), as_member(room, "alice")]
    services.suspend_application(actor=system(), application=application)
    forget()
    for caller in callers:
        problem(caller.get(f"/conferences/{room.id}"), 403, "application_suspended")


# Staff sessions


@pytest.fixture
def session(application):
    """Signs a staff member with this role in; answers the browser, which insists on CSRF."""

    def sign_in(role=None):
        staff = Staff.objects.create_user(f"staff-{role}", password=None, is_staff=True)
        if role:
            services.add_membership(actor=system(), application=application, staff=staff, role=role)
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        client.force_login(staff)
        return client

    return sign_in


def test_an_auditor_looks_and_changes_nothing(session, room):
    auditor = Api(None, session(StaffRole.AUDITOR))
    bound = {"X-Confr-Application": "acme#live"}
    assert answered(auditor.get(f"/conferences/{room.id}/events", **bound))["total"] > 0
    token = _csrf(auditor.client)
    path = f"/conferences/{room.id}/kick"
    problem(auditor.post(path, {"memNames": ["bob"]}, **bound, **token), 403, "not_allowed")


def test_a_moderator_acts_with_the_csrf_token_only(session, room):
    moderator = Api(None, session(StaffRole.MODERATOR))
    bound, path = {"X-Confr-Application": "acme#live"}, f"/conferences/{room.id}/kick"
    problem(moderator.post(path, {"memNames": ["bob"]}, **bound), 403, "csrf_failed")
    token = _csrf(moderator.client)
    answered(moderator.post(path, {"memNames": ["bob"]}, **bound, **token))
    assert room.events("member.exited")[-1].actor_kind == "staff"


def test_a_form_gets_past_neither_csrf_nor_json(session, room):
    moderator = Api(None, session(StaffRole.MODERATOR))
    path, form = f"/conferences/{room.id}/kick", {"Content-Type": "multipart/form-data; boundary=x"}
    bound = {"X-Confr-Application": "acme#live"}
    problem(moderator("POST", path, b"--x--", **bound, **form), 403, "csrf_failed")
    token = _csrf(moderator.client)
    problem(moderator("POST", path, b"--x--", **bound, **form, **token), 415, "media_type_unsupported")


def test_the_staff_says_which_application(session, foreign, room):
    moderator = Api(None, session(StaffRole.MODERATOR))
    for name in ("", "nonsense", "no#such", "other#live"):
        problem(moderator.get("/conferences", X_Confr_Application=name), 404, "application_not_found")
    problem(moderator.get("/conferences"), 404, "application_not_found")


def test_a_session_that_is_over_is_no_credential(session, room):
    client = session(StaffRole.OWNER)
    client.logout()
    client.cookies["sessionid"] = "stale"
    problem(Api(None, client).get("/conferences", X_Confr_Application="acme#live"), 401, "not_authenticated")


def test_a_bearer_counts_before_a_session(session, backend, foreign_backend):
    client = session(StaffRole.OWNER)
    both = Api(foreign_backend.credential, client)
    answered(backend.post("/conferences", {"name": "ours"}), 201)
    assert answered(both.get("/conferences", X_Confr_Application="acme#live"))["total"] == 0


def _csrf(client):
    """What a page gives its scripts: the cookie and the header that must fit."""
    client.get("/admin/login/")
    client.cookies["csrftoken"] = "x" * 32
    return {"X-CSRFToken": "x" * 32, "Referer": f"http://testserver{PREFIX}"}
