"""Entering over the socket: the snapshot, what follows it, and who is not let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from accounts.threads import in_thread
from conferences.models import Conference, ConferenceType, Member, Role, Ticket
from conferences.services import conferences, moderation, snapshots, tickets
from conferences.services.moderation import Hold
from conferences.services.tickets import Issued
from tests.conferences.live.conftest import Enter, ticket
from tests.database import all_rows
from tests.factories import Room
from tests.live_client import LiveClient, Refused


async def test_the_reply_of_enter_is_a_snapshot_of_everything(enter: Enter, new_room) -> None:
    room = await in_thread(new_room, ConferenceType.COMMUNICATION_MIX, name="standup")
    alice = await enter(await ticket(room, "alice"), nickName="Ally", ext="e", device="phone")
    await alice.ask("setConferenceAttrs", attrs={"topic": "today"})
    bob = await enter(await ticket(room, "bob"))
    inside = bob.entered
    assert inside["memId"] == f"{room.id}M2"
    assert (inside["memName"], inside["role"], inside["resumed"]) == ("bob", Role.TALKER, False)
    assert inside["roleToken"].startswith("rt_")
    assert (inside["graceSeconds"], inside["heartbeatSeconds"]) == (30, 25)
    assert [(member["memName"], member["nickName"], member["role"]) for member in inside["members"]] == [
        ("alice", "Ally", Role.ADMIN),
        ("bob", "", Role.TALKER),
    ]
    assert inside["cursor"] is None
    assert inside["attrs"] == {"topic": "today"}
    assert inside["counts"] == {"talkers": 2, "audience": 0}
    assert inside["confr"]["name"] == "standup"
    assert inside["streams"] == []
    assert inside["seq"] == (await in_thread(lambda: room.row)).last_seq


async def test_everybody_inside_hears_of_a_newcomer_who_does_not_hear_of_itself(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    dora = await enter(await ticket(room, "dora"), nickName="D")
    told = await alice.until("onMemberJoined")
    assert told["data"] == {
        "memId": dora.entered["memId"],
        "memName": "dora",
        "nickName": "D",
        "role": Role.TALKER,
        "ext": "",
        "muted": [],
    }
    assert told["confrId"] == room.id
    await dora.ask("sendBroadcast", content="hello")
    await dora.until("onBroadcast", content="hello")
    assert dora.events == ["onBroadcast"]
    alice.assert_unbroken()
    dora.assert_unbroken()


async def test_facts_nobody_may_see_leave_the_chain_of_numbers_unbroken(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    for name in ("dora", "erin"):
        await ticket(room, name)
        await alice.ask("sendBroadcast", content=name)
    await alice.until("onBroadcast", content="erin")
    first, second = alice.pushes
    assert second["prev"] == first["seq"]
    assert second["seq"] == first["seq"] + 2
    alice.assert_unbroken()


def _forged(room: Room, issued: Issued) -> str:
    return issued.text[:-2] + ("AA" if issued.text[-2:] != "AA" else "BB")


def _revoked(room: Room, issued: Issued) -> None:
    tickets.revoke_tickets(actor=room.backend, confr_id=room.id, name="dora")


def _expired(room: Room, issued: Issued) -> None:
    Ticket.objects.filter(pk=issued.ticket.pk).update(expires_at=issued.ticket.created_at)


def _used(room: Room, issued: Issued) -> None:
    Ticket.objects.filter(pk=issued.ticket.pk).update(uses=1)


def _banned(room: Room, issued: Issued) -> None:
    moderation.kick_members(actor=room.backend, confr_id=room.id, names=["dora"], hold=Hold())
    Ticket.objects.filter(pk=issued.ticket.pk).update(revoked_at=None)


def _locked(room: Room, issued: Issued) -> None:
    conferences.update_conference(actor=room.backend, confr_id=room.id, changes={"locked": True})


def _full(room: Room, issued: Issued) -> None:
    conferences.update_conference(actor=room.backend, confr_id=room.id, changes={"max_talkers": 2})


def _over(room: Room, issued: Issued) -> None:
    conferences.destroy_conference(actor=room.backend, confr_id=room.id)


@pytest.mark.parametrize(
    ("spoil", "code", "closed"),
    [
        (_forged, "ticket_invalid", 4401),
        (_revoked, "ticket_revoked", 4401),
        (_expired, "ticket_expired", 4401),
        (_used, "ticket_used", 4401),
        (_banned, "banned", 4403),
        (_locked, "conference_locked", 4403),
        (_full, "members_full", 4403),
        (_over, "conference_closed", 4410),
    ],
)
async def test_who_may_not_enter_is_told_why_and_nothing_changes(
    spoil: Callable[[Room, Issued], str | None], code: str, closed: int, enter: Enter, room: Room
) -> None:
    issued = await in_thread(room.ticket, "dora")
    text = await in_thread(spoil, room, issued) or issued.text
    before = await in_thread(_rows)
    client = await enter()
    with pytest.raises(Refused) as refused:
        await client.ask("enter", ticket=text)
    assert refused.value.code == code
    assert refused.value.error["message"]
    assert await client.closed() == closed
    assert await in_thread(_rows) == before


def _rows() -> dict[str, object]:
    """Everything but the lease, which the server renews."""
    return {label: rows for label, rows in all_rows().items() if label != "conferences.Lease"}


async def test_a_refusal_is_told_in_the_language_of_the_client(enter: Enter, committed: None) -> None:
    messages = []
    for language in ("en", "zh-hans"):
        client = await enter()
        with pytest.raises(Refused) as refused:
            await client.ask("enter", ticket="nonsense", lang=language)
        messages.append(refused.value.error["message"])
    assert messages[0] == "The ticket is not one of ours; ask for a new one."
    assert messages[1]


async def test_a_wrong_shape_at_the_door_may_be_corrected(enter: Enter, room: Room) -> None:
    client = await enter()
    with pytest.raises(Refused) as refused:
        await client.ask("enter", ticket=5, colour="red")
    assert refused.value.code == "bad_parameters"
    assert {error["pointer"] for error in refused.value.error["errors"]} == {"#/colour", "#/ticket"}
    assert (await client.ask("enter", ticket=await ticket(room, "alice")))["memName"] == "alice"
    with pytest.raises(Refused, match="already_entered"):
        await client.ask("enter", ticket=await ticket(room, "alice"))


async def test_nothing_can_be_asked_before_entering(enter: Enter) -> None:
    client = await enter()
    for op in ("ping", "sendBroadcast", "kickMembersById"):
        with pytest.raises(Refused, match="not_entered"):
            await client.ask(op)


async def test_audience_of_a_live_conference_comes_and_goes_as_a_number(enter: Enter, live_room: Room) -> None:
    alice = await enter(await ticket(live_room, "alice"))
    assert {member["memName"] for member in alice.entered["members"]} == {"alice", "bob"}
    dora = await enter(await ticket(live_room, "dora"))
    assert dora.entered["role"] == Role.AUDIENCE
    assert dora.entered["counts"] == {"talkers": 2, "audience": 2}
    await alice.until("onAudienceCount", audience=2, talkers=2)
    assert "onMemberJoined" not in alice.events
    listed = await dora.ask("listMembers")
    assert [member["memName"] for member in listed["members"]] == ["alice", "bob", "carol", "dora"]
    await alice.ask("grantRole", memNames=["dora"], role=Role.TALKER.value)
    assert (await alice.until("onMemberJoined"))["data"]["memName"] == "dora"
    assert (await dora.until("onRoleChanged"))["data"]["role"] == Role.TALKER
    alice.assert_unbroken()


async def test_more_than_two_hundred_members_come_in_pages(enter: Enter, new_room) -> None:
    room = await in_thread(new_room, limits={"talkers": 300})
    names = [f"user-{number:03}" for number in range(204)]
    await asyncio.gather(*(in_thread(room.enter, name) for name in names))
    alice = await enter(await ticket(room, "alice"))
    assert len(alice.entered["members"]) == snapshots.PAGE
    rest = await alice.ask("listMembers", cursor=alice.entered["cursor"], limit=100)
    assert rest["cursor"] is None
    listed = [member["memName"] for member in alice.entered["members"] + rest["members"]]
    assert sorted(listed) == ["alice", *names]
    again = await asyncio.gather(*(alice.ask("listMembers", cursor=alice.entered["cursor"]) for _ in range(5)))
    assert again == [rest] * 5


async def test_two_hundred_who_enter_at_once_all_know_each_other(enter: Enter, new_room) -> None:
    count = 200
    room = await in_thread(new_room, limits={"talkers": count})
    issued = await asyncio.gather(*(ticket(room, f"user-{number}") for number in range(count)))
    clients: list[LiveClient] = await asyncio.gather(*(enter(text) for text in issued))
    last = (await in_thread(lambda: room.row)).last_seq
    for client in clients:
        await client.until_seq(last)
        client.assert_unbroken()
        assert len(client.roster) == count
    assert await in_thread(Member.objects.seated().filter(conference=room.conference).count) == count
    processes = set(await in_thread(lambda: list(Member.objects.values_list("process", flat=True))))
    assert len(processes) == 2
    assert (await in_thread(Conference.objects.get, pk=room.conference.pk)).talkers == count


def test_the_statement_of_the_snapshot_says_what_the_orm_says(live_room: Room, media) -> None:
    live_room.publish("bob")
    number = live_room.member("carol").number
    taken = snapshots.take_snapshot(live_room.conference.pk, [number])
    members = Member.objects.seated().filter(conference=live_room.conference, role__gte=Role.TALKER)
    assert [row["member"] for row in taken.page.members] == [member.number for member in members.order_by("number")]
    assert taken.conference.attributes == live_room.row.attributes
    assert taken.seq == live_room.row.last_seq
    carol = live_room.member("carol")
    assert taken.seats == {
        number: {
            "member": number,
            "role": carol.role,
            "muted": carol.muted,
            "state": carol.state,
            "reason": None,
            "connection": carol.connection,
        }
    }
    [told] = live_room.events("stream.added")
    assert taken.streams == [{"member": told.data["member"], "name": "bob", "stream": told.data["stream"]}]
