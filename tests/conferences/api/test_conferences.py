"""Conferences over REST."""

from __future__ import annotations

import pytest

from conferences.models import Conference, Role
from tests.api_client import answered, problem, refused
from tests.factories import change_application


def test_a_backend_creates_with_everything_it_may_wish(backend, settings):
    made = answered(
        backend.post(
            "/conferences",
            {
                "name": "standup",
                "confrType": 12,
                "creator": "acme#live_alice@easemob.com",
                "password": "s3cret",
                "maxTalkerCount": 3,
                "maxVideoCount": 2,
                "maxAudienceCount": 50,
                "maxPubDesktopCount": 1,
                "memDefaultRole": 3,
                "allowAudienceTalk": True,
                "confrDelayMillis": 60_000,
                "maxDurationMillis": 3_600_000,
                "adminlessMillis": 30_000,
                "rec": True,
                "recMerge": True,
                "ext": '{"a":\n1}',
            },
        ),
        201,
    )
    assert made["id"] == made["confrId"]
    assert made["password"] == "s3cret"
    assert made["role"] == Role.ADMIN
    assert made["url"] == f"{settings.PUBLIC_WS_URL}/live"
    assert made["ticket"].startswith("tk_")
    assert made["roleToken"].startswith("rt_")
    read = answered(backend.get(f"/conferences/{made['confrId']}"))
    assert {name: read[name] for name in ("type", "creator", "maxTalkerCount", "maxAudienceCount")} == {
        "type": 12,
        "creator": "alice",
        "maxTalkerCount": 3,
        "maxAudienceCount": 50,
    }
    assert (read["confrDelayMillis"], read["maxDurationMillis"], read["adminlessMillis"]) == (60_000, 3_600_000, 30_000)
    assert read["ext"] == '{"a":\n1}'


def test_a_password_is_generated_and_told_once(backend):
    made = answered(backend.post("/conferences"), 201)
    assert len(made["password"]) >= 8
    assert "password" not in answered(backend.get(f"/conferences/{made['confrId']}"))


def test_without_a_creator_there_is_no_ticket(backend):
    made = answered(backend.post("/conferences", {"password": ""}), 201)
    assert (made["ticket"], made["roleToken"], made["role"], made["password"]) == (None, None, None, "")


def test_a_user_creates_as_itself(as_user, backend):
    made = answered(as_user("dave").post("/conferences"), 201)
    assert answered(backend.get(f"/conferences/{made['confrId']}"))["creator"] == "dave"


def test_a_name_is_taken_while_it_lives(backend):
    first = answered(backend.post("/conferences", {"name": "standup"}), 201)
    refused(lambda: backend.post("/conferences", {"name": "standup"}), 409, "conference_name_taken")
    answered(backend.delete(f"/conferences/{first['confrId']}"))
    answered(backend.post("/conferences", {"name": "standup"}), 201)


def test_a_tenant_has_as_many_live_conferences_as_it_may(backend, application):
    change_application(application, max_conferences=1)
    answered(backend.post("/conferences"), 201)
    document = refused(lambda: backend.post("/conferences"), 429, "conference_limit_reached")
    assert (document["limit"], document["maximum"]) == ("conferences", 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confrType", 13),
        ("confrType", "10"),
        ("confrType", True),
        ("confrType", 10.0),
        ("maxTalkerCount", 0),
        ("maxTalkerCount", "9"),
        ("maxTalkerCount", 9.0),
        ("maxTalkerCount", 100_001),
        ("maxTalkerCount", 18_446_744_073_709_551_616),
        ("memDefaultRole", 9),
        ("rec", "true"),
        ("rec", 1),
        ("rec", None),
        ("name", 7),
        ("name", "a\u0000b"),
        ("name", "a\nb"),
        ("name", "n" * 129),
        ("password", "p" * 65),
        ("ext", "e" * 4097),
        ("ext", {"a": 1}),
        ("confrDelayMillis", 999),
        ("confrDelayMillis", -1),
        ("creator", ""),
        ("nmae", "standup"),
        ("name", ["standup"]),
    ],
)
def test_a_wrong_field_is_named(backend, field, value):
    document = refused(lambda: backend.post("/conferences", {field: value}), 400, "bad_parameters")
    assert [error["pointer"].split("/")[1] for error in document["errors"]] == [field]


