"""Asking for a role, and the answer."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.errors import NotAllowed
from conferences.errors import ConferenceClosed, MemberNotFound
from conferences.events import Viewer, neutral, view
from conferences.models import Event, Role
from conferences.services.conferences import destroy_conference
from conferences.services.roles import answer_request, grant_role, request_role
from tests.factories import Room


def ask(room: Room, name: str = "carol", role: Role = Role.TALKER, **options: Any) -> None:
    request_role(actor=room.actor(name), confr_id=room.id, role=role, **options)


def answer(room: Room, by: str = "alice", *, granted: bool = False) -> None:
    answer_request(actor=room.actor(by), confr_id=room.id, member=3, role=Role.TALKER, granted=granted, ref="r1")


def who_sees(event: Event) -> set[int]:
    roles = {1: Role.ADMIN, 2: Role.TALKER, 3: Role.AUDIENCE}
    return {number for number, role in roles.items() if view(neutral(event), Viewer(number, role)) is not None}


def test_every_admin_is_asked(room: Room) -> None:
    grant_role(actor=room.actor("alice"), confr_id=room.id, names=["bob"], role=Role.ADMIN)
    ask(room, ref="r1")
    [event] = room.events("role.requested")
    assert event.data == {"member": 3, "role": 3, "ref": "r1", "to": [1, 2]}
    assert event.personal["name"] == "carol"
    assert who_sees(event) == {1, 2}


def test_one_admin_is_asked_when_it_is_named(room: Room) -> None:
    grant_role(actor=room.actor("alice"), confr_id=room.id, names=["bob"], role=Role.ADMIN)
    ask(room, admin=2)
    [event] = room.events("role.requested")
    assert who_sees(event) == {2}


@pytest.mark.parametrize("admin", [2, 3, 9])
def test_who_is_no_admin_cannot_be_asked(admin: int, room: Room, refused: Any) -> None:
    with refused(MemberNotFound):
        ask(room, admin=admin)


def test_who_is_outside_cannot_ask(room: Room, refused: Any, charlie: Any) -> None:
    with refused(NotAllowed):
        request_role(actor=charlie, confr_id=room.id, role=Role.TALKER)


def test_a_backend_has_no_seat_to_ask_for(room: Room, refused: Any) -> None:
    with refused(MemberNotFound):
        request_role(actor=room.backend, confr_id=room.id, role=Role.TALKER)


def test_a_request_changes_no_role_and_neither_does_an_answer(room: Room) -> None:
    ask(room)
    answer(room, granted=True)
    assert room.member("carol").role == Role.AUDIENCE
    assert room.types()[-2:] == ["role.requested", "role.answered"]


def test_the_answer_is_told_to_who_asked(room: Room) -> None:
    answer(room)
    [event] = room.events("role.answered")
    assert event.data == {"member": 3, "role": 3, "granted": False, "ref": "r1", "by": 1, "to": [3]}
    assert who_sees(event) == {3}


def test_a_backend_answers_too(room: Room) -> None:
    answer_request(actor=room.backend, confr_id=room.id, member=3, role=Role.TALKER, granted=True)
    assert room.events("role.answered")[0].data["by"] == 0


@pytest.mark.parametrize("by", ["bob", "carol"])
def test_only_an_admin_answers(by: str, room: Room, refused: Any) -> None:
    with refused(NotAllowed):
        answer(room, by)


def test_nobody_is_answered_who_is_not_there(room: Room, refused: Any) -> None:
    with refused(MemberNotFound):
        answer_request(actor=room.actor("alice"), confr_id=room.id, member=9, role=Role.TALKER, granted=False)


def test_in_a_conference_that_is_over_nobody_asks(room: Room, refused: Any) -> None:
    destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(NotAllowed):
        ask(room)
    with refused(ConferenceClosed):
        answer_request(actor=room.backend, confr_id=room.id, member=3, role=Role.TALKER, granted=False)
