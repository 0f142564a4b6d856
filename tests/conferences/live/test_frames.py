"""Frames: every fact that a member may see has one, and it says what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from accounts.errors import BadParameters
from conferences.errors import TalkersFull
from conferences.events import CATALOGUE, Audience, Seen
from conferences.live import frames
from conferences.live.operations import OPERATIONS

CONFR = "ABC"
STREAM = {"id": "cam__Of_M2", "rtc_id": "cam", "type": 0, "kind": "video", "video_off": False, "audio_off": True}
SAMPLE: dict[str, Any] = {
    "member": 2,
    "name": "bob",
    "nick_name": "Bobby",
    "ext": "",
    "role": 3,
    "was": 1,
    "muted": ["audio"],
    "changed": ["audio"],
    "all": False,
    "reason": 0,
    "stream": STREAM,
    "code": "muted",
    "set": {"a": "1"},
    "deleted": [],
    "content": "hi",
    "kinds": ["audio"],
    "locked": True,
    "rec": True,
    "rec_merge": False,
    "ref": "r1",
    "granted": True,
    "by": 1,
    "mix": 4,
    "recording": 5,
    "kind": "stream",
    "talkers": 3,
    "audience": 600,
}
DOCUMENTATION = Path(__file__).resolve().parents[3] / "docs" / "websocket.md"


def seen(kind: str, **data: Any) -> Seen:
    public = CATALOGUE[kind].public if kind in CATALOGUE else SAMPLE.keys()
    sample = {name: SAMPLE[name] for name in public if name in SAMPLE}
    if kind == "conference.muted":
        sample["muted"] = True
    return Seen(7, kind, 1_700_000_000_000, sample | data)


VISIBLE = [name for name, kind in CATALOGUE.items() if kind.audience is not Audience.STAFF]


def test_every_fact_that_a_member_may_see_has_a_frame_and_no_other() -> None:
    assert set(frames.EVENTS) == {*VISIBLE, "audience.counted"}


@pytest.mark.parametrize("kind", VISIBLE)
@pytest.mark.parametrize("own", [True, False])
def test_every_frame_is_json_with_numbers_and_names_of_the_wire(kind: str, own: bool) -> None:
    frame = frames.push(seen(kind), 5, own=own, confr_id=CONFR)
    assert (frame["seq"], frame["prev"], frame["confrId"]) == (7, 5, CONFR)
    assert frame["event"].startswith("on")
    assert orjson.loads(orjson.dumps(frame)) == frame
    assert not any("_" in name for name in _names(frame["data"]))


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


def test_a_note_has_no_numbers() -> None:
    note = Seen(0, "audience.counted", 1, {"talkers": 1, "audience": 2})
    frame = frames.push(note, 5, own=False, confr_id=CONFR)
    assert frame == {
        "event": "onAudienceCount",
        "confrId": CONFR,
        "at": 1,
        "data": {"talkers": 1, "audience": 2},
    }


def test_ones_own_exit_is_the_end_and_that_of_others_is_theirs() -> None:
    exited = seen("member.exited", reason=12)
    assert frames.event(exited, own=True, confr_id=CONFR) == ("onConferenceExit", {"reason": 12})
    name, data = frames.event(exited, own=False, confr_id=CONFR)
    assert (name, data) == ("onMemberExited", {"memId": "ABCM2", "memName": "bob", "reason": 12})


def test_muting_all_and_unmuting_all_are_two_callbacks() -> None:
    assert frames.event(seen("conference.muted"), own=False, confr_id=CONFR)[0] == "onMuteAll"
    assert frames.event(seen("conference.muted", muted=False), own=False, confr_id=CONFR)[0] == "onUnMuteAll"


def test_who_is_no_member_has_no_id() -> None:
    assert frames.event(seen("message.broadcast", member=0), own=False, confr_id=CONFR)[1]["memId"] is None


def test_a_stream_is_told_with_its_owner_and_switches() -> None:
    assert frames.event(seen("stream.added"), own=False, confr_id=CONFR)[1] == {
        "memId": "ABCM2",
        "memName": "bob",
        "streamId": "cam__Of_M2",
        "rtcId": "cam",
        "type": 0,
        "kind": "video",
        "voff": 0,
        "aoff": 1,
    }


@pytest.mark.parametrize(("language", "words"), [("en", "All talkers"), ("zh-hans", "")])
def test_a_refusal_has_a_code_a_message_and_its_facts(language: str, words: str) -> None:
    refusal = orjson.loads(frames.refusal(3, TalkersFull(limit="talkers", maximum=9, retry_after=1), language))
    assert refusal["id"] == 3
    error = refusal["error"]
    assert (error["code"], error["limit"], error["maximum"], error["retryAfter"]) == ("talkers_full", "talkers", 9, 1)
    assert error["message"].startswith(words)


def test_a_fact_of_a_refusal_never_hides_its_code() -> None:
    refusal = orjson.loads(frames.refusal(None, BadParameters(code="mine", message="mine"), "en"))
    assert refusal["error"]["code"] == "bad_parameters"


def test_every_callback_and_operation_is_documented() -> None:
    text = DOCUMENTATION.read_text()
    callbacks = {name for name, _ in frames.EVENTS.values()} | {"onUnMuteAll", "onConferenceExit"}
    missing = [name for name in [*callbacks, *OPERATIONS, "enter", "ping"] if f"`{name}`" not in text]
    assert missing == []


def test_the_examples_of_the_documentation_are_json() -> None:
    examples = re.findall(r"```json\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    lines = [line for example in examples for line in example.strip().splitlines()]
    assert len(lines) >= 7
    for line in lines:
        orjson.loads(line)
