"""Fifty people at the door at once, of a server with two web processes: the limits are exact."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from conferences.models import Role
from tests.live_client import LiveClient, Refused
from tests.scenarios.stage import Room, Stage

pytestmark = pytest.mark.server

GUESTS = 50


async def crowd(room: Room, roles: list[Role]) -> tuple[list[LiveClient], Counter[str]]:
    """Everybody comes at once; who got in, and how many were refused why."""
    tickets = [room.ticket(f"guest{number}", role=role) for number, role in enumerate(roles)]
    found = await asyncio.gather(*map(_enter, tickets))
    return [each for each in found if isinstance(each, LiveClient)], Counter(
        each for each in found if isinstance(each, str)
    )


async def _enter(ticket: dict[str, Any]) -> LiveClient | str:
    while True:
        try:
            return await LiveClient.enter(ticket["url"], ticket["ticket"])
        except Refused as refusal:
            if refusal.code != "busy":
                return refusal.code


async def close(clients: list[LiveClient]) -> None:
    for client in clients:
        client.assert_unbroken()
        await client.close()


async def test_of_fifty_who_join_a_small_circle_at_once_nine_get_in(stage: Stage):
    with stage.empty_room("anna", confr_type=10) as room:
        inside, refused = await crowd(room, [Role.TALKER] * GUESTS)

        assert len(inside) == 9
        assert refused == {"members_full": GUESTS - 9}
        assert room.counters()["talkers"] == 9
        assert room.events("member.joined") == ["member.joined"] * 9
        last = room.facts()[-1]["seq"]
        room.call("POST", "/broadcast", content="welcome")
        for client in inside:
            await client.until("onBroadcast", content="welcome")
            assert client.last_seq == last + 1
        await close(inside)


async def test_of_fifty_who_join_a_live_conference_at_once_nobody_is_one_too_many(stage: Stage):
    with stage.empty_room(
        "anna", confr_type=12, maxTalkerCount=5, maxAudienceCount=20, memDefaultRole=Role.TALKER
    ) as room:
        inside, refused = await crowd(room, [Role.TALKER, Role.AUDIENCE] * (GUESTS // 2))

        assert len(inside) == 25
        assert refused.total() == 25
        assert refused.keys() <= {"talkers_full", "audience_full", "members_full"}
        assert room.counters() == {"talkers": 5, "audience": 20, "admins": 0, "videos": 0, "desktops": 0}
        await close(inside)


async def test_a_full_room_keeps_the_seat_of_who_comes_back(stage: Stage):
    with stage.empty_room("anna", confr_type=10, maxTalkerCount=2) as room:
        tickets = [room.ticket(name) for name in ("ben", "chen", "dora")]
        ben, chen = [await LiveClient.enter(ticket["url"], ticket["ticket"]) for ticket in tickets[:2]]
        ben.cut()

        assert await _enter(tickets[2]) == "members_full"
        back = await LiveClient.enter(tickets[0]["url"], tickets[0]["ticket"], lastSeq=ben.entered["seq"])
        assert back.entered["resumed"] is True
        assert room.counters()["talkers"] == 2
        await close([back, chen])
