"""Words that templates do not hold: what the scripts say, for the page to carry along, and what refusals mean."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.errors import DomainError
from conferences.models import Kind, Role

Text = str | Promise

EVENTS: dict[str, Text] = {
    "conference.created": _("The room was created"),
    "conference.updated": _("The settings were changed"),
    "conference.locked": _("The room was locked"),
    "conference.unlocked": _("The room was unlocked"),
    "conference.muted": _("Everybody was muted: {kinds}"),
    "conference.unmuted": _("Everybody may talk again: {kinds}"),
    "conference.closed": _("The room was ended"),
    "ticket.issued": _("A ticket was issued for {name}"),
    "ticket.revoked": _("Tickets were revoked"),
    "ticket.expired": _("Tickets have expired"),
    "member.joined": _("{name} came in"),
    "member.lost": _("{name} lost the connection"),
    "member.returned": _("{name} is back"),
    "member.exited": _("{name} left"),
    "member.vanished": _("{name} did not come back"),
    "member.kicked": _("{name} was removed"),
    "member.muted": _("{name} was muted: {kinds}"),
    "member.unmuted": _("{name} may again: {kinds}"),
    "role.changed": _("{name} is now {role}"),
    "role.requested": _("{name} asks to be {role}"),
    "role.granted": _("{name} was granted: {role}"),
    "role.declined": _("{name} was declined: {role}"),
    "stream.added": _("{name} publishes {stream}"),
    "stream.changed": _("{name} switched sound or picture of {stream}"),
    "stream.removed": _("{name} publishes {stream} no more"),
    "stream.refused": _("{stream} of {name} was refused: there is no free seat for it, or it is muted"),
    "stream.watched": _("Staff watched {stream} of {name}"),
    "attributes.updated": _("The attributes were changed"),
    "message.broadcast": _("{name} to everybody: {content}"),
    "message.sent": _("{name} to {receivers}: {content}"),
    "ban.added": _("Kept out: {name}{network}"),
    "ban.lifted": _("Bans were lifted"),
    "media.repaired": _("The list of streams was put right"),
    "mix.started": _("A mix began"),
    "mix.updated": _("A mix was changed"),
    "mix.stopped": _("A mix was stopped"),
    "mix.failed": _("A mix failed"),
    "recording.started": _("The recording began"),
    "recording.paused": _("The recording pauses"),
    "recording.resumed": _("The recording goes on"),
    "recording.stopped": _("The recording stopped"),
    "recording.ready": _("A recording is ready"),
    "recording.failed": _("A recording failed"),
    "recording.retried": _("A recording is tried again"),
    "recording.held": _("A recording is under legal hold"),
    "recording.released": _("The legal hold of a recording was released"),
    "recording.deleted": _("A recording was deleted"),
}
ACTS: dict[str, Text] = {
    "kick": _("Remove"),
    "ban": _("Ban"),
    "ban_network": _("Ban addresses"),
    "unban": _("Lift bans"),
    "mute": _("Mute"),
    "mute_all": _("Mute everybody"),
    "role": _("Change the role"),
    "answer": _("Answer"),
    "stop_stream": _("Stop the stream"),
    "lock": _("Lock"),
    "announce": _("Announce"),
    "send": _("Send a message"),
    "invite": _("Invite"),
    "record": _("Record"),
    "end": _("End the room"),
}
# Each key of the console, the act that it does ("" where everybody may), and what the help sheet says of it.
KEYS: dict[str, tuple[str, Text]] = {
    "j": ("", _("Next member")),
    "k": ("", _("Previous member")),
    "x": ("", _("Select the member")),
    "u": ("", _("Select nobody")),
    "m": ("mute", _("Mute or unmute the microphone")),
    "v": ("mute", _("Mute or unmute the camera")),
    "d": ("mute", _("Mute or unmute the screen")),
    "w": ("watch", _("Watch the member's stream")),
    "t": ("role", _("Make a talker")),
    "a": ("role", _("Make audience")),
    "s": ("send", _("Send a message")),
    "K": ("kick", _("Remove from the room")),
    "B": ("ban", _("Ban")),
    "M": ("mute_all", _("Mute everybody")),
    "A": ("announce", _("Announce something")),
    "i": ("invite", _("Invite somebody")),
}
KINDS: dict[str, Text] = {Kind.AUDIO: _("microphone"), Kind.VIDEO: _("camera"), Kind.DESKTOP: _("screen")}
MUTE: dict[str, Text] = {
    Kind.AUDIO: _("Mute the microphone of {name}"),
    Kind.VIDEO: _("Mute the camera of {name}"),
    Kind.DESKTOP: _("Mute the screen of {name}"),
}
UNMUTE: dict[str, Text] = {
    Kind.AUDIO: _("Unmute the microphone of {name}"),
    Kind.VIDEO: _("Unmute the camera of {name}"),
    Kind.DESKTOP: _("Unmute the screen of {name}"),
}
STREAM_KINDS: dict[str, Text] = {Kind.AUDIO: _("sound"), Kind.VIDEO: _("camera"), Kind.DESKTOP: _("screen")}
HEALTH: dict[str, Text] = {
    "new": _("Not measured yet"),
    "good": _("Flows"),
    "silent": _("Nothing comes"),
    "disobeys": _("Is muted, but still sends: {kinds}"),
}
ACTORS: dict[str, Text] = {"application": _("the application"), "staff": _("staff"), "system": "Confr", "user": ""}
UNCONFIRMED = _("“{act}” is not confirmed yet. Look again in a moment.")
WALL_KEYS: dict[str, Text] = {
    "p": _("Stop or go on renewing the pictures"),
    "n": _("Next page"),
    "b": _("Page before"),
    "+": _("Larger pictures"),
    "-": _("Smaller pictures"),
    "w": _("Watch"),
    "m": _("Mute or unmute"),
    "S": _("Stop the stream"),
    "K": _("Remove from the room"),
}


def refusals() -> dict[str, Text]:
    """What each code of a refusal means in words."""
    found, rows = {}, [DomainError]
    while rows:
        row = rows.pop()
        found[row.code] = row.message
        rows += row.__subclasses__()
    return found


def console_texts(may: dict[str, bool]) -> dict[str, Any]:
    """All of them, as they are in the language that is active now; keys only for what the role may do."""
    return {
        "events": EVENTS,
        "acts": ACTS,
        "keys": {key: label for key, (act, label) in KEYS.items() if may.get(act, True)},
        "kinds": KINDS,
        "mute": MUTE,
        "unmute": UNMUTE,
        "streamKinds": STREAM_KINDS,
        "health": HEALTH,
        "actors": ACTORS,
        "roles": {str(role.value): role.label for role in Role},
        "lockLabels": [_("Lock"), _("Unlock")],
        "recordLabels": [_("Record"), _("Stop recording")],
        "reconnecting": _("reconnecting"),
        "selectOne": _("Select {name}"),
        "several": _("{count} members"),
        "mix": _("mix"),
        "asks": _("asks to be {role} · {time}"),
        "toAll": _("everybody"),
        "toSome": _("to {names}"),
        "because": _("“{reason}”"),
        "except": _("except {names}"),
        "notInside": _("Not in the room: {names}"),
        "unconfirmed": UNCONFIRMED,
    }


def wall_texts() -> dict[str, Any]:
    """The same for the wall."""
    return {
        "acts": ACTS,
        "kinds": KINDS,
        "mute": MUTE,
        "unmute": UNMUTE,
        "streamKinds": STREAM_KINDS,
        "health": HEALTH,
        "mix": _("mix"),
        "unconfirmed": UNCONFIRMED,
        "watch": _("Watch {name}"),
        "figures": _("{from}–{to} of {total}"),
        "keys": WALL_KEYS,
    }
