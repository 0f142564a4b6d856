"""What a conference is at one moment, and what somebody who was away has missed."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed
from conferences.errors import ConferenceNotFound
from conferences.models import Member, Role, Stream
from conferences.services import members as member_service
from conferences.services.members import enter, leave
from conferences.services.messages import broadcast
from conferences.services.moderation import kick_members
from conferences.services.snapshots import (
    MemberPage,
    PageQuestion,
    facts_after,
    list_members,
    missed,
    progress,
    take_snapshot,
)
from conferences.services.streams import describe
from tests.database import statements
from tests.factories import entrance, some


def plain_members(conference, least=0):
    seated = Member.objects.seated().select_related("user").filter(conference=conference, role__gte=least)
    return [
        {
            "member": member.number,
            "role": member.role,
            "muted": member.muted,
            "name": member.user.name,
            "nick_name": member.nick_name,
            "ext": member.ext,
        }
        for member in seated.order_by("number")
    ]


def members_after(room, name, after=0):
    (page,) = list_members(room.conference.pk, [PageQuestion(room.actor(name), after)])
    assert isinstance(page, MemberPage)
    return page


def plain_streams(conference):
    live = Stream.objects.live().select_related("member__user").filter(conference=conference)
    return [
        {"member": some(stream.member).number, "name": some(stream.member).user.name, "stream": describe(stream)}
        for stream in live.order_by("started_at", "pk")
    ]


def test_a_snapshot_says_what_the_rows_say(room, media):
    room.publish("bob")
    room.publish("alice", "screen", "desktop")
    room.offer("bob", "second")
    room.lose("carol")
    room.enter('"quoted" \\ name', nick_name='{"a": [1]}', ext="\u2028 ' \" \\")
    leave(actor=room.actor("bob"), confr_id=room.id, user_id=room.member("bob").user_id)
    taken = take_snapshot(room.conference.pk)
    assert (taken.seq, taken.conference.last_seq) == (room.row.last_seq, room.row.last_seq)
    assert taken.page.members == plain_members(room.conference)
    assert taken.page.cursor is None
    assert taken.streams == plain_streams(room.conference)
    assert taken.conference.attributes == room.row.attributes


def test_in_live_it_shows_no_audience(live_room):
    assert [member["name"] for member in take_snapshot(live_room.conference.pk).page.members] == ["alice", "bob"]
    listed = members_after(live_room, "bob")
    assert [member["name"] for member in listed.members] == ["alice", "bob", "carol"]


def test_it_is_one_statement(room, media):
    room.publish("bob")
    with statements() as found:
        take_snapshot(room.conference.pk, [1, 2])
    assert len(found) == 1


def test_an_empty_conference_has_a_snapshot_and_a_purged_one_has_none(new_room):
    room = new_room()
    taken = take_snapshot(room.conference.pk)
    assert (taken.seq, taken.page.members, taken.streams, taken.seats) == (2, [], [], {})
    with pytest.raises(ConferenceNotFound):
        take_snapshot(room.conference.pk + 1)


def test_seats_that_were_asked_for_are_there_ended_or_not(live_room):
    carol = live_room.member("carol")
    leave(actor=live_room.actor("carol"), confr_id=live_room.id, user_id=carol.user_id)
    seats = take_snapshot(live_room.conference.pk, [2, 3, 99]).seats
    assert set(seats) == {2, 3}
    assert (seats[3]["state"], seats[3]["reason"], seats[2]["state"]) == ("exited", 0, "present")
    assert seats[2]["connection"] == live_room.member("bob").connection


def test_above_two_hundred_members_it_is_paged(new_room):
    room = new_room(11)
    room.enter("alice")
    users = [f"user-{number}" for number in range(230)]
    named = type(room.member("alice").user).objects.named(room.conference.application_id, users)
    Member.objects.bulk_create(
        Member(conference=room.conference, user=named[name], number=2 + n, role=1, entered_at=room.row.created_at)
        for n, name in enumerate(users)
    )
    first = take_snapshot(room.conference.pk).page
    assert (len(first.members), first.cursor) == (200, 200)
    rest = members_after(room, "alice", some(first.cursor))
    assert (len(rest.members), rest.cursor) == (31, None)
    assert first.members + rest.members == plain_members(room.conference)


def test_who_ask_at_one_moment_get_each_their_own_answer(room):
    def ask(name, **which):
        return PageQuestion(room.actor(name), **which)

    kicked = ask("carol")
    kick_members(actor=room.backend, confr_id=room.id, names=["carol"])
    alice, carol, bob, second, last = list_members(
        room.conference.pk, [ask("alice"), kicked, ask("bob"), ask("bob", limit=1), ask("alice", after=2)]
    )
    assert isinstance(carol, NotAllowed)
    assert bob is alice  # read, and encoded, once
    assert [page_of(page) for page in (alice, second, last)] == [
        (["alice", "bob"], None),
        (["alice"], 1),
        ([], None),
    ]


def page_of(page):
    return [member["name"] for member in page.members], page.cursor


def test_a_purged_conference_has_no_members(room):
    with pytest.raises(ConferenceNotFound):
        list_members(0, [PageQuestion(room.actor("alice"))])


# What was missed


def test_who_is_back_gets_exactly_what_was_missed(room):
    ticket = room.ticket("bob")
    since = room.row.last_seq
    room.lose("bob")
    broadcast(actor=room.actor("alice"), confr_id=room.id, content="one")
    broadcast(actor=room.actor("alice"), confr_id=room.id, content="two")
    member = enter(ticket_text=ticket.text, entrance=entrance()).member
    facts = some(missed(member, since))
    assert [fact["seq"] for fact in facts] == list(range(since + 1, room.row.last_seq + 1))
    assert [fact["type"] for fact in facts] == [
        "member.lost",
        "message.broadcast",
        "message.broadcast",
        "member.returned",
    ]
    assert facts == facts_after(room.conference.pk, since)


def test_nothing_missed_is_nothing(room):
    member = room.member("bob")
    assert missed(member, room.row.last_seq) == []


def test_a_number_from_before_the_seat_or_from_the_future_wants_a_snapshot(room):
    member = room.member("bob")
    for since in (0, 1, room.row.last_seq + 1, 10**12):
        assert missed(member, since) is None


def test_a_number_that_is_too_old_wants_a_snapshot(room, monkeypatch):
    monkeypatch.setattr("conferences.services.snapshots.MAX_REPLAY", 3)
    member, since = room.member("bob"), room.row.last_seq
    for _ in range(4):
        broadcast(actor=room.actor("alice"), confr_id=room.id, content="x")
    member = room.member("bob")
    assert missed(member, since) is None
    assert len(some(missed(member, since + 1))) == 3


def test_progress_tells_numbers_and_counts(room, live_room):
    found = progress([room.conference.pk, live_room.conference.pk, 0])
    ours = found[live_room.conference.pk]
    assert set(found) == {room.conference.pk, live_room.conference.pk}
    assert (ours.seq, ours.talkers, ours.audience, ours.hides_audience) == (live_room.row.last_seq, 2, 1, True)


def test_roles_of_a_snapshot_are_those_of_now(room):
    member_service.leave(actor=room.actor("alice"), confr_id=room.id, user_id=room.member("alice").user_id)
    (bob, _) = take_snapshot(room.conference.pk).page.members
    assert (bob["name"], bob["role"]) == ("bob", Role.ADMIN)
