"""emedia's tables against recorded frames: what each fact is on its wire, and what its clients' words mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from accounts.errors import BadParameters, NotAllowed
from conferences.errors import PasswordWrong, TicketExpired
from conferences.events import Seen, Viewer, view
from conferences.models import ConferenceType, Role
from conferences.permissions import Action
from conferences.vendors.emedia import codec, tokens
from conferences.vendors.emedia.bodies import attribute_changes, wishes
from conferences.vendors.emedia.codec import FrameEncoder
from conferences.vendors.emedia.consumer import EmediaConsumer
from conferences.vendors.fields import Fields

Json = dict[str, Any]

FRAMES = Path(__file__).parent / "frames"
PUSHES: list[Json] = json.loads((FRAMES / "pushes.json").read_text())
REQUESTS: Json = json.loads((FRAMES / "requests.json").read_text())
BODIES: Json = json.loads((FRAMES / "bodies.json").read_text())
SESS_ID = b'"CONFRM1"'


def encoded(fact: Json, viewer: Viewer) -> list[Json]:
    """What the socket of `viewer` gets, as the hub writes it."""
    own = fact["data"].get("member") == viewer.member
    seen = view(fact, viewer) if fact["seq"] else note(fact)
    if seen is None:
        return []
    messages = FrameEncoder("CONFR", "acme#demo", "rt_1").encode(seen, fact["seq"] - 1, own=own)
    return [orjson.loads(SESS_ID.join(parts)) for parts in messages if isinstance(parts, tuple)]


def note(fact: Json) -> Seen:
    return Seen(0, fact["type"], fact["at"], fact["data"])


@pytest.mark.parametrize("record", PUSHES, ids=[record["says"] for record in PUSHES])
def test_a_fact_is_these_pushes(record: Json) -> None:
    assert encoded(record["fact"], Viewer(1, Role.TALKER)) == record["frames"]


def test_every_push_has_the_receivers_own_sess_id_and_is_encoded_once_for_all() -> None:
    alices, bobs = FrameEncoder("CONFR", "acme#demo", "rt_1"), FrameEncoder("CONFR", "acme#demo", "rt_2")
    assert (alices, hash(alices)) == (bobs, hash(bobs))
    joined = next(record["fact"] for record in PUSHES if record["says"] == "300: a member enters")
    seen = view(joined, Viewer(1, Role.TALKER))
    assert seen is not None
    [parts] = alices.encode(seen, 11, own=False)
    assert isinstance(parts, tuple)
    for receiver in ("CONFRM1", "CONFRM2"):
        assert orjson.loads(orjson.dumps(receiver).join(parts))["sessId"] == receiver


# What clients say


def consumer() -> EmediaConsumer:
    return EmediaConsumer()


@pytest.mark.parametrize(
    ("name", "op", "tsx_id"),
    [
        ("enter", "enter", "MSG1600000000000-0"),
        ("leave", "201", "MSG1600000000000-1"),
        ("close", "204", "MSG1600000000000-2"),
        ("copy", "1000", "MSG1600000000000-3"),
        ("switch", "400", "MSG1600000000000-4"),
        ("ask to talk", "1002", "MSG1600000000000-5"),
        ("refuse", "1001", "MSG1600000000000-5"),
        ("pass through", "1003", "MSG1600000000000-7"),
    ],
)
def test_a_frame_is_read_with_its_op_and_its_id(name: str, op: str, tsx_id: str) -> None:
    frame = consumer().decode(json.dumps(REQUESTS[name]))
    assert (frame.op, frame.id) == (op, tsx_id)


@pytest.mark.parametrize(
    "text", [None, "", "hello", "[]", "1", '{"op": "enter"}', '{"op": -1}', '{"op": 200, "tsxId": 1}']
)
def test_what_is_no_frame_is_refused(text: str | None) -> None:
    with pytest.raises(BadParameters):
        consumer().decode(text)


@pytest.mark.parametrize(
    ("name", "nick_name", "ext", "is_vendors"),
    [
        ("enter", "", '{"nick":"A"}', True),
        ("enter from joinRoom", "Al", '{"nickName":"Al"}', True),
        ("enter again", "", "{}", True),
        ("enter from the web", "Al", "", False),
    ],
)
def test_who_enters_says_its_name_in_one_of_two_places(name: str, nick_name: str, ext: str, is_vendors: bool) -> None:
    """The mini-program's SDK sends the long name as `nickName`, and the nickname within `ext`."""
    member = consumer()
    wish = member.decode_wish(member.decode(json.dumps(REQUESTS[name])))
    assert (wish.ticket, wish.nick_name, wish.ext) == ("tk_7_mac", nick_name, ext)
    assert member.is_vendors is is_vendors


