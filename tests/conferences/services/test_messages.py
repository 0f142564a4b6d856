"""Attributes, broadcasts and commands."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import AttributesTooLarge, ConferenceClosed, ConferenceNotFound, MessageTooLarge
from conferences.events import Viewer, neutral, view
from conferences.models import Role
from conferences.services.conferences import destroy_conference
from conferences.services.messages import broadcast, send_command, set_attributes
from tests import factories


def attributes(room, name, values, delete=()):
    return set_attributes(actor=room.actor(name), confr_id=room.id, values=values, delete=delete)


def test_every_member_writes_and_the_last_writer_wins(room):
    attributes(room, "bob", {"topic": "one", "hand": "bob"})
    assert attributes(room, "carol", {"topic": "two"}) == {"topic": "two", "hand": "bob"}
    assert room.row.attributes == {"topic": "two", "hand": "bob"}
    assert [event.data for event in room.events("attributes.updated")] == [
        {"set": {"topic": "one", "hand": "bob"}, "deleted": [], "member": 2},
        {"set": {"topic": "two"}, "deleted": [], "member": 3},
    ]


def test_deleting_says_what_was_there(room):
    attributes(room, "bob", {"a": "1", "b": "2"})
    assert attributes(room, "bob", {}, ["a", "never"]) == {"b": "2"}
    assert room.events("attributes.updated")[-1].data["deleted"] == ["a"]


def test_what_is_deleted_and_written_in_one_call_is_written(room):
    attributes(room, "bob", {"a": "1"})
    assert attributes(room, "bob", {"a": "2"}, ["a"]) == {"a": "2"}
    told = room.events("attributes.updated")[-1].data
    assert (told["set"], told["deleted"]) == ({"a": "2"}, [])


def test_a_change_of_nothing_is_no_fact(room):
    attributes(room, "bob", {"a": "1"})
    before = room.row.last_seq
    attributes(room, "bob", {"a": "1"}, ["never"])
    assert room.row.last_seq == before


@pytest.mark.parametrize(
    "values",
    [{f"k{number}": "" for number in range(101)}, {"a": "x" * (16 << 10)}, {"a": "é" * 9000}],
)
def test_too_many_or_too_large_attributes_are_refused(room, refused, values):
    with refused(AttributesTooLarge):
        attributes(room, "bob", values)


def test_a_hundred_keys_fit(room):
    assert len(attributes(room, "bob", {f"k{number}": "" for number in range(100)})) == 100


def test_everybody_hears_a_broadcast(room):
    seq = broadcast(actor=room.actor("carol"), confr_id=room.id, content="hello 你好")
    (event,) = room.events("message.broadcast")
    assert event.seq == seq
    seen = factories.some(view(neutral(event), Viewer(1, Role.ADMIN)))
    assert seen.data == {"member": 3, "name": "carol", "content": "hello 你好"}


def test_the_application_speaks_as_number_zero(room):
    broadcast(actor=room.backend, confr_id=room.id, content="soon over")
    assert room.events("message.broadcast")[0].data == {"member": 0}


def test_a_command_reaches_whom_it_is_for_and_nobody_else(room, charlie):
    found = send_command(actor=room.actor("alice"), confr_id=room.id, names=["bob", "charlie"], content="raise")
    assert found == {"bob": True, "charlie": False}
    (event,) = room.events("message.sent")
    seen = {number: view(neutral(event), Viewer(number, Role.ADMIN)) for number in (1, 2, 3)}
    assert (seen[1], seen[3]) == (None, None)
    assert factories.some(seen[2]).data == {"member": 1, "name": "alice", "content": "raise"}


def test_a_message_has_a_size(room, refused):
    for content in ("x" * 8193, "é" * 4097):
        with refused(MessageTooLarge):
            broadcast(actor=room.actor("bob"), confr_id=room.id, content=content)
        with refused(MessageTooLarge):
            send_command(actor=room.actor("bob"), confr_id=room.id, names=["alice"], content=content)
    broadcast(actor=room.actor("bob"), confr_id=room.id, content="x" * 8192)


def test_outsiders_other_tenants_and_the_dead_are_silent(room, charlie, mallory, foreign_robot, application, refused):
    calls = (
        lambda actor: broadcast(actor=actor, confr_id=room.id, content="x"),
        lambda actor: send_command(actor=actor, confr_id=room.id, names=["bob"], content="x"),
        lambda actor: set_attributes(actor=actor, confr_id=room.id, values={"a": "b"}),
    )
    for call in calls:
        with refused(NotAllowed):
            call(charlie)
        for actor in (mallory, foreign_robot):
            with refused(ConferenceNotFound):
                call(actor)
        with refused(ScopeMissing, scope="messages"):
            call(factories.backend(application, frozenset({"read", "conferences", "moderate"})))
    destroy_conference(actor=room.backend, confr_id=room.id)
    for call in calls:
        with refused(ConferenceClosed):
            call(room.backend)


def test_what_was_said_is_personal_and_no_part_of_the_chain(room):
    broadcast(actor=room.actor("bob"), confr_id=room.id, content="my phone number")
    event = room.events("message.broadcast")[0]
    assert "my phone number" not in str((event.data, event.before, event.after, event.digests))
