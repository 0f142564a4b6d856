"""Tickets over REST."""

from __future__ import annotations

import pytest

from accounts.limits import GUESSES_PER_USER
from conferences.models import Role
from conferences.services import members
from tests.api_client import answered, problem, refused
from tests.factories import entrance, until, user_actor


@pytest.fixture
def tickets(room):
    return f"/conferences/{room.id}/tickets"


def test_a_ticket_of_the_backend_enters(backend, room, tickets, settings):
    issued = answered(backend.post(tickets, {"memName": "dave", "role": 7, "ttlMillis": 60_000, "maxUses": 2}), 201)
    assert {name: issued[name] for name in ("confrId", "memName", "role", "url")} == {
        "confrId": room.id,
        "memName": "dave",
        "role": Role.ADMIN,
        "url": f"{settings.PUBLIC_WS_URL}/live",
    }
    entry = members.enter(ticket_text=issued["ticket"], entrance=entrance())
    assert (entry.member.user.name, entry.member.role) == ("dave", Role.ADMIN)


def test_names_of_sdks_are_one_user(backend, tickets):
    for given in ("dave", "acme#live_dave", "ACME#live_dave@easemob.com"):
        assert answered(backend.post(tickets, {"memName": given}), 201)["memName"] == "dave"


def test_a_user_asks_for_itself_and_gets_the_ceiling(as_user, tickets):
    issued = answered(as_user("dave").post(tickets, {"role": 7}), 201)
    assert (issued["memName"], issued["role"]) == ("dave", Role.TALKER)


def test_an_application_says_for_whom(backend, tickets):
    document = refused(lambda: backend.post(tickets), 400, "bad_parameters")
    assert document["errors"] == [{"pointer": "#/memName", "detail": "Say for whom."}]


def test_a_password_is_asked_of_users_and_guesses_run_out(as_user, new_room):
    guarded = new_room(password="s3cret")
    path = f"/conferences/{guarded.id}/tickets"
    dave, erin = as_user("dave"), as_user("erin")
    refused(lambda: dave.post(path), 403, "password_wrong")
    for _ in range(GUESSES_PER_USER):
        refused(lambda: dave.post(path, {"password": "wrong"}), 403, "password_wrong")
    # On a slow machine one has come back meanwhile.
    until(lambda: dave.post(path, {"password": "wrong"}).status_code == 429)
    response = dave.post(path, {"password": "s3cret"})
    document = problem(response, 429, "password_guessed_too_often")
    assert int(response["Retry-After"]) == document["retryAfter"] > 0
    answered(erin.post(path, {"password": "s3cret"}), 201)


def test_right_passwords_are_no_guesses(as_user, new_room):
    path = f"/conferences/{new_room(password='s3cret').id}/tickets"
    dave = as_user("dave")
    for _ in range(GUESSES_PER_USER + 2):
        answered(dave.post(path, {"password": "s3cret"}), 201)


def test_tickets_are_listed_without_what_enters(backend, room, tickets):
    answered(backend.post(tickets, {"memName": "dave"}), 201)
    listed = answered(backend.get(tickets))
    assert listed["total"] == 5  # alice got one as the creator, one to enter; bob, carol and dave one each
    assert {"ticket", "roleToken"}.isdisjoint(listed["items"][0])
    assert [item["memName"] for item in answered(backend.get(f"{tickets}?memName=dave"))["items"]] == ["dave"]
    assert {item["memName"] for item in answered(backend.get(f"{tickets}?used=false"))["items"]} == {"alice", "dave"}
    assert answered(backend.get(f"{tickets}?revoked=true"))["total"] == 0


def test_one_ticket_is_revoked_by_its_id(backend, room, tickets):
    issued = answered(backend.post(tickets, {"memName": "dave"}), 201)
    path = f"{tickets}/{issued['ticketId']}"
    assert answered(backend.delete(f"{path}?reason=lost")) == {"count": 1}
    assert room.events("ticket.revoked")[-1].personal["reason"] == "lost"
    refused(lambda: backend.delete(path), 404, "ticket_not_found")


def test_a_ticket_of_another_conference_is_not_found(backend, room, tickets, new_room):
    other = new_room()
    issued = other.ticket("dave")
    refused(lambda: backend.delete(f"{tickets}/{issued.ticket}"), 404, "ticket_not_found")
    number = str(issued.ticket).rpartition("TK")[2]
    refused(lambda: backend.delete(f"{tickets}/{room.id}TK{number}"), 404, "ticket_not_found")


def test_all_tickets_of_a_user_or_of_the_conference_are_revoked(backend, tickets):
    for name in ("dave", "dave", "erin"):
        answered(backend.post(tickets, {"memName": name}), 201)
    assert answered(backend.post(f"{tickets}/revoke", {"memName": "dave"})) == {"count": 2}
    assert answered(backend.post(f"{tickets}/revoke"))["count"] >= 1
    assert answered(backend.post(f"{tickets}/revoke")) == {"count": 0}


def test_a_user_cannot_have_a_ticket_for_somebody_else(as_user, application, room, tickets):
    user_actor(application, "erin")
    dave = as_user("dave")
    refused(lambda: dave.post(tickets, {"memName": "erin"}), 403, "not_allowed")