def test_a_ticket_may_come_as_text_too() -> None:
    frame = Fields({"tkt": json.dumps(REQUESTS["enter"]["tkt"])})
    assert tokens.read_ticket(frame) == "tk_7_mac"


def test_a_creators_wishes_with_what_was_left_empty_left_out() -> None:
    made = wishes(Fields(BODIES["create"]), "alice")
    assert (made.type, made.password, made.creator, made.rec, made.rec_merge) == (10, "pw", "alice", False, False)
    made = wishes(Fields(BODIES["create without a wish"]), "alice")
    assert (made.type, made.password) == (ConferenceType.COMMUNICATION, None)


def test_a_rooms_config() -> None:
    made = wishes(Fields(BODIES["room"]), "alice")
    assert (made.name, made.password, made.rec, made.rec_merge) == ("daily", "", True, False)
    assert made.limits == {"talkers": 6, "videos": 4, "audience": 100, "desktops": 1}


def test_a_backends_wishes() -> None:
    made = wishes(Fields(BODIES["rest"]))
    assert (made.type, made.creator, made.default_role, made.delay_seconds) == (
        11,
        "acme#demo_alice",
        Role.AUDIENCE,
        360,
    )
    assert made.allow_audience_talk


def test_numbers_and_truths_may_come_as_texts() -> None:
    made = wishes(Fields(BODIES["third party"]))
    assert (made.type, made.default_role, made.rec) == (ConferenceType.LIVE, Role.TALKER, True)


@pytest.mark.parametrize(
    "body",
    [
        {"confrType": 13},
        {"confrType": "x"},
        {"password": 5},
        {"password": "x" * 65},
        {"rec": "perhaps"},
        {"maxTalkerCount": -1},
        {"maxTalkerCount": 1.5},
        {"memDefaultRole": 9},
        {"roomName": "a\x00b"},
    ],
)
def test_what_cannot_be_meant_is_refused(body: Json) -> None:
    with pytest.raises(BadParameters):
        wishes(Fields(body))


def test_of_two_wishes_for_one_attribute_the_later_counts() -> None:
    changes = [
        Fields({"key": "a", "val": "1", "op": "UPDATE"}),
        Fields({"key": "b", "val": "2", "op": "UPDATE"}),
        Fields({"key": "a", "op": "DEL"}),
        Fields({"key": "c", "op": "DEL"}),
        Fields({"key": "c", "val": {"x": 1}, "op": "UPDATE"}),
    ]
    assert attribute_changes(changes) == ({"b": "2", "c": '{"x":1}'}, {"a"})


# Refusals


def test_refusals_have_the_vendors_numbers() -> None:
    assert codec.code_of(PasswordWrong()) == -508
    assert codec.code_of(TicketExpired()) == -502
    assert codec.code_of(NotAllowed(action=Action.KICK.value)) == -101
    assert codec.code_of(NotAllowed(action=Action.GRANT_ROLE.value)) == -702
    assert codec.code_of(NotAllowed(action=Action.CREATE.value)) == -700
    assert codec.code_of(NotAllowed()) == -101
