"""Bans over REST, and what a ban of the whole application does."""

from __future__ import annotations

from functools import partial

import pytest

from accounts.models import ApplicationEvent
from conferences.models import Ban, ExitReason
from conferences.services import bans
from tests.api_client import answered, refused
from tests.factories import room as make_room
from tests.factories import until


@pytest.fixture
def path(room):
    return f"/conferences/{room.id}"


def test_a_ban_removes_and_keeps_out_until_it_is_lifted(backend, room, path):
    (ban,) = answered(backend.post(f"{path}/bans", {"memNames": ["bob"], "reason": "spam", "note": "again"}), 201)[
        "bans"
    ]
    assert {name: ban[name] for name in ("memName", "cause", "reason", "note", "liftedAt")} == {
        "memName": "bob",
        "cause": "ban",
        "reason": "spam",
        "note": "again",
        "liftedAt": None,
    }
    assert room.member("bob").exit_reason == ExitReason.KICKED
    refused(lambda: backend.post(f"{path}/tickets", {"memName": "bob"}), 403, "banned")
    assert answered(backend.post(f"{path}/unban", {"memNames": ["bob"]})) == {"count": 1}
    answered(backend.post(f"{path}/tickets", {"memName": "bob"}), 201)


def test_a_range_of_addresses_is_banned(backend, room, path):
    (ban,) = answered(backend.post(f"{path}/bans", {"network": "203.0.113.7/24"}), 201)["bans"]
    assert (ban["firstAddress"], ban["lastAddress"], ban["memName"]) == ("203.0.113.0", "203.0.113.255", None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"memNames": ["bob"], "network": "203.0.113.0/24"},
        {"network": "nowhere"},
        {"network": "203.0.113.0/33"},
        {"memNames": ["bob"], "expiresInMillis": 0},
    ],
)
def test_a_ban_is_of_users_or_of_a_range(backend, room, path, body):
    refused(lambda: backend.post(f"{path}/bans", body), 400, "bad_parameters")
    refused(lambda: backend.post("/bans", body), 400, "bad_parameters")


def test_bans_and_holds_are_listed_and_lifted_one_by_one(backend, room, path):
    answered(backend.post(f"{path}/kick", {"memNames": ["bob"]}))
    (ban,) = answered(backend.post(f"{path}/bans", {"memNames": ["zed"]}), 201)["bans"]
    listed = answered(backend.get(f"{path}/bans"))
    assert [(item["memName"], item["cause"]) for item in listed["items"]] == [("zed", "ban"), ("bob", "kick")]
    assert answered(backend.get(f"{path}/bans?cause=kick"))["total"] == 1
    assert answered(backend.delete(f"{path}/bans/{ban['banId']}")) == {"count": 1}
    refused(lambda: backend.delete(f"{path}/bans/{ban['banId']}"), 404, "ban_not_found")
    assert answered(backend.get(f"{path}/bans?standing=true"))["total"] == 1
    assert answered(backend.get(f"{path}/bans?standing=false&memName=zed"))["total"] == 1


# Of the whole application


def test_a_banned_user_is_removed_from_every_live_conference(backend, room, new_room, media):
    other = new_room()
    other.enter("alice")
    other.enter("bob")
    room.publish("bob")
    (ban,) = answered(backend.post("/bans", {"memNames": ["bob"], "reason": "spam"}), 201)["bans"]
    assert ban["memName"] == "bob"
    for place in (room, other):
        assert place.member("bob").exit_reason == ExitReason.KICKED
        refused(partial(backend.post, f"/conferences/{place.id}/tickets", {"memName": "bob"}), 403, "banned")
    until(lambda: media.dropped)


def test_a_ban_of_the_application_is_a_fact_of_its_log(backend, application):
    answered(backend.post("/bans", {"memNames": ["bob"], "reason": "spam"}), 201)
    answered(backend.post("/unban", {"memNames": ["bob"]}))
    events = ApplicationEvent.objects.filter(application=application, type__startswith="ban.").order_by("seq")
    assert [event.type for event in events] == ["ban.added", "ban.lifted"]
    assert events[0].personal == {
        "names": ["bob"],
        "reason": "spam",
        "actor": events[0].personal["actor"],
        "address": "127.0.0.1",
    }


def test_lifting_opens_the_doors(backend, room):
    (ban,) = answered(backend.post("/bans", {"memNames": ["zed"]}), 201)["bans"]
    assert answered(backend.get("/bans?standing=true"))["total"] == 1
    assert answered(backend.delete(f"/bans/{ban['banId']}")) == {"count": 1}
    refused(lambda: backend.delete(f"/bans/{ban['banId']}"), 404, "ban_not_found")
    answered(backend.post(f"/conferences/{room.id}/tickets", {"memName": "zed"}), 201)


def test_a_banned_range_removes_whoever_is_inside_from_there(backend, new_room):
    place = new_room()
    place.enter("alice", address="192.0.2.1")
    place.enter("bob", address="203.0.113.9")
    answered(backend.post("/bans", {"network": "203.0.113.0/24"}), 201)
    assert place.member("bob").exit_reason == ExitReason.KICKED
    assert place.member("alice").exit_reason is None


def test_a_ban_reaches_no_other_tenant(backend, foreign_robot, new_room):
    place = make_room(foreign_robot)
    place.enter("bob", address="203.0.113.9")
    answered(backend.post("/bans", {"memNames": ["bob"]}), 201)
    answered(backend.post("/bans", {"network": "203.0.113.0/24"}), 201)
    assert bans.remove_banned() == 0
    assert place.member("bob").exit_reason is None


def test_the_sweep_removes_who_a_dead_process_left_inside(application, room):
    Ban.objects.create(application=application, user=room.member("bob").user)  # it died right after its commit
    assert bans.remove_banned() == 1
    assert room.member("bob").exit_reason == ExitReason.KICKED
    assert room.events("member.exited")[-1].actor_kind == "system"
    assert bans.remove_banned() == 0


def test_an_expired_ban_keeps_nobody_out(backend, room, clock):
    answered(backend.post("/bans", {"memNames": ["zed"], "expiresInMillis": 60_000}), 201)
    refused(lambda: backend.post(f"/conferences/{room.id}/tickets", {"memName": "zed"}), 403, "banned")
    clock.shift(61)
    answered(backend.post(f"/conferences/{room.id}/tickets", {"memName": "zed"}), 201)


def test_users_ban_nobody_from_the_application(as_member, room):
    alice = as_member(room, "alice")
    refused(lambda: alice.post("/bans", {"memNames": ["bob"]}), 403, "role_token_invalid")
