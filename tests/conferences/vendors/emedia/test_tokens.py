"""What emedia's clients hold: whom each stands for, and what is no longer worth anything."""

from __future__ import annotations

import json

import pytest
from django.conf import settings

from accounts import services
from accounts.actors import Actor, ActorKind, system
from accounts.errors import ApplicationNotFound, CredentialsInvalid, UserNameInvalid
from accounts.models import Application
from accounts.origin import Origin
from conferences.errors import MemberNotFound, RoleTokenInvalid, TicketInvalid
from conferences.services.tickets import revoke_tickets
from conferences.vendors.emedia import tokens
from conferences.vendors.fields import Fields
from tests.factories import Room

HERE = Origin("request", "192.0.2.7")


@pytest.fixture
def token(application: Application, robot: Actor) -> str:
    return services.issue_user_token(actor=robot, application=application, user="bob").text


@pytest.mark.parametrize("uid", ["bob", "acme#live_bob", "ACME#live_bob@easemob.com"])
def test_an_im_token_stands_for_its_user(uid: str, token: str, application: Application) -> None:
    caller = tokens.caller(token, uid, HERE)
    assert (caller.name, caller.actor.name, caller.actor.address) == ("bob", "bob", "192.0.2.7")
    assert caller.application == application


def test_it_stands_for_nobody_else(token: str, application: Application, robot: Actor) -> None:
    with pytest.raises(CredentialsInvalid):
        tokens.caller(token, "alice", HERE)
    with pytest.raises(UserNameInvalid):
        tokens.caller(token, "other#live_bob", HERE)
    with pytest.raises(CredentialsInvalid):
        tokens.caller(token[:-1], "bob", HERE)


def test_a_key_stands_for_whom_the_backend_names(application: Application) -> None:
    key = services.create_api_key(actor=system(), application=application, name="k", scopes=["conferences"]).secret
    caller = tokens.caller(key, "acme#live_dora", HERE)
    assert (caller.actor.kind, caller.name) == (ActorKind.APPLICATION, "dora")


def test_an_address_is_of_one_application(application: Application) -> None:
    tokens.require_address(application, "acme", "live")
    for org, app in (("acme", "other"), ("other", "live")):
        with pytest.raises(ApplicationNotFound):
            tokens.require_address(application, org, app)


def test_a_role_token_says_who_and_where(room: Room) -> None:
    issued = room.ticket("bob")
    actor, confr_id = tokens.moderator(issued.role_token, "", HERE)
    assert (actor.name, confr_id) == ("bob", room.id)
    assert tokens.moderator(issued.role_token, room.id, HERE) == (actor, confr_id)
    with pytest.raises(RoleTokenInvalid):
        tokens.moderator(issued.role_token, "ANOTHER", HERE)
    revoke_tickets(actor=room.backend, confr_id=room.id, name="bob")
    for text in (issued.role_token, issued.text, "", "rt_"):
        with pytest.raises(RoleTokenInvalid):
            tokens.moderator(text, "", HERE)


def test_a_ticket_is_read_from_what_was_made_of_it(room: Room) -> None:
    issued = room.ticket("bob")
    document = tokens.ticket_document(issued, "acme#live")
    assert json.loads(document).keys() == {"url", "tktId", "type", "confrId", "memName", "tkt"}
    assert tokens.read_ticket(Fields({"tkt": json.loads(document)})) == issued.text
    assert tokens.read_ticket(Fields({"tkt": document})) == issued.text
    with pytest.raises(TicketInvalid):
        tokens.read_ticket(Fields({}))


def test_a_media_address_is_read_from_what_was_made_of_it() -> None:
    url = tokens.media_url(42)
    assert url.startswith(f"{settings.PUBLIC_URL}/easemob/rtc/media/")
    secret = url.rpartition("/")[2]
    assert tokens.read_media_secret(secret) == 42
    number, _, mac = secret.partition(".")
    for forged in (f"43.{mac}", f"{number}.{mac[:-1]}", f"{number}.", number, "", ".", f"{number}.{mac}A", f"é.{mac}"):
        with pytest.raises(MemberNotFound):
            tokens.read_media_secret(forged)
