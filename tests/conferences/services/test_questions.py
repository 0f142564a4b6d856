"""What may be read by whom."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import ConferenceNotFound
from conferences.services import questions
from conferences.services.moderation import kick_members
from conferences.services.snapshots import PageQuestion, list_members
from tests import factories

OF_MEMBERS = (questions.get_conference, questions.list_members, questions.list_streams)
OF_ADMINS = (questions.list_tickets, questions.list_bans)
OF_BACKENDS = (questions.list_events,)
EVERY = OF_MEMBERS + OF_ADMINS + OF_BACKENDS


@pytest.mark.parametrize("ask", EVERY)
def test_the_backend_and_the_staff_read_everything(application, room, ask):
    ask(room.backend, room.id)
    ask(factories.staff(application), room.id)


@pytest.mark.parametrize("ask", EVERY)
def test_another_tenant_reads_nothing(room, foreign_robot, mallory, ask):
    for actor in (foreign_robot, mallory):
        with pytest.raises(ConferenceNotFound):
            ask(actor, room.id)


@pytest.mark.parametrize("ask", EVERY)
def test_a_key_without_the_scope_reads_nothing(application, room, ask):
    with pytest.raises(ScopeMissing):
        ask(factories.backend(application, frozenset({"conferences", "moderate"})), room.id)


@pytest.mark.parametrize("ask", EVERY)
def test_members_read_what_their_role_lets_them(room, ask):
    able = {"alice", "bob", "carol"} if ask in OF_MEMBERS else {"alice"} if ask in OF_ADMINS else set()
    for name in ("alice", "bob", "carol", "charlie"):
        if name in able:
            ask(room.actor(name), room.id)
        else:
            with pytest.raises(NotAllowed):
                ask(room.actor(name), room.id)


@pytest.mark.parametrize("ask", EVERY)
def test_a_kicked_creator_reads_nothing_more(room, ask):
    alice = room.actor("alice")
    kick_members(actor=room.backend, confr_id=room.id, names=["alice"])
    with pytest.raises(NotAllowed):
        ask(alice, room.id)
    (refusal,) = list_members(room.conference.pk, [PageQuestion(alice)])
    assert isinstance(refusal, NotAllowed)


def test_lists_of_the_application_are_not_for_its_users(room):
    for ask in (questions.list_conferences, questions.list_application_bans):
        with pytest.raises(NotAllowed):
            ask(room.actor("alice"))
        ask(room.backend)


def test_lists_hold_nothing_of_another_tenant(room, foreign_robot):
    assert not questions.list_conferences(foreign_robot).exists()
    assert questions.list_conferences(room.backend).count() == 1
