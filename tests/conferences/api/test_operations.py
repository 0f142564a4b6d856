"""What every operation has: Idempotency-Key, limits, strict queries, few statements."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from conferences.models import Conference
from tests.api_client import answered, problem, refused
from tests.database import statements, together
from tests.factories import change_application


def test_the_same_key_with_the_same_call_is_done_once(backend):
    first, second = (backend.post("/conferences", {"name": "a"}, Idempotency_Key="k-1") for _ in range(2))
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert Conference.objects.count() == 1


def test_a_key_is_for_one_call(backend, room):
    answered(backend.post("/conferences", {"name": "a"}, Idempotency_Key="k-1"), 201)
    refused(lambda: backend.post("/conferences", {"name": "b"}, Idempotency_Key="k-1"), 422, "idempotency_key_reused")
    answered(backend.post("/rooms/join", {"roomName": "a", "memName": "bob"}, Idempotency_Key="k-1"))
    kick = {"memNames": ["zed"]}
    answered(backend.post(f"/conferences/{room.id}/kick", kick, Idempotency_Key="k-2"))
    other = Conference.objects.get(name="a").confr_id
    again = backend.post(f"/conferences/{other}/kick", kick, Idempotency_Key="k-2")
    problem(again, 422, "idempotency_key_reused")


def test_keys_of_tenants_and_users_do_not_meet(backend, foreign_backend, as_user):
    for caller in (backend, foreign_backend, as_user("dave"), as_user("erin")):
        answered(caller.post("/conferences", Idempotency_Key="same"), 201)
    assert Conference.objects.count() == 4


def test_a_refusal_is_not_kept(backend):
    refused(lambda: backend.post("/conferences", {"name": 7}, Idempotency_Key="k-1"), 400, "bad_parameters")
    answered(backend.post("/conferences", {"name": "a"}), 201)
    refused(lambda: backend.post("/conferences", {"name": "a"}, Idempotency_Key="k-2"), 409, "conference_name_taken")
    answered(backend.delete(f"/conferences/{Conference.objects.get().confr_id}"))
    answered(backend.post("/conferences", {"name": "a"}, Idempotency_Key="k-2"), 201)


def test_twins_at_once_are_one(backend):
    calls = [lambda: backend.post("/conferences", {"creator": "alice"}, Idempotency_Key="twin")] * 6
    answers: list[Any] = together(*calls)
    assert len({response.content for response in answers}) == 1
    assert Conference.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb"])
def test_a_key_is_short_and_printable(backend, key):
    problem(backend.post("/conferences", Idempotency_Key=key), 400, "bad_parameters")
    assert Conference.objects.count() == 0


def test_limits_are_told_and_hold(backend, application):
    change_application(application, requests_per_minute=3)
    left = []
    for _ in range(3):
        response = backend.get("/conferences")
        left.append(int(response["RateLimit-Remaining"]))
        assert response["RateLimit-Limit"] == "3"
    assert left == [2, 1, 0]
    calls = (backend.get("/conferences") for _ in range(9))  # on a slow machine one comes back meanwhile
    response = next(response for response in calls if response.status_code != 200)
    document = problem(response, 429, "rate_limited")
    assert int(response["Retry-After"]) == document["retryAfter"] > 0
    assert response["RateLimit-Remaining"] == "0"


def test_a_head_is_a_get_without_a_body(backend, room):
    head = backend("HEAD", f"/conferences/{room.id}", Idempotency_Key="k-1")
    assert (head.status_code, head.content) == (200, b"")


def test_unknown_parameters_are_refused(backend, room):
    for path in (f"/conferences/{room.id}?verbose=1", "/conferences?cursr=x", f"/conferences/{room.id}/members?x="):
        refused(partial(backend.get, path), 400, "bad_parameters")
    kick = f"/conferences/{room.id}/kick?dry=1"
    refused(lambda: backend.post(kick, {"memNames": ["bob"]}), 400, "bad_parameters")


def test_a_request_id_cannot_break_out_of_its_header(backend):
    response = backend.get("/conferences", X_Request_ID="good.id-1")
    assert response["X-Request-ID"] == "good.id-1"
    for bad in ("a b", "x" * 65, "a\nX-Evil: 1", "ä", ""):
        assert re.fullmatch(r"[0-9a-f]{16}", backend.get("/conferences", X_Request_ID=bad)["X-Request-ID"])


# Statements


def statements_in_a_room_of(backend, new_room, members):
    room = new_room()
    names = [f"user-{number}" for number in range(members)]
    for name in names:
        room.enter(name)
    path = f"/conferences/{room.id}"
    backend.get(path)  # what is remembered for a second is remembered now
    taken = {}
    for verb, call in {
        "create": lambda: backend.post("/conferences", {"creator": "alice"}),
        "ticket": lambda: backend.post(f"{path}/tickets", {"memName": "user-0"}),
        "grant": lambda: backend.post(f"{path}/roles", {"memNames": names, "role": 1}),
        "list": lambda: backend.get(f"{path}/members"),
        "kick": lambda: backend.post(f"{path}/kick", {"memNames": names, "allowRejoin": True}),
    }.items():
        with statements() as log:
            assert call().status_code < 300
        taken[verb] = len(log)
    return taken


def test_hot_verbs_take_as_many_statements_whatever_the_room(backend, new_room):
    backend.post("/conferences", {"creator": "alice"})
    few, many = (statements_in_a_room_of(backend, new_room, members) for members in (1, 9))
    assert few == many
    assert max(many.values()) <= 20


def test_neither_session_nor_messages_cost_a_statement(backend, room):
    backend.get(f"/conferences/{room.id}")
    with statements() as log:
        answered(backend.get(f"/conferences/{room.id}"))
    assert not [row for row in log if "session" in row["sql"] or "accounts_staff" in row["sql"]]