@pytest.mark.parametrize("name", ["other#live_bob", " bob", "b\u202e" * 40, "#"])
def test_a_creator_has_a_name_of_this_application(backend, name):
    refused(lambda: backend.post("/conferences", {"creator": name}), 400, "user_name_invalid")


def test_the_first_entrant_creates_the_room_and_the_others_join_it(backend):
    first = answered(backend.post("/rooms/join", {"roomName": "r", "memName": "alice", "config": {"confrType": 12}}))
    second = answered(backend.post("/rooms/join", {"roomName": "r", "memName": "bob", "config": {"confrType": 10}}))
    assert (first["isCreator"], second["isCreator"]) == (True, False)
    assert first["confrId"] == second["confrId"]
    assert (first["type"], second["type"]) == (12, 12)
    assert (first["role"], second["role"]) == (Role.ADMIN, Role.AUDIENCE)


def test_a_room_keeps_its_password(as_user):
    answered(as_user("alice").post("/rooms/join", {"roomName": "r", "password": "s3cret"}))
    bob, joins = as_user("bob"), {"roomName": "r", "password": "s3cret"}
    refused(lambda: bob.post("/rooms/join", joins | {"password": "wrong"}), 403, "password_wrong")
    assert answered(bob.post("/rooms/join", joins))["isCreator"] is False


def test_an_application_says_for_whom_it_joins(backend):
    document = refused(lambda: backend.post("/rooms/join", {"roomName": "r"}), 400, "bad_parameters")
    assert document["errors"][0]["pointer"] == "#/memName"


def test_settings_change_and_limits_stay_exact(backend, room):
    changed = answered(
        backend.patch(f"/conferences/{room.id}", {"locked": True, "maxTalkerCount": 5, "reason": "full"})
    )
    assert (changed["locked"], changed["maxTalkerCount"], changed["memberCount"]) == (True, 5, 3)
    (event,) = room.events("conference.updated")
    assert event.personal["reason"] == "full"


def test_a_delay_is_not_changed_afterwards(backend, room):
    refused(lambda: backend.patch(f"/conferences/{room.id}", {"confrDelayMillis": 1000}), 400, "bad_parameters")


def test_a_destroyed_conference_is_over_for_good(backend, room):
    over = answered(backend.delete(f"/conferences/{room.id}?reason=late"))
    assert (over["state"], over["closeReason"], over["memberCount"]) == ("closed", "destroyed", 0)
    assert room.events("conference.closed")[0].personal["reason"] == "late"
    document = refused(lambda: backend.delete(f"/conferences/{room.id}"), 410, "conference_closed")
    assert document["reason"] == "destroyed"
    assert answered(backend.get(f"/conferences/{room.id}"))["state"] == "closed"


def test_conferences_are_chosen_by_what_they_are(backend, new_room):
    rooms = [
        new_room(10, name="a"),
        new_room(12, name="b", creator="bob"),
        new_room(12, name="c"),
    ]
    answered(backend.delete(f"/conferences/{rooms[2].id}"))

    def names(query):
        listed = answered(backend.get(f"/conferences?sort=name&{query}"))
        assert listed["total"] == len(listed["items"])
        return "".join(item["name"] for item in listed["items"])

    created = rooms[1].row.created_at.isoformat().replace("+00:00", "Z")
    assert names("") == "abc"
    assert names("state=live") == "ab"
    assert names("type=12") == "bc"
    assert names("type=12&state=closed") == "c"
    assert names("name=b") == "b"
    assert names("creator=acme%23live_bob") == "b"
    assert names(f"createdAfter={created}") == "bc"
    assert names(f"createdBefore={created}") == "a"


@pytest.mark.parametrize(
    "query",
    ["state=open", "type=x", "limit=0", "limit=201", "limit=x", "sort=password", "created=1", "createdAfter=soon"],
)
def test_a_wrong_query_is_refused(backend, query):
    problem(backend.get(f"/conferences?{query}"), 400, "bad_parameters")


def test_only_an_application_or_the_staff_lists_conferences(as_user):
    alice = as_user("alice")
    refused(lambda: alice.get("/conferences"), 403, "not_allowed")


def test_a_conference_counts_exactly(backend, live_room):
    read = answered(backend.get(f"/conferences/{live_room.id}"))
    counts = {name: read[name] for name in ("memberCount", "talkerCount", "audienceCount")}
    assert counts == {"memberCount": 3, "talkerCount": 2, "audienceCount": 1}
    assert read["seq"] == Conference.objects.get().last_seq
