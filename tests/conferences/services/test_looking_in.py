"""What somebody at the door sees, what members see of each other, and what is known of who comes back."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.actors import Actor
from accounts.errors import NotAllowed, ScopeMissing
from conferences.errors import (
    AudienceFull,
    ConferenceClosed,
    ConferenceNotFound,
    MemberNotFound,
    MembersFull,
    PasswordWrong,
    TalkersFull,
)
from conferences.models import ConferenceType, Role
from conferences.services import members, moderation, snapshots
from conferences.services.conferences import destroy_conference
from conferences.services.members import Loss
from conferences.services.questions import look_in, visible_member
from conferences.services.tickets import issue_ticket
from tests.factories import Room, backend, entrance

# Looking in


def test_who_knows_the_password_sees_who_talks(new_room: Any, charlie: Actor) -> None:
    room = new_room(password="pw")
    room.enter("alice", Role.ADMIN)
    room.enter("carol", Role.AUDIENCE)
    glance = look_in(charlie, room.id, "pw")
    assert (glance.conference.members_count, glance.conference.audience, glance.talkers) == (2, 1, ["alice"])


def test_who_is_inside_and_the_application_need_none(new_room: Any) -> None:
    room = new_room(password="pw")
    room.enter("bob")
    for actor in (room.actor("bob"), room.backend):
        assert look_in(actor, room.id, "").talkers == ["bob"]


def test_a_wrong_password_and_a_key_that_may_not_read_show_nothing(
    new_room: Any, charlie: Actor, mallory: Actor, application: Any, refused: Any
) -> None:
    room = new_room(password="pw")
    with refused(PasswordWrong):
        look_in(charlie, room.id, "wrong")
    with refused(ConferenceNotFound):
        look_in(mallory, room.id, "pw")
    with refused(ScopeMissing):
        look_in(backend(application, frozenset({"messages"})), room.id, "pw")
    destroy_conference(actor=room.backend, confr_id=room.id)
    with refused(ConferenceClosed):
        look_in(charlie, room.id, "pw")


# Who is seen


def test_a_member_is_seen_unless_live_hides_it(room: Room, live_room: Room) -> None:
    assert visible_member(room.actor("bob"), room.id, 3) == "carol"
    assert visible_member(live_room.actor("bob"), live_room.id, 3) is None
    assert visible_member(live_room.actor("bob"), live_room.id, 1) == "alice"
    assert visible_member(room.actor("bob"), room.id, 9) is None


def test_outsiders_see_nobody(room: Room, charlie: Actor, refused: Any) -> None:
    with refused(NotAllowed):
        visible_member(charlie, room.id, 1)


# Whoever holds a secret of a seat


def test_a_seats_secret_stands_for_its_user_as_long_as_the_seat_lasts(room: Room) -> None:
    bob = room.member("bob")
    actor, confr_id = members.seat_actor(bob.pk, "192.0.2.7", "request")
    assert (actor.user_id, actor.name, actor.address, confr_id) == (bob.user_id, "bob", "192.0.2.7", room.id)
    room.lose("bob")
    assert members.seat_actor(bob.pk, None, "")[0].name == "bob"
    moderation.kick_members(actor=room.backend, confr_id=room.id, names=["bob"])
    with pytest.raises(MemberNotFound):
        members.seat_actor(bob.pk, None, "")


# Tickets while there is a seat


@pytest.mark.parametrize(
    ("kind", "limits", "role", "error"),
    [
        (ConferenceType.LIVE, {"talkers": 1}, Role.TALKER, TalkersFull),
        (ConferenceType.LIVE, {"audience": 0}, Role.AUDIENCE, AudienceFull),
        (ConferenceType.COMMUNICATION, {"talkers": 1}, Role.TALKER, MembersFull),
    ],
)
def test_a_ticket_may_be_refused_while_there_is_no_seat(
    kind: int, limits: dict[str, int], role: Role, error: type[Exception], new_room: Any, refused: Any
) -> None:
    room = new_room(kind, limits=limits)
    room.enter("alice", Role.ADMIN)
    wish: dict[str, Any] = {"actor": room.backend, "confr_id": room.id, "role": role}
    with refused(error):
        issue_ticket(**wish, name="bob", while_free=True)
    assert issue_ticket(**wish, name="bob")
    assert issue_ticket(**wish, name="alice", while_free=True), "who is inside needs no free seat"


# What is known of who comes back


def lose(room: Room, name: str, told: int | None) -> None:
    member = room.member(name)
    members.lose(conference_id=room.conference.pk, losses=[Loss(member.pk, member.connection, told)])


def come_back(room: Room, name: str) -> Any:
    return members.enter(ticket_text=room.ticket(name).text, entrance=entrance()).member


def test_what_a_member_had_heard_when_it_went_is_known(room: Room) -> None:
    lose(room, "bob", told=5)
    assert snapshots.last_heard(come_back(room, "bob")) == 5


def test_it_is_not_known_of_who_was_cut_off_or_never_went(room: Room) -> None:
    lose(room, "bob", told=5)
    come_back(room, "bob")
    assert snapshots.last_heard(come_back(room, "bob")) is None
    lose(room, "bob", told=None)
    assert snapshots.last_heard(come_back(room, "bob")) is None


def test_endings_are_those_since_the_member_sat_down(room: Room, media: Any) -> None:
    room.publish("alice")
    room.enter("dora")
    dora = room.member("dora")
    moderation.kick_members(actor=room.backend, confr_id=room.id, names=["alice"])
    types = [fact["type"] for fact in snapshots.endings(dora)]
    assert types == ["stream.removed", "member.exited"]
    room.enter("erin")
    assert snapshots.endings(room.member("erin")) == []


def test_a_snapshot_of_many_is_completed(new_room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = new_room(ConferenceType.COMMUNICATION_MIX, limits={"talkers": 300})
    for number in range(202):
        room.enter(f"user{number:03}")
    snapshot = snapshots.take_snapshot(room.conference.pk)
    assert (len(snapshot.page.members), snapshot.page.cursor) == (200, 200)
    whole = snapshots.with_everybody(snapshot)
    assert [member["member"] for member in whole.page.members] == list(range(1, 203))
    assert whole.page.members[201].keys() == whole.page.members[0].keys()
    assert (whole.page.cursor, whole.seq) == (None, snapshot.seq)
    assert snapshots.with_everybody(whole) is whole
