"""Who and what is in a conference, as emedia's replies say it, and how a client's roster is repaired. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson

from conferences.events import Viewer, view
from conferences.hub import Message
from conferences.services.snapshots import Snapshot
from conferences.vendors.emedia import codec
from conferences.vendors.emedia.codec import FrameEncoder, Json

Fact = dict[str, Any]


def reply(head: Json, wire: FrameEncoder, snapshot: Snapshot, oneself: Json) -> bytes:
    """A reply with the roster. What everybody gets alike is encoded once for all who share the snapshot.

    `oneself` is added to the members where LIVE hides it: SDKs leave when the roster lacks them.
    """
    members, rest = _shared(wire, snapshot)
    if all(seat["member"] != oneself["member"] for seat in snapshot.page.members):
        members = b",".join(filter(None, (members, orjson.dumps(codec.member(wire, oneself)))))
    return orjson.dumps(head)[:-1] + b',"mems":[' + members + b"]," + rest[1:]


@lru_cache(maxsize=16)
def _shared(wire: FrameEncoder, snapshot: Snapshot) -> tuple[bytes, bytes]:
    conference = snapshot.conference
    rest = {
        "streams": [codec.stream(wire, row) for row in snapshot.streams if row["member"]],
        "cattrs": conference.attributes,
        "cstate": codec.state(conference.mute_newcomers),
    }
    members = orjson.dumps([codec.member(wire, row) for row in snapshot.page.members])
    return members[1:-1], orjson.dumps(rest)


def missed(wire: FrameEncoder, facts: Iterable[Fact], viewer: Viewer) -> list[Message] | None:
    """What a client that did not take these facts in needs to hear again; None when its roster is right.

    An empty list means that only a whole roster repairs it: of a changed role there is no push to others.
    """
    messages, is_right = list[Message](), True
    for fact in facts:
        own = fact["data"].get("member") == viewer.member
        seen = view(fact, viewer)
        if seen is None:
            continue
        frames = [frame for frame in wire.frames(seen, own=own) if frame["op"] in codec.ROSTER]
        messages += map(codec.push, frames)
        is_right = is_right and not frames and seen.type != "role.changed"
    return None if is_right else messages


def repair(wire: FrameEncoder, snapshot: Snapshot, endings: Iterable[Fact], viewer: Viewer) -> Sequence[Message]:
    """What a client of which nobody knows what it heard must hear to know what is there now.

    Who and what went while it was inside goes once more, which says nothing to a client that knows. Members come
    once more, likewise. A stream that comes twice would be two: it goes first.
    """
    frames: list[Json] = []
    for fact in endings:
        seen = view(fact, viewer)
        if seen is not None and fact["data"].get("member") != viewer.member:
            frames += wire.frames(seen, own=False)
    others = [row for row in snapshot.page.members if row["member"] != viewer.member]
    frames += [{"op": codec.ENTERED, "mem": codec.member(wire, row)} for row in others]
    for row in snapshot.streams:
        if row["member"] not in (0, viewer.member):
            described = codec.stream(wire, row)
            frames.append({"op": codec.UNPUBLISHED, "memId": described["memId"], "pubSId": described["id"]})
            frames.append({"op": codec.PUBLISHED, "memId": described["memId"], "pubS": described})
    return [codec.push(frame | {"cver": snapshot.seq}) for frame in frames]
