"""The hub's rooms without a network: whatever way facts come, each listener hears its own, once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from conferences.events import Seen, Viewer, view
from conferences.hub import Batch, Ending, Listener, Message, Room, Socket
from conferences.hub import room as rooms
from conferences.hub.sockets import MAX_UNREAD, TOO_SLOW, frame
from conferences.models import ExitReason

ME, OTHER = 1, 2


class Recorder(Socket):
    """A socket that remembers what was written."""

    def __init__(self, unread: int = 0) -> None:
        super().__init__()
        self.texts: list[Any] = []
        self.writes: list[int] = []
        self.code: int | None = None
        self.unread = unread

    def _write(self, batch: Batch, field: bytes) -> int:
        assert b"".join(map(frame, batch.payloads(field))) == batch.frames(field)
        self.writes.append(len(batch.messages))
        self.texts += [orjson.loads(payload) for payload in batch.payloads(field)]
        return self.unread

    def _finish(self, code: int, reason: str) -> None:
        self.code = code


class Plain:
    """Says what is seen as it is, and counts how often it was asked."""

    def __init__(self) -> None:
        self.encoded: list[tuple[int, int]] = []

    def encode(self, seen: Seen, prev: int, *, own: bool) -> Sequence[Message]:
        self.encoded.append((seen.seq, prev))
        return [orjson.dumps({"seq": seen.seq, "prev": prev, "type": seen.type, "own": own, **seen.data})]


def listener(room: Room, since: int, *, member: int = ME, encoder: Plain | None = None, role: int = 3) -> Listener:
    """One who holds everything up to `since` and follows from there."""
    made = Listener(1, f"c{member}", Viewer(member, role), encoder or Plain(), Recorder(), seated_at=since)
    made.since = made.sent = since
    room.listeners.add(made)
    room.start(since)
    missing = room.missing(since)
    assert missing is not None
    room.tell(made, missing)
    room.follow(made)
    return made


def heard(listener: Listener) -> list[int]:
    return [text["seq"] for text in texts(listener) if text["seq"]]


def texts(listener: Listener) -> list[Any]:
    assert isinstance(listener.socket, Recorder)
    return listener.socket.texts


def fact(seq: int, kind: str = "message.broadcast", at: int = 0, **data: Any) -> dict[str, Any]:
    personal = {"name": "bob", "content": str(seq), "nick_name": "", "ext": ""}
    return {"seq": seq, "type": kind, "at": at, "data": {"member": OTHER, **data}, "personal": personal}


async def settle(room: Room) -> None:
    """Let every flush happen that is due."""
    async with asyncio.timeout(5):
        while room._flush is not None:  # noqa: ASYNC110 a room tells nobody that it is done
            await asyncio.sleep(0.001)


def assert_unbroken(listener: Listener, since: int) -> None:
    last = since
    for text in texts(listener):
        if text["seq"]:
            assert text["prev"] == last
            assert text["seq"] > last
            last = text["seq"]


FACTS: list[tuple[str, dict[str, Any]]] = [
    ("message.broadcast", {}),
    ("message.broadcast", {"member": ME}),
    ("message.sent", {"to": [ME]}),
    ("message.sent", {"to": [OTHER, 3]}),
    ("ticket.issued", {}),
    ("member.joined", {"member": 3, "role": 3, "muted": []}),
    ("member.joined", {"member": 4, "role": 1, "muted": [], "silent": True}),
    ("role.changed", {"member": ME, "role": 7, "muted": []}),
    ("member.lost", {"member": OTHER}),
]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[list[int]], list[int]]:
    """Facts; the order in which they come, in pieces, with repetitions; and where three listeners come in."""
    kinds = draw(st.lists(st.sampled_from(FACTS), min_size=1, max_size=25))
    facts = [fact(seq, kind, **data) for seq, (kind, data) in enumerate(kinds, start=1)]
    order = draw(st.permutations(range(len(facts))))
    repeated = draw(st.lists(st.integers(0, len(facts) - 1), max_size=10))
    sequence = [*order, *repeated]
    cuts = sorted(draw(st.lists(st.integers(0, len(sequence)), max_size=6)))
    pieces = [sequence[a:b] for a, b in zip([0, *cuts], [*cuts, len(sequence)], strict=True)]
    entries = draw(st.lists(st.integers(0, len(pieces)), min_size=3, max_size=3))
    return facts, pieces, entries


@given(deliveries())
@settings(max_examples=150, deadline=None)
def test_facts_in_any_order_and_number_are_heard_once_and_in_order(delivery: Any) -> None:
    facts, pieces, entries = delivery
    asyncio.run(_check(facts, pieces, entries))


async def _check(facts: list[dict[str, Any]], pieces: list[list[int]], entries: list[int]) -> None:
    room, encoder, inside = Room(1), Plain(), []
    listener(room, 0, member=99, encoder=encoder)
    for moment in range(len(pieces) + 1):
        for member in [ME, OTHER, 3][: entries.count(moment)]:
            since = room.told
            inside.append((since, listener(room, since, member=member, encoder=encoder)))
        if moment < len(pieces):
            room.receive([facts[place] for place in pieces[moment]])
            if moment % 2:
                await settle(room)
    await settle(room)
    assert room.seq == len(facts)
    assert not room.is_behind
    for since, one in inside:
        viewer = Viewer(one.viewer.member, 3)
        expected = [f["seq"] for f in facts if f["seq"] > since and view(f, viewer) is not None]
        assert heard(one) == expected
        assert_unbroken(one, since)
        assert one.since in {since, len(facts)}


async def test_a_gap_is_known_and_holds_back_what_comes_after_it() -> None:
    room = Room(1)
    one = listener(room, 10)
    room.receive([fact(12), fact(13)])
    await settle(room)
    assert heard(one) == []
    assert room.is_behind
    room.receive([fact(11)])
    await settle(room)
    assert heard(one) == [11, 12, 13]
    assert not room.is_behind


async def test_what_comes_before_the_first_snapshot_is_kept_for_it() -> None:
    room = Room(1)
    room.receive([fact(5), fact(6), fact(7)])
    one = listener(room, 6)
    await settle(room)
    assert heard(one) == [7]


async def test_who_enters_late_hears_what_others_were_told_meanwhile() -> None:
    room = Room(1)
    first = listener(room, 0)
    room.receive([fact(1), fact(2), fact(3)])
    await settle(room)
    late = listener(room, 1, member=5)
    assert heard(late) == [2, 3]
    room.receive([fact(4)])
    await settle(room)
    assert heard(first) == [1, 2, 3, 4]
    assert heard(late) == [2, 3, 4]
    assert_unbroken(late, 1)


async def test_who_is_ahead_of_the_room_hears_nothing_twice() -> None:
    room = Room(1)
    listener(room, 0)
    ahead = listener(room, 3, member=5)
    room.receive([fact(1), fact(2), fact(3), fact(4)])
    await settle(room)
    assert heard(ahead) == [4]


async def test_what_is_no_longer_kept_must_be_read_from_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(1)
    listener(room, 0)
    room.receive([fact(1), fact(2)])
    await settle(room)
    assert [f["seq"] for f in room.missing(1) or []] == [2]
    monkeypatch.setattr(rooms, "RECENT_SECONDS", -1.0)
    room.receive([fact(3)])
    await settle(room)
    assert room.missing(1) is None
    assert room.missing(3) == []


async def test_a_thousand_receivers_cost_one_encoding() -> None:
    room, encoder = Room(1), Plain()
    crowd = [listener(room, 0, member=number, encoder=encoder) for number in range(10, 1010)]
    room.receive([fact(1), fact(2)])
    await settle(room)
    assert encoder.encoded == [(1, 0), (2, 1)]
    assert all(heard(one) == [1, 2] for one in crowd)


async def test_facts_of_one_tick_are_written_together() -> None:
    room = Room(1)
    one = listener(room, 0)
    assert isinstance(one.socket, Recorder)
    for seq in range(1, 8):
        room.receive([fact(seq)])
    await settle(room)
    assert one.socket.writes == [7]


async def test_a_note_has_no_number_and_breaks_no_chain() -> None:
    room = Room(1)
    one = listener(room, 0)
    for told in (fact(1), {"seq": 0, "type": "audience.counted", "at": 0, "data": {"audience": 5}}, fact(2)):
        room.receive([told])
    await settle(room)
    assert [text["seq"] for text in texts(one)] == [1, 0, 2]
    assert_unbroken(one, 0)


@pytest.mark.parametrize(
    ("kind", "data", "ending"),
    [
        ("member.exited", {"member": ME, "reason": ExitReason.KICKED}, Ending.KICKED),
        ("member.exited", {"member": ME, "reason": ExitReason.LEFT}, Ending.LEFT),
        ("member.exited", {"member": ME, "reason": ExitReason.LOST}, Ending.SEAT_LOST),
        ("member.returned", {"member": ME, "connection": "another"}, Ending.OTHER_DEVICE),
        ("conference.closed", {"reason": "destroyed"}, Ending.CLOSED),
        ("member.returned", {"member": ME, "connection": "c1"}, None),
        ("member.exited", {"member": OTHER, "reason": ExitReason.KICKED}, None),
        ("member.returned", {"member": OTHER, "connection": "another"}, None),
    ],
)
async def test_what_ends_a_socket(kind: str, data: dict[str, Any], ending: Ending | None) -> None:
    room = Room(1)
    one = listener(room, 0)
    room.receive([fact(1), fact(2, kind, **data), fact(3)])
    await settle(room)
    assert isinstance(one.socket, Recorder)
    assert one.socket.code == ending
    assert (3 in heard(one)) == (ending is None)
    assert (one in room.following) == (ending is None)


async def test_what_happened_to_the_seat_before_this_socket_took_it_ends_nothing() -> None:
    room = Room(1)
    one = Listener(1, "c1", Viewer(ME, 3), Plain(), Recorder(), seated_at=5)
    one.since = one.sent = 2
    room.start(2)
    room.tell(one, [fact(3, "member.returned", member=ME, connection="older"), fact(4)])
    room.follow(one)
    assert heard(one) == [4]
    assert one.socket.is_open


async def test_who_reads_too_slowly_is_closed_and_the_others_hear_on() -> None:
    room = Room(1)
    slow, quick = listener(room, 0), listener(room, 0, member=5)
    assert isinstance(slow.socket, Recorder)
    slow.socket.unread = MAX_UNREAD + 1
    room.receive([fact(1)])
    await settle(room)
    room.receive([fact(2)])
    await settle(room)
    assert slow.socket.code == TOO_SLOW
    assert heard(slow) == [1]
    assert heard(quick) == [1, 2]


def test_a_close_waits_for_the_reply_that_is_owed() -> None:
    one = Recorder()
    one.owe_reply()
    one.close(4412, "kicked")
    one.write(Batch([b"1"]))
    assert (one.texts, one.code) == ([], None)
    one.reply(b'"answer"')
    assert (one.texts, one.code) == (["answer"], 4412)
    one.close(1000)
    assert one.code == 4412


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_frames_are_what_websockets_are_made_of(size: int) -> None:
    payload = b"x" * size
    assert frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_a_receivers_own_field_stands_between_head_and_tail() -> None:
    batch = Batch([(b'{"s":"', b'"}'), b"{}"])
    assert batch.payloads(b"me") == [b'{"s":"me"}', b"{}"]
    assert batch.frames(b"me") == frame(b'{"s":"me"}') + frame(b"{}")
