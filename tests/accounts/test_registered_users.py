"""Users with a password of their own, and the tokens that a client secret is worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts import services, tokens
from accounts.actors import Actor, ActorKind, system
from accounts.authentication import authenticate, forget
from accounts.errors import (
    ApplicationNotFound,
    ApplicationSuspended,
    BadParameters,
    CredentialsInvalid,
    NotAllowed,
    ScopeMissing,
    UserNameInvalid,
    UserNameTaken,
)
from accounts.models import Application, ApplicationEvent, Scope, User, UserPassword
from conferences.services.audit import erase_user
from tests.factories import backend


def register(actor: Actor, application: Application, name: str = "bob", password: str = "secret") -> User:
    return services.register_user(actor=actor, application=application, name=name, password=password)


def sign_in(application: Application, name: str = "bob", password: str = "secret") -> services.IssuedToken:
    return services.sign_in_user(application=application, name=name, password=password, address="192.0.2.7")


def test_a_registration_is_noted_without_the_password(robot: Actor, application: Application) -> None:
    user = register(robot, application)
    event = ApplicationEvent.objects.get(type="user.registered")
    assert (event.data, event.personal["user"]) == ({"user": user.pk}, "bob")
    assert "secret" not in str(event.__dict__) + UserPassword.objects.get().digest


def test_who_signs_in_gets_a_token_that_stands_for_the_user(robot: Actor, application: Application) -> None:
    user = register(robot, application, name="acme#live_bob@easemob.com")
    actor = authenticate(sign_in(application).text, "192.0.2.7", "request")
    assert (actor.kind, actor.user_id, actor.name) == (ActorKind.USER, user.pk, "bob")


def test_a_user_of_another_application_is_another(
    robot: Actor, foreign_robot: Actor, application: Application, foreign: Application
) -> None:
    register(robot, application)
    with pytest.raises(CredentialsInvalid):
        sign_in(foreign)
    register(foreign_robot, foreign, password="other")
    with pytest.raises(CredentialsInvalid):
        sign_in(application, password="other")


@pytest.mark.parametrize(
    ("who", "error"),
    [("user", NotAllowed), ("reader", ScopeMissing), ("stranger", ApplicationNotFound)],
)
def test_only_who_may_mint_tokens_registers(
    who: str, error: type[Exception], application: Application, alice: Actor, foreign_robot: Actor, refused: Any
) -> None:
    actor = {"user": alice, "reader": backend(application, frozenset({Scope.READ.value})), "stranger": foreign_robot}
    with refused(error):
        register(actor[who], application)


def test_a_name_is_registered_once(robot: Actor, application: Application, refused: Any) -> None:
    register(robot, application)
    with refused(UserNameTaken):
        register(robot, application, password="another")
    assert sign_in(application)


@pytest.mark.parametrize(
    ("name", "password", "error"),
    [
        ("", "x", UserNameInvalid),
        ("a#b", "x", UserNameInvalid),
        ("bob", "", BadParameters),
        ("bob", "x" * 129, BadParameters),
    ],
)
def test_what_cannot_be_registered_is_not(
    name: str, password: str, error: type[Exception], robot: Actor, application: Application, refused: Any
) -> None:
    with refused(error):
        register(robot, application, name, password)


def test_an_erased_user_has_no_password(robot: Actor, application: Application) -> None:
    user = register(robot, application)
    erase_user(actor=system(), user=user)
    assert not UserPassword.objects.exists()
    with pytest.raises(CredentialsInvalid):
        sign_in(application)


# Application tokens


def issue(application: Application, **change: str) -> services.ApplicationToken:
    secret = {"client_id": application.client_id, "client_secret": application.client_secret} | change
    return services.issue_application_token(application=application, **secret)


def test_an_application_token_stands_for_the_application_with_every_scope(application: Application) -> None:
    actor = authenticate(issue(application).text, "192.0.2.7", "request")
    assert (actor.kind, actor.application_id, actor.id) == (
        ActorKind.APPLICATION,
        application.pk,
        application.client_id,
    )
    assert actor.scopes == set(Scope.values)


@pytest.mark.parametrize("change", [{"client_secret": "x"}, {"client_id": "x"}, {"client_secret": ""}])
def test_the_secret_must_be_right(change: dict[str, str], application: Application) -> None:
    with pytest.raises(CredentialsInvalid):
        issue(application, **change)


def test_a_suspended_application_gets_none_and_its_tokens_rest(application: Application) -> None:
    token = issue(application).text
    suspended = services.suspend_application(actor=system(), application=application)
    forget()
    with pytest.raises(ApplicationSuspended):
        issue(suspended)
    with pytest.raises(ApplicationSuspended):
        authenticate(token, None, "")


def test_it_dies_with_the_secret_and_with_its_time(application: Application, foreign: Application) -> None:
    later, earlier = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(seconds=1)
    secret = application.client_secret
    good = tokens.encode_application(tokens.ApplicationClaims(application.pk, later), secret)
    assert tokens.decode_application(good, secret).application_id == application.pk
    over = tokens.encode_application(tokens.ApplicationClaims(application.pk, earlier), secret)
    others = tokens.encode_application(tokens.ApplicationClaims(foreign.pk, later), secret)
    nobodys = tokens.encode_application(tokens.ApplicationClaims(10**9, later), secret)
    for token in (over, others, nobodys, good[:-1], good + "A", "at_", "at_é"):
        with pytest.raises(CredentialsInvalid):
            authenticate(token, None, "")
    services.rotate_client_secret(actor=system(), application=application)
    forget()
    with pytest.raises(CredentialsInvalid):
        authenticate(good, None, "")
