"""Things that happen at once, with real threads and real commits: whoever comes first, the outcome is one of few."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from accounts.errors import Busy, NotAllowed
from conferences.errors import (
    ActsOnOneself,
    AudienceFull,
    Banned,
    ConferenceClosed,
    MemberNotFound,
    MembersFull,
    StreamEnded,
    StreamNotFound,
    TalkersFull,
    TicketRevoked,
    TicketUsed,
    VideosFull,
)
from conferences.models import Conference, MediaSession, Member, Role, Stream, Ticket
from conferences.services import bans
from conferences.services.admission import admit_player, admit_publisher, release_client
from conferences.services.conferences import Wishes, destroy_conference, end_due_conferences, join_room
from conferences.services.members import Entry, Loss, enter, leave, lose, sweep_lost
from conferences.services.moderation import Hold, kick_members
from conferences.services.reconcile import reconcile
from conferences.services.roles import grant_role
from conferences.services.tickets import expire_tickets, issue_ticket
from tests import factories
from tests.database import together
from tests.factories import entrance
from tests.invariants import assert_consistent

ROUNDS = 8


def patient(call):
    """Come back as long as the conference is busy, as a client does."""

    def run():
        while True:
            try:
                return call()
            except Busy:
                continue

    return run


def at_once(*calls):
    return together(*map(patient, calls))


def kinds(results):
    return Counter(type(result) for result in results)


def entering(room, name, role=None):
    issued = room.ticket(name, role)
    return partial(enter, ticket_text=issued.text, entrance=entrance())


def kicking(room, *names, by=None):
    return partial(kick_members, actor=by or room.backend, confr_id=room.id, names=names)


# Seats


@pytest.mark.parametrize(
    ("kind", "role", "limits", "maximum", "full"),
    [
        (10, Role.TALKER, {}, 9, MembersFull),
        (11, Role.TALKER, {"talkers": 7}, 7, TalkersFull),
        (12, Role.AUDIENCE, {"audience": 20}, 20, AudienceFull),
    ],
)
def test_fifty_who_enter_at_once_never_pass_a_limit(new_room, kind, role, limits, maximum, full):
    room = new_room(kind, creator=None, limits=limits)
    results = at_once(*(entering(room, f"user-{number}", role) for number in range(50)))
    assert kinds(results) == {Entry: maximum, full: 50 - maximum}
    assert Ticket.objects.filter(uses=1).count() == maximum
    assert_consistent(room.conference)


def test_one_user_on_thirty_sockets_has_one_seat(new_room):
    room = new_room()
    issued = room.ticket("bob")
    results = at_once(*(partial(enter, ticket_text=issued.text, entrance=entrance()) for _ in range(30)))
    assert Counter(result.returned for result in results) == {False: 1, True: 29}
    assert (Member.objects.count(), Ticket.objects.get(pk=issued.ticket.pk).uses) == (1, 1)
    assert_consistent(room.conference)


def test_one_user_with_thirty_tickets_has_one_seat(new_room):
    room = new_room()
    results = at_once(*(entering(room, "bob") for _ in range(30)))
    assert Counter(result.returned for result in results) == {False: 1, True: 29}
    assert_consistent(room.conference)


def test_a_ticket_for_one_seat_gives_no_two(new_room):
    room = new_room()
    room.enter("alice")
    issued = room.ticket("bob")
    for _ in range(ROUNDS):
        results = at_once(
            *(partial(enter, ticket_text=issued.text, entrance=entrance()) for _ in range(4)),
            lambda: leave(actor=room.actor("bob"), confr_id=room.id, user_id=issued.ticket.user_id),
        )
        assert not kinds(results).keys() - {Entry, TicketUsed, type(None), MemberNotFound}
    assert Member.objects.filter(user_id=issued.ticket.user_id).count() == 1
    assert_consistent(room.conference)


def test_the_last_seat_goes_to_who_is_promoted_or_to_who_enters(new_room):
    for _ in range(ROUNDS):
        room = new_room(12, limits={"talkers": 2})
        room.enter("alice")
        room.enter("carol", Role.AUDIENCE)
        grant = partial(grant_role, actor=room.backend, confr_id=room.id, names=["carol"], role=Role.TALKER)
        results = at_once(grant, entering(room, "dora", Role.TALKER))
        assert kinds(results)[TalkersFull] == 1
        assert_consistent(room.conference)


# Names


def test_twenty_who_join_by_one_name_meet_in_one_conference(robot):
    def join(number):
        name = f"user-{number}"
        return join_room(actor=robot, name="weekly", wishes=Wishes(name="weekly", creator=name), user=name)

    results = at_once(*(partial(join, number) for number in range(20)))
    assert {conference.pk for conference, _, _ in results} == {Conference.objects.get().pk}
    assert Counter(is_new for _, _, is_new in results) == {True: 1, False: 19}
    assert_consistent(Conference.objects.get())


def test_a_name_whose_conference_ends_is_joined_or_lives_again(robot):
    for _ in range(ROUNDS):
        wishes = Wishes(name="weekly", creator="alice")
        first, _, _ = join_room(actor=robot, name="weekly", wishes=wishes, user="alice")
        ended, joined = at_once(
            partial(destroy_conference, actor=robot, confr_id=first.confr_id),
            partial(join_room, actor=robot, name="weekly", wishes=wishes, user="alice"),
        )
        assert isinstance(ended, Conference)
        assert isinstance(joined, tuple | ConferenceClosed)
        for conference in Conference.objects.filter(state="live"):
            destroy_conference(actor=robot, confr_id=conference.confr_id)


# A kick against everything


def after_a_kick(room, media, name):
    """Nobody of this name is inside, and nothing of theirs flows or may begin to."""
    member = room.member(name)
    assert member.state == "exited"
    assert not MediaSession.objects.filter(member=member, revoked_at=None, closed_at=None).exists()
    assert not Stream.objects.open().filter(member=member).exists()
    factories.until(lambda: not media.list_streams().streams)
    assert_consistent(room.conference)


@pytest.mark.parametrize("delay", [0, 1])
def test_a_publish_beside_a_kick_does_not_survive(new_room, media, delay):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        room.enter("bob")
        stream, key = room.offer("bob")
        event = media.ask("publish", stream.media_name, key)

        def publish(event=event):
            admit_publisher(event)
            media.admit(event)  # the media server hears the yes after the commit

        calls = [publish, kicking(room, "bob")]
        results = at_once(*(reversed(calls) if delay else calls))
        assert not kinds(results).keys() - {type(None), dict, StreamEnded, NotAllowed}
        after_a_kick(room, media, "bob")


def test_a_play_beside_a_kick_does_not_survive(new_room, media):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        room.enter("bob")
        publication = room.publish("alice")
        event = media.ask("play", publication.stream.media_name, room.play_key("bob", publication.stream))

        def play(event=event):
            admit_player(event)
            media.admit(event)

        results = at_once(play, kicking(room, "bob"))
        assert not kinds(results).keys() - {type(None), dict, NotAllowed}
        factories.until(partial(_only, media, publication))
        media.restart()


def _only(media, publication):
    return {client for client, _ in media.list_streams().clients} == {publication.event.client_id}


def test_a_publish_beside_every_other_way_out_does_not_survive(new_room, media):
    ways = (
        lambda room: destroy_conference(actor=room.backend, confr_id=room.id),
        lambda room: leave(actor=room.backend, confr_id=room.id, user_id=room.member("bob").user_id),
        lambda room: grant_role(actor=room.backend, confr_id=room.id, names=["bob"], role=Role.AUDIENCE),
    )
    for way in ways * 3:
        room = new_room()
        room.enter("alice")
        room.enter("bob")
        stream, key = room.offer("bob")
        event = media.ask("publish", stream.media_name, key)

        def publish(event=event):
            admit_publisher(event)
            media.admit(event)

        at_once(publish, partial(way, room))
        assert not Stream.objects.open().filter(conference=room.conference).exists()
        factories.until(lambda: not media.list_streams().streams)
        assert_consistent(room.conference)


def test_an_entry_beside_a_kick_does_not_survive(new_room):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        results = at_once(entering(room, "bob"), kicking(room, "bob"))
        assert not kinds(results).keys() - {Entry, dict, TicketRevoked, Banned}
        assert not Member.objects.seated().filter(conference=room.conference, user__name="bob").exists()
        assert_consistent(room.conference)


def test_a_ticket_that_is_issued_beside_a_kick_is_of_no_use(new_room):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        room.enter("bob")
        issued, _ = at_once(
            partial(issue_ticket, actor=room.backend, confr_id=room.id, name="bob"), kicking(room, "bob")
        )
        if not isinstance(issued, Exception):
            with pytest.raises(TicketRevoked):
                enter(ticket_text=issued.text, entrance=entrance())
        else:
            assert isinstance(issued, Banned)


def test_of_two_admins_who_kick_each_other_one_stays(new_room):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        room.enter("bob", Role.ADMIN)
        results = at_once(kicking(room, "bob", by=room.actor("alice")), kicking(room, "alice", by=room.actor("bob")))
        assert kinds(results) == {dict: 1, NotAllowed: 1}
        row = room.row
        assert (row.admins, row.members_count) == (1, 1)
        assert_consistent(room.conference)


def test_of_two_admins_who_demote_each_other_one_stays_admin(new_room):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        room.enter("bob", Role.ADMIN)

        def demote(by, whom, room=room):
            return grant_role(actor=room.actor(by), confr_id=room.id, names=[whom], role=Role.TALKER)

        results = at_once(partial(demote, "alice", "bob"), partial(demote, "bob", "alice"))
        assert kinds(results) == {dict: 1, NotAllowed: 1}
        assert room.row.admins == 1
        assert_consistent(room.conference)


def test_many_kicks_of_one_member_end_one_seat(room):
    results = at_once(*(kicking(room, "bob") for _ in range(6)))
    assert Counter(result["bob"] for result in results) == {True: 1, False: 5}
    assert room.types().count("member.exited") == 1
    assert ActsOnOneself not in kinds(results)
    assert_consistent(room.conference)


def test_a_ban_of_the_application_beside_an_entry_holds(robot, new_room):
    for number in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        name = f"bob-{number}"
        at_once(entering(room, name), partial(bans.ban_users, actor=robot, names=[name], hold=Hold()))
        bans.remove_banned()
        assert not Member.objects.seated().filter(user__name=name).exists()
        assert_consistent(room.conference)


# Sockets


def test_a_goodbye_beside_a_return_leaves_the_member_present(room):
    ticket = room.ticket("bob")
    for number in range(ROUNDS):
        old = room.member("bob")
        back = partial(enter, ticket_text=ticket.text, entrance=entrance(connection=f"new-{number}"))
        gone = partial(lose, conference_id=room.conference.pk, losses=[Loss(old.pk, old.connection)])
        at_once(gone, back)
        assert (room.member("bob").state, room.member("bob").connection) == ("present", f"new-{number}")
    assert_consistent(room.conference)


def test_the_end_of_grace_beside_a_return_is_one_or_the_other(new_room, clock):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        issued = room.ticket("bob")
        enter(ticket_text=issued.text, entrance=entrance())
        room.lose("bob")
        clock.shift(31)
        result, swept = at_once(partial(enter, ticket_text=issued.text, entrance=entrance()), sweep_lost)
        state = room.member("bob").state
        assert (type(result), swept, state) in {(Entry, 0, "present"), (TicketUsed, 1, "exited")}
        assert_consistent(room.conference)


# Endings


def test_an_entry_beside_the_end_leaves_nobody_inside(new_room):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        results = at_once(entering(room, "bob"), partial(destroy_conference, actor=room.backend, confr_id=room.id))
        assert not kinds(results).keys() - {Entry, Conference, ConferenceClosed}
        assert not Member.objects.seated().filter(conference=room.conference).exists()
        assert_consistent(room.conference)


def test_an_entry_beside_the_last_exit_is_inside_or_refused(new_room):
    for _ in range(ROUNDS):
        room = new_room()
        room.enter("alice")
        exits = partial(leave, actor=room.backend, confr_id=room.id, user_id=room.member("alice").user_id)
        entry, _ = at_once(entering(room, "bob"), exits)
        state = "live" if isinstance(entry, Entry) else "closed"
        assert isinstance(entry, Entry | ConferenceClosed)
        assert room.row.state == state
        assert_consistent(room.conference)


def test_an_entry_beside_the_end_that_nobody_asked_for_is_one_or_the_other(new_room, clock):
    for _ in range(ROUNDS):
        room = new_room(delay_seconds=10)
        call = entering(room, "bob")
        clock.shift(11)
        entry, ended = at_once(call, end_due_conferences)
        assert (type(entry), ended) in {(Entry, 0), (ConferenceClosed, 1)}
        assert_consistent(room.conference)


def test_all_leave_at_once(new_room):
    room = new_room(11, creator=None)
    people = [room.enter(f"user-{number}", Role.TALKER).user_id for number in range(12)]
    at_once(*(partial(leave, actor=room.backend, confr_id=room.id, user_id=user_id) for user_id in people))
    assert room.types().count("conference.closed") == 1
    assert room.types().count("member.exited") == 12
    assert_consistent(room.conference)


# Media seats and hooks


def test_twenty_who_publish_at_once_never_pass_the_limit(new_room, media):
    room = new_room(11, creator=None, limits={"videos": 3})
    events = []
    for number in range(20):
        room.enter(f"user-{number}", Role.TALKER)
        stream, key = room.offer(f"user-{number}")
        events.append(media.ask("publish", stream.media_name, key))
    results = at_once(*(partial(admit_publisher, event) for event in events))
    assert kinds(results) == {type(None): 3, VideosFull: 17}
    assert len(room.events("stream.refused")) == 17
    assert_consistent(room.conference)


def test_a_hook_and_its_goodbye_at_once_many_times(room, media, clock):
    stream, key = room.offer("bob")
    for _ in range(ROUNDS):
        event = media.ask("publish", stream.media_name, key)
        results = at_once(*[partial(admit_publisher, event), partial(release_client, event)] * 2)
        assert not kinds(results).keys() - {type(None), StreamNotFound}
        release_client(event)
    assert Stream.objects.get().state == "offered"
    assert_consistent(room.conference)


# Sweeps beside themselves


def test_sweeps_that_run_twice_at_once_do_their_work_once(new_room, media, clock):
    rooms = [new_room() for _ in range(4)]
    for room in rooms:
        room.enter("alice")
        room.enter("bob")
        room.publish("alice")
        room.lose("bob")
        room.ticket("carol")
    media.restart()
    clock.shift(700)
    for sweep in (reconcile, sweep_lost, expire_tickets, end_due_conferences):
        at_once(*[sweep] * 3)
    for room in rooms:
        counts = Counter(room.types())
        assert (counts["member.exited"], counts["stream.removed"], counts["media.repaired"]) == (1, 1, 1)
        noted = [ticket for event in room.events("ticket.expired") for ticket in event.data["tickets"]]
        assert len(noted) == len(set(noted)) == 2
        assert_consistent(room.conference)
