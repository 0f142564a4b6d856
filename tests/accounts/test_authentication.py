"""Credentials become actors, or are refused; revocation holds within a second."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts import services, tokens
from accounts.actors import ActorKind, system
from accounts.authentication import (
    api_key_actor,
    authenticate,
    bearer,
    forget,
    staff_actor,
)
from accounts.authentication import (
    application as application_of,
)
from accounts.errors import (
    ApplicationNotFound,
    ApplicationSuspended,
    CredentialsInvalid,
    DomainError,
    NotAuthenticated,
)
from accounts.models import ApiKey, Scope, Staff, StaffRole, UserToken
from tests.accounts.waiting import until

same_database = hypothesis_settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def is_refused(credential: str) -> bool:
    try:
        authenticate(credential, None, "")
    except CredentialsInvalid:
        return True
    return False


def test_an_api_key_stands_for_its_application(application, secret):
    actor = authenticate(secret, "192.0.2.1", "request-1")
    assert actor.kind is ActorKind.APPLICATION
    assert actor.application_id == application.pk
    assert actor.scopes == frozenset(Scope.values)
    assert (actor.address, actor.request_id) == ("192.0.2.1", "request-1")
    assert actor.id == str(application.keys.get().pk)


def test_only_the_digest_of_a_key_is_stored(application, secret):
    row = ApiKey.objects.values().get()
    assert secret not in str(row)
    assert len(row["digest"]) == 32


def test_an_application_of_an_actor_is_looked_up_once_a_second(application, secret, django_assert_num_queries):
    authenticate(secret, None, "")
    with django_assert_num_queries(0):
        actor = authenticate(secret, None, "")
        assert actor.application_id == application.pk
        assert application_of(application.pk) == application


def test_first_use_of_a_key_is_noted_at_most_once_a_minute(application, secret):
    authenticate(secret, None, "")
    key = application.keys.get()
    assert timezone.now() - key.last_used_at < timedelta(seconds=5)
    forget()
    authenticate(secret, None, "")
    assert application.keys.get().last_used_at == key.last_used_at
    application.keys.update(last_used_at=timezone.now() - timedelta(minutes=2))
    forget()
    authenticate(secret, None, "")
    assert timezone.now() - application.keys.get().last_used_at < timedelta(seconds=5)


def test_an_expired_key_is_refused(application, secret):
    application.keys.update(expires_at=timezone.now())
    assert is_refused(secret)


def test_a_key_of_a_known_prefix_with_another_secret_is_refused(secret):
    assert is_refused(secret[:16] + secrets.token_urlsafe(32))


def test_a_revoked_key_is_refused_within_a_second(application, secret):
    authenticate(secret, None, "")
    services.revoke_api_key(actor=system(), key=application.keys.get())
    assert until(lambda: is_refused(secret)) < 1.2


def test_a_suspended_application_is_refused_within_a_second_and_comes_back(application, secret):
    authenticate(secret, None, "")
    services.suspend_application(actor=system(), application=application)

    def suspended() -> bool:
        try:
            authenticate(secret, None, "")
        except ApplicationSuspended:
            return True
        return False

    assert until(suspended) < 1.2
    services.resume_application(actor=system(), application=application)
    authenticate(secret, None, "")


def test_a_user_token_names_its_user_without_a_query(application, robot, django_assert_num_queries):
    issued = services.issue_user_token(actor=robot, application=application, user="bob")
    authenticate(issued.text, None, "")
    with django_assert_num_queries(0):
        actor = authenticate(issued.text, "192.0.2.7", "request-3")
    assert actor.kind is ActorKind.USER
    assert (actor.application_id, actor.user_id, actor.name) == (application.pk, issued.token.user_id, "bob")
    assert actor.scopes == frozenset()


def test_revoked_user_tokens_cost_one_query_a_second(application, robot, django_assert_num_queries):
    texts = [services.issue_user_token(actor=robot, application=application, user=f"user{n}").text for n in range(3)]
    application_of(application.pk)
    with django_assert_num_queries(1):
        for text in texts:
            authenticate(text, None, "")


def test_a_revoked_user_token_is_refused_within_a_second_and_others_are_not(application, robot):
    lost, kept = (services.issue_user_token(actor=robot, application=application, user="bob") for _ in range(2))
    authenticate(lost.text, None, "")
    services.revoke_user_token(actor=robot, application=application, token_id=lost.token.pk)
    assert until(lambda: is_refused(lost.text)) < 1.2
    authenticate(kept.text, None, "")


def test_a_user_token_ends_with_its_time(application, robot, time_machine):
    issued = services.issue_user_token(actor=robot, application=application, user="bob", seconds=60)
    time_machine.move_to(issued.token.expires_at - timedelta(milliseconds=500), tick=False)
    authenticate(issued.text, None, "")
    time_machine.move_to(issued.token.expires_at, tick=False)
    assert is_refused(issued.text)


def test_a_token_of_an_older_signing_key_still_verifies_and_of_an_unknown_one_not(application, robot, settings):
    issued = services.issue_user_token(actor=robot, application=application, user="bob")
    mine = settings.KEYS["signing"]
    settings.KEYS = settings.KEYS | {"signing": ["newer", *mine]}
    authenticate(issued.text, None, "")
    settings.KEYS = settings.KEYS | {"signing": ["newer"]}
    assert is_refused(issued.text)


@same_database
@given(place=st.integers(0, 60), letter=st.characters(), more=st.text(min_size=1))
def test_no_altered_user_token_passes(application, robot, place, letter, more):
    text = services.issue_user_token(actor=robot, application=application, user="bob").text
    altered = text[:place] + letter + text[place + 1 :]
    assert is_refused(altered) == (altered != text)
    assert is_refused(text[:place])
    assert is_refused(text + more)


@same_database
@given(credential=st.text() | st.text().map("ck_{}".format) | st.text().map("ut_{}".format))
def test_no_invented_credential_passes(db, credential):
    assert is_refused(credential)


@same_database
@given(place=st.integers(0, 58), letter=st.characters(), more=st.text(min_size=1))
def test_no_altered_api_key_passes(secret, place, letter, more):
    altered = secret[:place] + letter + secret[place + 1 :]
    assert is_refused(altered) == (altered != secret)
    assert is_refused(secret[:place])
    assert is_refused(secret + more)


def test_claims_survive_the_way_through_a_token(db):
    claims = tokens.UserClaims(1, 2, 3, timezone.now().replace(microsecond=0) + timedelta(days=1), "微信_小明")
    assert tokens.decode(tokens.encode(claims)) == claims


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic abc", "ck_1", "Bearer\tx"])
def test_a_header_without_a_bearer_credential_is_refused(header):
    with pytest.raises(NotAuthenticated):
        bearer(header)


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER   abc "])
def test_a_bearer_header_yields_its_credential(header):
    assert bearer(header) == "abc"


def test_staff_act_in_their_own_name_and_unbound(db):
    staff = Staff.objects.create_user("eve")
    actor = staff_actor(staff, "192.0.2.9", "request-1")
    assert (actor.kind, actor.id, actor.name) == (ActorKind.STAFF, str(staff.pk), "eve")
    assert actor.application_id is None
    assert actor.scopes == frozenset()


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        (StaffRole.AUDITOR, {"read"}),
        (StaffRole.MODERATOR, {"read", "moderate", "messages"}),
        (StaffRole.OPERATOR, set(Scope.values)),
        (StaffRole.OWNER, set(Scope.values)),
    ],
)
def test_staff_bound_to_an_application_have_the_scopes_of_their_role(application, staff_with, role, scopes):
    staff = Staff.objects.get(pk=int(staff_with(role).id))
    actor = staff_actor(staff, None, "", application.pk)
    assert actor.application_id == application.pk
    assert actor.scopes == scopes


@pytest.mark.parametrize(("active", "refusal"), [(False, CredentialsInvalid), (True, ApplicationNotFound)])
def test_staff_switched_off_or_without_a_role_are_refused(application, active, refusal: type[DomainError]):
    staff = Staff.objects.create_user("eve", is_active=active)
    with pytest.raises(refusal):
        staff_actor(staff, None, "", application.pk)


def test_a_key_that_nobody_made_costs_the_same_queries_as_one_that_is_wrong(secret, django_assert_num_queries):
    for wrong in (secret[:16] + "x" * 43, "ck_" + "0" * 12 + "_" + "x" * 43):
        with django_assert_num_queries(1), pytest.raises(CredentialsInvalid):
            api_key_actor(wrong, None, "")


def test_tokens_of_users_leave_no_text_in_the_table(application, robot):
    issued = services.issue_user_token(actor=robot, application=application, user="bob")
    assert issued.text not in str(list(UserToken.objects.values()))
