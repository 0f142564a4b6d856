"""What the dashboard's socket says: facts and snapshots as frames. Pure. docs/dashboard.md describes them.

Facts keep their own names (`member.joined`); the names of fields are camelCase, as everywhere on the wire.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from conferences.events import Seen, staff_viewer, view
from conferences.models import Conference
from conferences.services.oversight import Whole

Json = dict[str, Any]

# What pages ask to be told of, by the first word of what happened. The log of all of it is the audit page's.
TOPICS = {
    "conference": "rooms",
    "member": "members",
    "role": "members",
    "stream": "streams",
    "media": "streams",
    "ban": "bans",
    "recording": "recordings",
    "sample": "refusals",
}
ALL_TOPICS = sorted({*TOPICS.values(), "audit"})


@dataclass(frozen=True, slots=True)
class StaffEncoder:
    """Turns facts into frames for the staff; equal for all who watch."""

    def encode(self, seen: Seen, prev: int, *, own: bool) -> Sequence[bytes]:
        return [orjson.dumps(push(seen) | ({"prev": prev} if seen.seq else {}))]


def push(seen: Seen) -> Json:
    """A fact with who did it; a note has the number 0 and nobody who did it."""
    return {"seq": seen.seq, "event": seen.type, "at": seen.at, "actor": seen.audit, "data": camel(seen.data)}


def snapshot(whole: Whole) -> bytes:
    """The whole state at one moment, from which the facts after `seq` go on."""
    seen = [view(fact, staff_viewer()) for fact in whole.past]
    data = {
        "conference": _conference(whole.conference),
        **members(whole.members, whole.cursor),
        "streams": [camel(stream) for stream in whole.streams],
        "attributes": whole.conference.attributes,
        "waiting": [camel(request) for request in whole.waiting],
        "past": [push(each) for each in seen if each is not None],
        "names": {str(number): name for number, name in whole.names.items()},
    }
    return _frame("snapshot", seq=whole.seq, data=data)


def page(rows: Sequence[Json], cursor: int | None) -> bytes:
    """Members that found no place in the snapshot."""
    return _frame("members", data=members(rows, cursor))


def members(rows: Sequence[Json], cursor: int | None) -> Json:
    return {"members": [camel(row) for row in rows], "cursor": cursor}


def resumed(seq: int) -> bytes:
    """What was missed after `seq` follows."""
    return _frame("resumed", seq=seq)


def watching() -> bytes:
    """From now on changes are told; `topics` are all there are, for who was away."""
    return _frame("watching", data={"topics": ALL_TOPICS})


def changed(types: Iterable[str], conferences: Iterable[str]) -> bytes:
    topics = {TOPICS[head] for each in types if (head := each.partition(".")[0]) in TOPICS}
    if any(not each.startswith("sample.") for each in types):
        topics.add("audit")
    if "application.changed" in types:
        topics.add("bans")
    return _frame("changed", data={"topics": sorted(topics), "conferences": sorted(conferences)})


def beat() -> bytes:
    """A sign of life, so that a client learns of a connection that died quietly."""
    return _frame("beat")


def _frame(event: str, **fields: object) -> bytes:
    return orjson.dumps({"event": event, "at": int(time.time() * 1000), **fields})


def _conference(conference: Conference) -> Json:
    names = (
        "confr_id", "name", "type", "state", "ext", "max_talkers", "max_videos", "max_audience", "max_desktops",
        "default_role", "allow_audience_talk", "rec", "rec_merge", "locked", "mute_newcomers", "talkers", "audience",
        "videos", "desktops", "admins", "created_at", "entered_at", "closed_at", "close_reason", "max_seconds",
    )  # fmt: skip
    row = {name: getattr(conference, name) for name in names}
    for name in ("created_at", "entered_at", "closed_at"):
        row[name] = int(row[name].timestamp() * 1000) if row[name] else None
    return camel(row)


def camel(row: Mapping[str, Any]) -> Json:
    """The row by the wire's names; within it, those of a stream. What people wrote stays as it is."""
    named = {_camel(name): value for name, value in row.items()}
    if isinstance(stream := row.get("stream"), dict):
        named["stream"] = camel(stream)
    return named


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
