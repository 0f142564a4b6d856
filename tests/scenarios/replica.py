"""A member's client: begins with a snapshot and follows the facts that it is shown."""

from __future__ import annotations

from typing import Any

from conferences.events import Seen, Viewer, view
from conferences.services.snapshots import Snapshot, facts_after, take_snapshot


class Replica:
    """What one member believes of its conference."""

    def __init__(self, conference_id: int, number: int) -> None:
        self._conference_id, self.number = conference_id, number
        snapshot = take_snapshot(conference_id, [number])
        self.viewer = Viewer(number, snapshot.seats[number]["role"])
        self.seq = snapshot.seq
        self.believes = _of_snapshot(snapshot, number)

    def follow(self) -> None:
        """Apply every fact since the last one that this member may see."""
        for fact in facts_after(self._conference_id, self.seq):
            self.seq = fact["seq"]
            seen = view(fact, self.viewer)
            if seen is not None:
                self._apply(seen)

    def truth(self) -> dict[str, Any]:
        """What a fresh snapshot would make it believe."""
        return _of_snapshot(take_snapshot(self._conference_id, [self.number]), self.number)

    def _apply(self, seen: Seen) -> None:  # noqa: C901 a table of what each fact means
        data = seen.data
        members, streams = self.believes["members"], self.believes["streams"]
        match seen.type:
            case "member.joined":
                members[data["member"]] = {"role": data["role"], "muted": data["muted"], "name": data["name"]}
            case "member.exited":
                del members[data["member"]]
            case "role.changed" | "member.muted":
                changed = {name: data[name] for name in ("role", "muted") if name in data}
                members[data["member"]] |= changed
                if data["member"] == self.number:
                    self.viewer.role = changed.get("role", self.viewer.role)
            case "stream.added" | "stream.changed":
                streams[data["stream"]["id"]] = data["stream"]
            case "stream.removed":
                del streams[data["stream"]["id"]]
            case "conference.updated":
                self.believes["locked"] = data.get("locked", self.believes["locked"])
            case "conference.closed":
                members.clear()
                streams.clear()
            case "attributes.updated":
                attributes = self.believes["attributes"]
                for name in data["deleted"]:
                    del attributes[name]
                attributes |= data["set"]


def _of_snapshot(snapshot: Snapshot, number: int) -> dict[str, Any]:
    shown = {row["member"]: row for row in snapshot.page.members}
    own = snapshot.seats[number]
    if own["state"] != "exited":  # in LIVE the list shows no audience, but everybody knows oneself
        shown.setdefault(number, own | {"name": None})
    members = {
        member: {"role": row["role"], "muted": row["muted"], "name": row["name"]} for member, row in shown.items()
    }
    members.get(number, {}).update(name=None)
    return {
        "members": members,
        "streams": {row["stream"]["id"]: row["stream"] for row in snapshot.streams},
        "attributes": dict(snapshot.conference.attributes),
        "locked": snapshot.conference.locked,
    }
