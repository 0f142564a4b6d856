"""Attributes, broadcasts and commands over REST."""

from __future__ import annotations

import pytest

from tests.api_client import answered, refused


@pytest.fixture
def path(room):
    return f"/conferences/{room.id}"


def test_attributes_are_written_over_and_deleted(as_member, backend, room, path):
    bob = as_member(room, "bob")
    assert answered(bob.put(f"{path}/attributes", {"attributes": {"a": "1", "b": "2"}})) == {
        "attributes": {"a": "1", "b": "2"}
    }
    answered(backend.put(f"{path}/attributes", {"attributes": {"a": "3"}}))
    assert answered(backend.delete(f"{path}/attributes?key=b&key=zed")) == {"attributes": {"a": "3"}}
    assert answered(backend.delete(f"{path}/attributes?key=a")) == {"attributes": {}}


@pytest.mark.parametrize(
    "attributes", [{}, {"a": 1}, {"a": None}, {"a": "\u0000"}, ["a"], {"a": {"b": "c"}}, {"a\u0000": "b"}]
)
def test_attributes_are_texts(backend, room, path, attributes):
    refused(lambda: backend.put(f"{path}/attributes", {"attributes": attributes}), 400, "bad_parameters")


def test_attributes_have_an_end(backend, room, path):
    many = {f"key-{number}": "x" for number in range(101)}
    refused(lambda: backend.put(f"{path}/attributes", {"attributes": many}), 400, "attributes_too_large")
    large = {f"key-{number}": "x" * 4000 for number in range(5)}
    refused(lambda: backend.put(f"{path}/attributes", {"attributes": large}), 400, "attributes_too_large")


def test_a_broadcast_is_an_event(as_member, room, path):
    sent = answered(as_member(room, "bob").post(f"{path}/broadcast", {"content": "hello\nall"}), 201)
    event = room.events()[-1]
    assert (event.seq, event.type, event.personal["content"]) == (sent["seq"], "message.broadcast", "hello\nall")


def test_a_command_reaches_who_is_inside(backend, room, path):
    body = {"memNames": ["bob", "zed"], "content": "unmute"}
    assert answered(backend.post(f"{path}/commands", body), 201)["members"] == [
        {"memName": "bob", "told": True},
        {"memName": "zed", "told": False},
    ]
    assert room.events()[-1].data["to"] == [2]


def test_a_message_has_an_end_in_bytes(backend, room, path):
    answered(backend.post(f"{path}/broadcast", {"content": "x" * 8192}), 201)
    refused(lambda: backend.post(f"{path}/broadcast", {"content": "ö" * 8000}), 400, "message_too_large")
    refused(lambda: backend.post(f"{path}/broadcast", {"content": "x" * 8193}), 400, "bad_parameters")


def test_outsiders_say_nothing(as_user, room, path):
    charlie = as_user("charlie")
    refused(lambda: charlie.post(f"{path}/broadcast", {"content": "hello"}), 403, "not_allowed")
    refused(lambda: charlie.put(f"{path}/attributes", {"attributes": {"a": "b"}}), 403, "not_allowed")
