"""The log over REST."""

from __future__ import annotations

from tests.api_client import answered, refused


def test_the_log_tells_who_did_what_from_where(backend, room):
    backend.post(f"/conferences/{room.id}/kick", {"memNames": ["bob"], "reason": "spam"}, X_Request_ID="call-7")
    listed = answered(backend.get(f"/conferences/{room.id}/events?type=ban.added"))
    (event,) = listed["items"]
    assert (event["actorKind"], event["requestId"]) == ("application", "call-7")
    assert (event["personal"]["reason"], event["personal"]["address"]) == ("spam", "127.0.0.1")


def test_the_log_is_read_from_a_number_on(backend, room):
    everything = answered(backend.get(f"/conferences/{room.id}/events"))["items"]
    assert [event["seq"] for event in everything] == list(range(1, len(everything) + 1))
    later = answered(backend.get(f"/conferences/{room.id}/events?since=3"))["items"]
    assert later == everything[3:]
    assert answered(backend.get(f"/conferences/{room.id}/events?sort=-seq&limit=1"))["items"] == everything[-1:]


def test_members_do_not_read_the_log(as_member, room):
    alice = as_member(room, "alice")
    refused(lambda: alice.get(f"/conferences/{room.id}/events"), 403, "not_allowed")
