"""The hot verbs cost as many statements in a full room as in an empty one, and few."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conferences.models import Role
from conferences.services.admission import admit_player, admit_publisher, release_client
from conferences.services.conferences import Wishes, create_conference, destroy_conference
from conferences.services.members import enter, leave
from conferences.services.moderation import kick_members
from conferences.services.roles import grant_role
from conferences.services.streams import pub_stream, sub_stream
from conferences.services.tickets import issue_ticket
from tests.database import statements
from tests.factories import entrance

# Transactions begun and ended count as well: each is a round trip.
MOST = {
    "create": 6,
    "ticket": 5,
    "enter": 4,
    "return": 4,
    "leave": 6,
    "grant": 5,
    "offer": 8,
    "publish": 12,
    "play": 9,
    "unpublish": 9,
    "kick": 9,
    "destroy": 8,
}


def cost(call):
    with statements() as found:
        call()
    # The application is remembered for a second: now and then somebody asks for it again.
    return sum('FROM "accounts_application"' not in each["sql"] for each in found)


def costs(room, media):
    """What each verb costs in this room, one after the other."""
    backend, confr_id = room.backend, room.id
    found = {"create": cost(lambda: create_conference(actor=backend, wishes=Wishes(creator="alice")))}
    for name in ("dora", "erin"):
        room.ticket(name)  # whoever is new to the application costs an insert, once
    found["ticket"] = cost(lambda: issue_ticket(actor=backend, confr_id=confr_id, name="dora"))
    dora, erin = room.ticket("dora", Role.TALKER), room.ticket("erin", Role.TALKER)
    found["enter"] = cost(lambda: enter(ticket_text=dora.text, entrance=entrance()))
    found["return"] = cost(lambda: enter(ticket_text=dora.text, entrance=entrance()))
    member = enter(ticket_text=erin.text, entrance=entrance()).member
    found["grant"] = cost(lambda: grant_role(actor=backend, confr_id=confr_id, names=["erin"], role=Role.ADMIN))
    user = {"actor": room.actor("erin"), "confr_id": confr_id, "user_id": member.user_id}
    found["offer"] = cost(lambda: pub_stream(**user, rtc_id="r", kind="video"))
    stream, key = room.offer("erin", "r")
    publishing = media.ask("publish", stream.media_name, key)
    found["publish"] = cost(lambda: admit_publisher(publishing))
    sub_stream(**user, stream_id=stream.stream_id)
    playing = media.ask("play", stream.media_name, room.play_key("dora", stream))
    found["play"] = cost(lambda: admit_player(playing))
    found["unpublish"] = cost(lambda: release_client(replace(publishing, kind="unpublish")))
    found["kick"] = cost(lambda: kick_members(actor=backend, confr_id=confr_id, names=["erin"]))
    user_id = room.member("dora").user_id
    found["leave"] = cost(lambda: leave(actor=backend, confr_id=confr_id, user_id=user_id))
    found["destroy"] = cost(lambda: destroy_conference(actor=backend, confr_id=confr_id))
    return found


@pytest.fixture
def rooms(new_room):
    small, large = new_room(11), new_room(11, limits={"talkers": 100, "videos": 100})
    small.enter("alice")
    large.enter("alice")
    for number in range(50):
        large.enter(f"user-{number}", Role.TALKER if number % 2 else Role.AUDIENCE)
    for number in range(1, 20, 2):
        large.publish(f"user-{number}")
    return small, large


def test_no_hot_verb_costs_more_in_a_full_room(rooms, media):
    small, large = (costs(room, media) for room in rooms)
    assert small == large


def test_every_hot_verb_is_a_few_statements(rooms, media):
    found = costs(rooms[0], media)
    assert found.keys() == MOST.keys()
    assert {verb: count for verb, count in found.items() if count > MOST[verb]} == {}, found
