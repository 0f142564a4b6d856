"""Members over REST: lists, kicks, roles, mutes, exits."""

from __future__ import annotations

import pytest

from conferences.models import ExitReason, Role
from tests.api_client import answered, refused
from tests.factories import until


@pytest.fixture
def path(room):
    return f"/conferences/{room.id}"


def names(listed):
    return [item["memName"] for item in listed["items"]]


def test_members_are_listed_in_the_order_of_their_entry(backend, room, path):
    listed = answered(backend.get(f"{path}/members"))
    assert names(listed) == ["alice", "bob", "carol"]
    first = listed["items"][0]
    assert (first["memId"], first["role"], first["state"]) == (f"{room.id}M1", Role.ADMIN, "present")
    assert "address" not in first


def test_members_are_chosen_by_role_state_and_name(backend, room, path):
    answered(backend.post(f"{path}/exit", {"memName": "bob"}))
    assert names(answered(backend.get(f"{path}/members"))) == ["alice", "carol"]
    left = answered(backend.get(f"{path}/members?state=exited"))
    assert [(item["memName"], item["exitReason"]) for item in left["items"]] == [("bob", ExitReason.LEFT)]
    assert names(answered(backend.get(f"{path}/members?role=1"))) == ["carol"]
    assert names(answered(backend.get(f"{path}/members?memName=acme%23live_alice"))) == ["alice"]
    assert names(answered(backend.get(f"{path}/members?sort=-role"))) == ["alice", "carol"]


def test_members_see_who_is_inside_and_outsiders_do_not(as_member, as_user, room, path):
    assert names(answered(as_member(room, "carol").get(f"{path}/members"))) == ["alice", "bob", "carol"]
    charlie = as_user("charlie")
    refused(lambda: charlie.get(f"{path}/members"), 403, "not_allowed")


def test_a_kick_tells_of_each_name_and_silences(backend, room, path, media):
    published = room.publish("bob")
    kicked = answered(backend.post(f"{path}/kick", {"memNames": ["acme#live_bob", "zed", "bob"], "reason": "spam"}))
    assert kicked["members"] == [{"memName": "bob", "kicked": True}, {"memName": "zed", "kicked": False}]
    assert room.member("bob").exit_reason == ExitReason.KICKED
    until(lambda: published.event.client_id in media.dropped)
    refused(lambda: backend.post(f"{path}/tickets", {"memName": "bob"}), 403, "banned")


def test_a_kick_may_let_one_back(backend, room, path):
    answered(backend.post(f"{path}/kick", {"memNames": ["bob"], "allowRejoin": True}))
    answered(backend.post(f"{path}/tickets", {"memName": "bob"}), 201)


def test_a_kick_takes_one_to_five_hundred_names(backend, room, path):
    refused(lambda: backend.post(f"{path}/kick", {"memNames": []}), 400, "bad_parameters")
    many = [f"user-{number}" for number in range(501)]
    refused(lambda: backend.post(f"{path}/kick", {"memNames": many}), 400, "bad_parameters")
    assert len(answered(backend.post(f"{path}/kick", {"memNames": many[:500]}))["members"]) == 500


def test_one_wrong_name_refuses_all(backend, room, path):
    refused(lambda: backend.post(f"{path}/kick", {"memNames": ["bob", "other#x_y"]}), 400, "user_name_invalid")


def test_roles_are_given_and_told_per_name(backend, room, path):
    granted = answered(backend.post(f"{path}/roles", {"memNames": ["carol", "zed"], "role": 3}))
    assert granted["members"] == [{"memName": "carol", "role": Role.TALKER}, {"memName": "zed", "role": None}]


def test_a_talker_steps_down_but_raises_nobody(as_member, room, path):
    bob = as_member(room, "bob")
    refused(lambda: bob.post(f"{path}/roles", {"memNames": ["carol"], "role": 3}), 403, "not_allowed")
    stepped = answered(bob.post(f"{path}/roles", {"memNames": ["bob"], "role": 1}))
    assert stepped["members"] == [{"memName": "bob", "role": Role.AUDIENCE}]


def test_a_role_token_moderates_with_the_role_of_now(as_member, backend, room, path):
    bob = as_member(room, "bob")
    refused(lambda: bob.post(f"{path}/kick", {"memNames": ["carol"]}), 403, "not_allowed")
    answered(backend.post(f"{path}/roles", {"memNames": ["bob"], "role": 7}))
    assert answered(bob.post(f"{path}/kick", {"memNames": ["carol"]}))["members"][0]["kicked"]


def test_mutes_are_told_per_name_and_hold(backend, room, path):
    mute = {"memNames": ["bob", "zed"], "kinds": ["audio", "video"], "muted": True}
    muted = answered(backend.post(f"{path}/mute", mute))
    assert muted["members"] == [
        {"memName": "bob", "muted": ["audio", "video"]},
        {"memName": "zed", "muted": None},
    ]
    publication = {"memName": "bob", "rtcId": "camera", "kind": "audio"}
    refused(lambda: backend.post(f"{path}/streams/publish", publication), 403, "muted")


def test_all_are_muted_but_admins_and_the_excepted(backend, room, path):
    body = {"kinds": ["audio"], "muted": True, "exceptMemNames": ["carol"]}
    assert answered(backend.post(f"{path}/mute-all", body)) == {"count": 1}
    assert answered(backend.get(path))["mutedNewcomers"] == ["audio"]


@pytest.mark.parametrize("kinds", [[], ["smell"], "audio", ["audio"] * 4, [1]])
def test_kinds_are_known(backend, room, path, kinds):
    body = {"memNames": ["bob"], "kinds": kinds, "muted": True}
    refused(lambda: backend.post(f"{path}/mute", body), 400, "bad_parameters")


def test_one_leaves_for_oneself_only(as_member, room, path):
    bob = as_member(room, "bob")
    refused(lambda: bob.post(f"{path}/exit", {"memName": "carol"}), 403, "not_allowed")
    assert answered(bob.post(f"{path}/exit")) == {}
    refused(lambda: bob.post(f"{path}/exit"), 404, "member_not_found")


def test_the_last_to_leave_ends_the_conference(backend, room, path):
    for name in ("alice", "bob", "carol"):
        answered(backend.post(f"{path}/exit", {"memName": name}))
    assert answered(backend.get(path))["closeReason"] == "empty"
