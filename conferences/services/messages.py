"""What members tell each other through the conference: attributes, broadcasts, commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from accounts.actors import Actor
from accounts.log import canonical
from conferences.errors import AttributesTooLarge, MessageTooLarge
from conferences.events import changing
from conferences.models import Member
from conferences.permissions import Action
from conferences.services.access import authorise
from conferences.services.roles import members_named

MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES, MAX_MESSAGE_BYTES = 100, 16 << 10, 8 << 10


def set_attributes(
    *, actor: Actor, confr_id: str, values: Mapping[str, str], delete: Collection[str] = ()
) -> dict[str, str]:
    """Write and delete conference attributes; answers all of them. The last writer of a key wins.

    Raises: AttributesTooLarge, NotAllowed. Records: attributes.updated with what differs, if anything.
    """
    with changing(actor, confr_id) as change:
        seat = authorise(change, actor, Action.SET_ATTRIBUTES)
        conference = change.conference
        before: dict[str, str] = conference.attributes
        kept = {key: value for key, value in before.items() if key not in delete}
        after = kept | dict(values)
        if len(after) > MAX_ATTRIBUTES or len(canonical(after)) > MAX_ATTRIBUTES_BYTES:
            raise AttributesTooLarge()
        conference.attributes = after
        data = {
            "set": {key: value for key, value in values.items() if before.get(key) != value},
            "deleted": sorted(before.keys() - after.keys()),
            "member": _number(seat),
        }
        if data["set"] or data["deleted"]:
            change.record("attributes.updated", actor, data=data)
    return after


def broadcast(*, actor: Actor, confr_id: str, content: str) -> int:
    """Tell every member something; answers the fact's number. Raises: MessageTooLarge. Records: message.broadcast."""
    with changing(actor, confr_id) as change:
        seat = authorise(change, actor, Action.BROADCAST)
        _check(content)
        data = {"member": _number(seat)}
        event = change.record("message.broadcast", actor, data=data, personal={"name": actor.name, "content": content})
    return event.seq


def send_command(*, actor: Actor, confr_id: str, names: Collection[str], content: str) -> dict[str, bool]:
    """Tell some members something; answers for each name whether it is inside.

    Raises: MessageTooLarge. Records: message.sent.
    """
    with changing(actor, confr_id) as change:
        seat = authorise(change, actor, Action.COMMAND)
        _check(content)
        found = members_named(change, names)
        receivers = [member.number for member in found.values() if member]
        change.record(
            "message.sent",
            actor,
            data={"member": _number(seat), "to": receivers},
            personal={"name": actor.name, "content": content},
        )
    return {name: member is not None for name, member in found.items()}


def _check(content: str) -> None:
    if len(content.encode()) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge()


def _number(seat: Member | None) -> int:
    """The sender's number; 0 for who has no seat: the application, the staff, Confr itself."""
    return seat.number if seat else 0
