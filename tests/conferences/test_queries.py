"""What the hot verbs ask of the database: so many statements each, however many members there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from accounts.models import User
from conferences.models import Ban, Conference, Member, Role, Stream, StreamType, Ticket
from conferences.services import admission, conferences, members, messages, moderation, roles, snapshots, streams
from conferences.services.conferences import Wishes
from conferences.services.members import Loss
from conferences.services.snapshots import PageQuestion
from tests import factories
from tests.database import rows_in_vain, statements
from tests.factories import Room, fake

Act = Callable[[], object]
Prepare = Callable[[Room], Act]

# m0 is the only admin, and has ended and begun no stream.


def create(room: Room) -> Act:
    return lambda: conferences.create_conference(actor=room.backend, wishes=Wishes(password="secret"))


def issue_ticket(room: Room) -> Act:
    return lambda: room.ticket("m1", Role.TALKER)


def enter(room: Room) -> Act:
    text, entrance = room.ticket("zoe").text, factories.entrance(address="192.0.2.1")
    return lambda: members.enter(ticket_text=text, entrance=entrance)


def come_back(room: Room) -> Act:
    text, entrance = room.ticket("m1").text, factories.entrance()
    room.lose("m1")
    return lambda: members.enter(ticket_text=text, entrance=entrance)


def read_the_snapshot(room: Room) -> Act:
    return lambda: snapshots.take_snapshot(room.conference.pk, [1])


def list_members(room: Room) -> Act:
    actor = room.actor("m1")
    questions = [PageQuestion(actor, after=3)] * 5
    return lambda: snapshots.list_members(room.conference.pk, questions)


def lose(room: Room) -> Act:
    member = room.member("m1")
    losses = [Loss(member.pk, member.connection)]
    return lambda: members.lose(conference_id=room.conference.pk, losses=losses)


def leave(room: Room, name: str = "m1") -> Act:
    actor = room.actor(name)
    return lambda: members.leave(actor=actor, confr_id=room.id, user_id=int(actor.id))


def leave_as_the_last_admin(room: Room) -> Act:
    return leave(room, "m0")


def grant(room: Room, *names: str) -> Act:
    names = names or ("m1",)
    return lambda: roles.grant_role(actor=room.backend, confr_id=room.id, names=names, role=Role.ADMIN)


def grant_to_three(room: Room) -> Act:
    return grant(room, "m1", "m2", "m3")


def grant_as_a_user(room: Room) -> Act:
    actor = room.actor("m0")
    return lambda: roles.grant_role(actor=actor, confr_id=room.id, names=["m1"], role=Role.ADMIN)


def kick(room: Room, *names: str) -> Act:
    names = names or ("m1",)
    return lambda: moderation.kick_members(actor=room.backend, confr_id=room.id, names=names)


def kick_three(room: Room) -> Act:
    return kick(room, "m1", "m2", "m3")


def broadcast(room: Room) -> Act:
    actor = room.actor("m1")
    return lambda: messages.broadcast(actor=actor, confr_id=room.id, content="hello")


def destroy(room: Room) -> Act:
    return lambda: conferences.destroy_conference(actor=room.backend, confr_id=room.id)


def publish_hook(room: Room) -> Act:
    stream, key = room.offer("m1")
    event = fake().ask("publish", stream.media_name, key)
    return lambda: admission.admit_publisher(event)


def play_hook(room: Room) -> Act:
    stream = room.publish("m1").stream
    event = fake().ask("play", stream.media_name, room.play_key("m2", stream))
    return lambda: admission.admit_player(event)


def publish(room: Room) -> Act:
    actor = room.actor("m1")
    return lambda: streams.pub_stream(actor=actor, confr_id=room.id, user_id=int(actor.id), rtc_id="camera")


def subscribe(room: Room) -> Act:
    actor, stream = room.actor("m2"), room.publish("m1").stream.stream_id
    return lambda: streams.sub_stream(actor=actor, confr_id=room.id, user_id=int(actor.id), stream_id=stream)


def viewer_hook(room: Room) -> Act:
    stream = room.publish("m1").stream
    event = fake().ask("play", stream.media_name, room.play_key("m2", stream))
    return lambda: admission.admit_viewer(event)


# BEGIN and COMMIT count too.
COUNTS: list[tuple[Prepare, int]] = [
    (create, 4),
    (issue_ticket, 5),
    (enter, 4),
    (come_back, 4),
    (read_the_snapshot, 1),
    (list_members, 3),
    (lose, 5),
    (leave, 5),
    (leave_as_the_last_admin, 6),
    (grant, 5),
    (grant_to_three, 5),
    (grant_as_a_user, 6),
    (kick, 6),
    (kick_three, 6),
    (broadcast, 4),
    (destroy, 8),
    (publish_hook, 12),
    (play_hook, 9),
]


def counted(prepare: Prepare, room: Room) -> list[str]:
    act = prepare(room)
    with statements() as found:
        act()
    return [each["sql"] for each in found]


@pytest.mark.parametrize(("prepare", "count"), COUNTS, ids=[prepare.__name__ for prepare, _ in COUNTS])
@pytest.mark.parametrize("size", [5, 25])
def test_a_hot_verb_takes_so_many_statements_in_any_room(
    new_room: Callable[..., Room], media: object, prepare: Prepare, count: int, size: int
) -> None:
    room = new_room(11)
    for number in range(size):
        room.enter(f"m{number}", Role.TALKER if number else Role.ADMIN)
    found = counted(prepare, room)
    assert len(found) == count, "\n".join(found)


@pytest.mark.parametrize("prepare", [enter, come_back, lose, leave, grant, kick])
def test_one_member_is_no_array(new_room: Callable[..., Room], prepare: Prepare) -> None:
    """PostgreSQL plans a statement anew for every array."""
    room = new_room(11)
    room.enter("m0", Role.ADMIN)
    room.enter("m1", Role.TALKER)
    assert [sql for sql in counted(prepare, room) if "= ANY(" in sql] == []


HISTORY = 60
ONE_BY_ONE = [prepare for prepare, _ in COUNTS if prepare not in {grant_to_three, kick_three, destroy}]


def live_long(room: Room) -> None:
    """A history: of the application, of a user, of the conference, and many who were kicked."""
    application, conference = room.conference.application, room.conference
    past = Conference.objects.bulk_create(
        Conference(application=application, type=11, max_talkers=9, max_videos=9, max_audience=9, max_desktops=1,
                   default_role=Role.TALKER, state=Conference.State.CLOSED)
        for _ in range(HISTORY)
    )  # fmt: skip
    regular = room.member("m1").user
    others = User.objects.bulk_create(User(application=application, name=f"o{n}") for n in range(HISTORY))
    left = {"role": Role.TALKER, "state": Member.State.EXITED, "entered_at": timezone.now()}
    Member.objects.bulk_create(Member(conference=each, user=regular, number=1, **left) for each in past)
    Member.objects.bulk_create(
        Member(conference=conference, user=user, number=1000 + n, **left) for n, user in enumerate(others)
    )
    Ticket.objects.bulk_create(
        Ticket(conference=conference, user=user, role=Role.TALKER, expires_at=timezone.now()) for user in others
    )
    Stream.objects.bulk_create(
        Stream(conference=conference, member=room.member("m1"), rtc_id=f"r{n}", type=StreamType.CAMERA,
               media_name=f"ended-{n}", state=Stream.State.ENDED)
        for n in range(HISTORY)
    )  # fmt: skip
    for held in (None, conference):
        Ban.objects.bulk_create(Ban(application=application, conference=held, user=user) for user in others)


@pytest.mark.parametrize("prepare", [*ONE_BY_ONE, publish, subscribe, viewer_hook])
def test_a_hot_verb_reads_nothing_of_a_long_history(
    new_room: Callable[..., Room], media: object, prepare: Prepare
) -> None:
    """Nor does PostgreSQL think that it should while it knows nothing of the tables, as on the first day. Several
    members at once, and what an ended conference leaves, it may find by going through all of the conference.
    """
    room = new_room(11)
    for number in range(4):
        room.enter(f"m{number}", Role.TALKER if number else Role.ADMIN)
    live_long(room)
    act = prepare(room)
    with rows_in_vain() as found:
        act()
    assert found
    assert [each for each in found if each[0] >= HISTORY] == []
