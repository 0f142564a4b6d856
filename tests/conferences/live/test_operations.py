"""What members ask for over the socket, what the others are told, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.threads import in_thread
from conferences.live.operations import OPERATIONS
from conferences.models import Role
from tests.conferences.live.conftest import Enter, ticket
from tests.database import all_rows
from tests.factories import Room
from tests.live_client import Refused


async def test_a_member_gets_an_address_to_publish_at(enter: Enter, room: Room) -> None:
    bob = await enter(await ticket(room, "bob"))
    answer = await bob.ask("pubStream", rtcId="camera-1", kind="video")
    assert answer["streamId"] == "camera-1__Of_M2"
    assert answer["rtmp"].startswith("rtmp://")
    assert await bob.ask("pubStream", rtcId="camera-1", kind="video") == answer | {"rtmp": answer["rtmp"]}


async def test_a_stream_that_nobody_publishes_cannot_be_played(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    for stream_id in ("camera__Of_M2", "__Of_M", "x", "camera__Of_M99999999999"):
        with pytest.raises(Refused, match="stream_not_found"):
            await alice.ask("subStream", streamId=stream_id)
    offered = await alice.ask("pubStream", rtcId="mine")
    with pytest.raises(Refused, match="stream_ended"):
        await alice.ask("subStream", streamId=offered["streamId"])


async def test_attributes_are_told_to_everybody(enter: Enter, room: Room) -> None:
    alice, bob = await enter(await ticket(room, "alice")), await enter(await ticket(room, "bob"))
    assert await bob.ask("setConferenceAttrs", attrs={"a": "1", "b": "2"}) == {"attrs": {"a": "1", "b": "2"}}
    assert await bob.ask("deleteConferenceAttrs", keys=["a", "zzz"]) == {"attrs": {"b": "2"}}
    for client in (alice, bob):
        told = await client.until("onConfrAttrsUpdated", 2)
        assert told["data"] == {"set": {}, "deleted": ["a"], "memId": bob.entered["memId"]}


async def test_a_command_reaches_only_whom_it_is_for(enter: Enter, room: Room) -> None:
    alice, bob = await enter(await ticket(room, "alice")), await enter(await ticket(room, "bob"))
    carol = await enter(await ticket(room, "carol"))
    assert await alice.ask("sendCommand", memNames=["bob", "nobody"], content="psst") == {
        "members": {"bob": True, "nobody": False}
    }
    told = await bob.until("onCommand")
    assert told["data"] == {"memId": alice.entered["memId"], "memName": "alice", "content": "psst"}
    await alice.ask("sendBroadcast", content="all")
    for client in (alice, carol):
        await client.until("onBroadcast")
        assert "onCommand" not in client.events
        client.assert_unbroken()
    bob.assert_unbroken()


async def test_roles_go_up_by_an_admin_and_everybody_hears(enter: Enter, room: Room) -> None:
    alice, carol = await enter(await ticket(room, "alice")), await enter(await ticket(room, "carol"))
    assert carol.entered["role"] == Role.AUDIENCE
    answer = await alice.ask("grantRole", memNames=["carol", "nobody"], role=Role.TALKER.value)
    assert answer == {"members": {"carol": Role.TALKER, "nobody": None}}
    for client in (alice, carol):
        assert (await client.until("onRoleChanged"))["data"]["role"] == Role.TALKER


async def test_mutes_are_told(enter: Enter, room: Room) -> None:
    alice, bob = await enter(await ticket(room, "alice")), await enter(await ticket(room, "bob"))
    assert await alice.ask("muteMembers", memNames=["bob"]) == {"members": {"bob": ["audio"]}}
    assert (await bob.until("onMediaChanaged"))["data"]["muted"] == ["audio"]
    assert await alice.ask("muteAll", kinds=["audio", "video"]) == {"count": 2}
    assert (await bob.until("onMuteAll"))["data"] == {"kinds": ["audio", "video"]}
    dora = await enter(await ticket(room, "dora"))
    assert dora.entered["muted"] == ["audio", "video"]
    assert dora.entered["mutedAll"] == ["audio", "video"]
    await alice.ask("muteAll", kinds=["audio", "video"], muted=False)
    await bob.until("onUnMuteAll")


@pytest.mark.parametrize(
    ("op", "data"),
    [
        ("kickMembersById", {"memNames": ["carol"]}),
        ("grantRole", {"memNames": ["carol"], "role": 7}),
        ("grantRole", {"memNames": ["bob"], "role": 7}),
        ("muteMembers", {"memNames": ["carol"]}),
        ("muteAll", {}),
        ("stopStream", {"streamId": "camera__Of_M1"}),
    ],
)
async def test_a_talker_moderates_nobody(op: str, data: dict[str, Any], enter: Enter, room: Room) -> None:
    alice, bob = await enter(await ticket(room, "alice")), await enter(await ticket(room, "bob"))
    before = await in_thread(_facts, room)
    with pytest.raises(Refused, match="not_allowed"):
        await bob.ask(op, **data)
    assert await in_thread(_facts, room) == before
    await alice.ask("ping")
    assert alice.pushes == []


async def test_audience_cannot_publish(enter: Enter, room: Room) -> None:
    carol = await enter(await ticket(room, "carol"))
    with pytest.raises(Refused, match="not_allowed"):
        await carol.ask("pubStream", rtcId="camera")


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("pubStream", {}),
    ("pubStream", {"rtcId": 5}),
    ("pubStream", {"rtcId": "x" * 65}),
    ("pubStream", {"rtcId": "a", "type": 2}),
    ("pubStream", {"rtcId": "a", "type": True}),
    ("pubStream", {"rtcId": "a", "type": "0"}),
    ("pubStream", {"rtcId": "a", "kind": "smell"}),
    ("pubStream", {"rtcId": "a", "member": "alice"}),
    ("subStream", {"streamId": None}),
    ("setConferenceAttrs", {"attrs": {}}),
    ("setConferenceAttrs", {"attrs": {"a": 1}}),
    ("setConferenceAttrs", {"attrs": {"": "x"}}),
    ("setConferenceAttrs", {"attrs": [["a", "b"]]}),
    ("deleteConferenceAttrs", {"keys": "a"}),
    ("sendBroadcast", {"content": {"a": 1}}),
    ("sendBroadcast", {"content": "nul \x00"}),
    ("sendBroadcast", {"content": "x" * 8193}),
    ("sendCommand", {"memNames": [], "content": "x"}),
    ("sendCommand", {"memNames": ["a"] * 501, "content": "x"}),
    ("sendCommand", {"memNames": [["bob"]], "content": "x"}),
    ("grantRole", {"memNames": ["bob"], "role": 9}),
    ("grantRole", {"memNames": ["bob"], "role": 3.0}),
    ("kickMembersById", {"memNames": ["bob"], "allowRejoin": 1}),
    ("muteMembers", {"memNames": ["bob"], "kinds": []}),
    ("muteAll", {"newcomers": "yes"}),
    ("listMembers", {"cursor": -1}),
    ("listMembers", {"limit": 1001}),
    ("exit", {"now": True}),
    ("ping", {"x": 1}),
]


async def test_wrong_shapes_are_refused_field_by_field_and_change_nothing(enter: Enter, room: Room) -> None:
    text = await ticket(room, "alice")
    alice = await enter(text)
    facts = await in_thread(_facts, room)
    for count, (op, data) in enumerate(WRONG, start=1):
        with pytest.raises(Refused) as refused:
            await alice.ask(op, **data)
        assert refused.value.code == "bad_parameters", (op, data)
        assert refused.value.error["errors"], (op, data)
        if count % 8 == 0:  # before too many bad frames close the socket
            alice = await enter(text)
    returned = [fact for fact in await in_thread(_facts, room) if fact not in facts]
    assert {fact["type"] for fact in returned} <= {"member.returned", "member.lost"}


async def test_names_with_odd_characters_are_names_or_refusals(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    for name in ("名字 with spaces", "'; DROP TABLE users; --", "🙂" * 30, "a" * 64):
        assert await alice.ask("sendCommand", memNames=[name], content="x") == {"members": {name: False}}
    for name in ("other#app_user", "tab\tname", " padded ", "a" * 65):
        with pytest.raises(Refused) as refused:
            await alice.ask("sendCommand", memNames=[name], content="x")
        assert refused.value.code in {"user_name_invalid", "bad_parameters"}


async def test_an_unknown_operation_is_named(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    with pytest.raises(Refused) as refused:
        await alice.ask("dropTables")
    assert (refused.value.code, refused.value.error["op"]) == ("operation_unknown", "dropTables")


async def test_a_ping_tells_the_last_number_that_was_sent(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    assert (await alice.ask("ping"))["seq"] == alice.entered["seq"]
    await alice.ask("sendBroadcast", content="x")
    await alice.until("onBroadcast")
    assert (await alice.ask("ping"))["seq"] == alice.last_seq


def test_every_operation_takes_an_object_of_known_fields() -> None:
    for operation in OPERATIONS.values():
        arguments = [field.argument for field in operation.shape.values()]
        assert len(arguments) == len(set(arguments))
        assert all(isinstance(field.accepts, Callable) for field in operation.shape.values())  # type: ignore[arg-type]


def _facts(room: Room) -> list[dict[str, Any]]:
    return all_rows()["conferences.Event"]
