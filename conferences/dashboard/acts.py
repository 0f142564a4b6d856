"""What staff do in a live room: each act's name, the form of its body, and the service that it calls.

No rule lives here: who may do what is in `conferences.permissions`, and the services refuse.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import qrcode
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from qrcode.image.svg import SvgPathImage

from accounts.actors import Actor
from accounts.errors import BadParameters
from conferences.dashboard.pages import is_plain
from conferences.models import Kind, Role
from conferences.permissions import Action
from conferences.services import bans, conferences, messages, moderation, roles, streams, takes, tickets
from conferences.services.moderation import MAX_NAMES, Hold

Json = dict[str, Any]
MAX_REASON, MAX_NOTE, MAX_NAME = 200, 2000, 200
DAY_SECONDS = 86_400


class Text(forms.CharField):
    """Text, and nothing that could be taken for it."""

    def to_python(self, value: object) -> str:
        if value is not None and not (isinstance(value, str) and is_plain(value)):
            raise ValidationError("text")
        return str(super().to_python(value))


class Flag(forms.Field):
    """True or false; false where nothing is said."""

    def to_python(self, value: object) -> bool:
        if not isinstance(value, bool | None):
            raise ValidationError("flag")
        return bool(value)


class Names(forms.Field):
    """A list of user names, none of them empty."""

    def to_python(self, value: object) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > MAX_NAMES:
            raise ValidationError("names")
        if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME and is_plain(name) for name in value):
            raise ValidationError("names")
        return value


class Body(forms.Form):
    """The body of an act. Every act takes a reason, which is recorded with what it changes."""

    reason = Text(max_length=MAX_REASON, required=False)


class Kick(Body):
    names = Names()
    allow_rejoin = Flag()


class Keep(Body):
    """How long a ban holds; without seconds, until it is lifted."""

    seconds = forms.IntegerField(min_value=1, max_value=10 * 365 * DAY_SECONDS, required=False)
    note = Text(max_length=MAX_NOTE, required=False)
    everywhere = Flag()

    @property
    def hold(self) -> Hold:
        kept = self.cleaned_data
        return Hold(seconds=kept["seconds"], reason=kept["reason"], note=kept["note"])


class BanNames(Keep):
    names = Names()


class BanNetwork(Keep):
    network = Text(max_length=64)


class Unban(Body):
    names = Names()
    everywhere = Flag()


class Mute(Body):
    names = Names()
    kinds = forms.MultipleChoiceField(choices=Kind.choices)
    muted = Flag()


class MuteAll(Body):
    kinds = forms.MultipleChoiceField(choices=Kind.choices)
    muted = Flag()
    newcomers = Flag()
    except_names = Names(required=False)


class Grant(Body):
    names = Names()
    role = forms.TypedChoiceField(choices=Role.choices, coerce=lambda value: Role(int(value)))


class Answer(Body):
    """To a member who asked for a role."""

    name = Text(max_length=MAX_NAME)
    member = forms.IntegerField(min_value=1, max_value=(1 << 31) - 1)
    role = forms.TypedChoiceField(choices=Role.choices, coerce=lambda value: Role(int(value)))
    granted = Flag()
    ref = Text(max_length=64, required=False)


class OneStream(Body):
    stream = Text(max_length=80)


class Lock(Body):
    locked = Flag()


class Record(Body):
    recorded = Flag()


class Announce(Body):
    content = Text(max_length=messages.MAX_MESSAGE_BYTES)


class Send(Announce):
    names = Names()


class Invite(Body):
    name = Text(max_length=MAX_NAME)
    role = forms.TypedChoiceField(choices=Role.choices, coerce=lambda value: Role(int(value)))
    seconds = forms.IntegerField(min_value=60, max_value=7 * DAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Act:
    """`action` is what the permission table calls it: who may not do it is not offered its button. One that is final
    asks for a fresh second factor."""

    action: Action
    body: type[Body]
    run: Callable[[Actor, str, Any], Json | None]
    is_final: bool = False


def perform(name: str, actor: Actor, confr_id: str, data: Mapping[str, Any]) -> Json:
    """Do what a button of the console asks for; answers what the service said.

    Raises: BadParameters, and whatever the service refuses with.
    """
    act = ACTS.get(name)
    if act is None:
        raise BadParameters(field="act")
    body = act.body(dict(data))
    if not body.is_valid():
        raise BadParameters(field=next(iter(body.errors)))
    return act.run(actor, confr_id, body) or {}


def _kick(actor: Actor, confr_id: str, body: Kick) -> Json:
    wish = body.cleaned_data
    inside = moderation.kick_members(
        actor=actor,
        confr_id=confr_id,
        names=wish["names"],
        allow_rejoin=wish["allow_rejoin"],
        hold=Hold(reason=wish["reason"]),
    )
    return {"inside": inside}


def _ban_names(actor: Actor, confr_id: str, body: BanNames) -> None:
    names = body.cleaned_data["names"]
    if body.cleaned_data["everywhere"]:
        bans.ban_users(actor=actor, names=names, hold=body.hold)
    else:
        moderation.ban_members(actor=actor, confr_id=confr_id, names=names, hold=body.hold)


def _ban_network(actor: Actor, confr_id: str, body: BanNetwork) -> None:
    network = body.cleaned_data["network"]
    if body.cleaned_data["everywhere"]:
        bans.ban_addresses(actor=actor, network=network, hold=body.hold)
    else:
        moderation.ban_addresses(actor=actor, confr_id=confr_id, network=network, hold=body.hold)


def _unban(actor: Actor, confr_id: str, body: Unban) -> Json:
    names = body.cleaned_data["names"]
    if body.cleaned_data["everywhere"]:
        return {"lifted": bans.unban_users(actor=actor, names=names)}
    return {"lifted": moderation.unban_members(actor=actor, confr_id=confr_id, names=names)}


def _mute(actor: Actor, confr_id: str, body: Mute) -> Json:
    found = moderation.mute_members(actor=actor, confr_id=confr_id, **body.cleaned_data)
    return {"inside": {name: member is not None for name, member in found.items()}}


def _mute_all(actor: Actor, confr_id: str, body: MuteAll) -> Json:
    return {"changed": moderation.mute_all(actor=actor, confr_id=confr_id, **body.cleaned_data)}


def _grant(actor: Actor, confr_id: str, body: Grant) -> Json:
    found = roles.grant_role(actor=actor, confr_id=confr_id, **body.cleaned_data)
    return {"inside": {name: member is not None for name, member in found.items()}}


def _answer(actor: Actor, confr_id: str, body: Answer) -> None:
    """Who agrees grants the role first: should that be refused, nobody is promised anything."""
    wish = body.cleaned_data
    if wish["granted"]:
        roles.grant_role(actor=actor, confr_id=confr_id, names=[wish["name"]], role=wish["role"], reason=wish["reason"])
    answer = {name: wish[name] for name in ("member", "role", "granted", "ref")}
    roles.answer_request(actor=actor, confr_id=confr_id, **answer)


def _stop_stream(actor: Actor, confr_id: str, body: OneStream) -> None:
    wish = body.cleaned_data
    streams.stop_stream(actor=actor, confr_id=confr_id, stream_id=wish["stream"], reason=wish["reason"])


def _lock(actor: Actor, confr_id: str, body: Lock) -> None:
    wish = body.cleaned_data
    changes = {"locked": wish["locked"]}
    conferences.update_conference(actor=actor, confr_id=confr_id, changes=changes, reason=wish["reason"])


def _record(actor: Actor, confr_id: str, body: Record) -> None:
    wish = body.cleaned_data
    service = takes.start_recording if wish["recorded"] else takes.stop_recording
    service(actor=actor, confr_id=confr_id, reason=wish["reason"])


def _announce(actor: Actor, confr_id: str, body: Announce) -> Json:
    return {"seq": messages.broadcast(actor=actor, confr_id=confr_id, content=body.cleaned_data["content"])}


def _send(actor: Actor, confr_id: str, body: Send) -> Json:
    wish = body.cleaned_data
    inside = messages.send_command(actor=actor, confr_id=confr_id, names=wish["names"], content=wish["content"])
    return {"inside": inside}


def _end(actor: Actor, confr_id: str, body: Body) -> None:
    conferences.destroy_conference(actor=actor, confr_id=confr_id, reason=body.cleaned_data["reason"])


def _invite(actor: Actor, confr_id: str, body: Invite) -> Json:
    wish = body.cleaned_data
    issued = tickets.issue_ticket(
        actor=actor, confr_id=confr_id, name=wish["name"], role=wish["role"], ttl_seconds=wish["seconds"]
    )
    link = invitation(confr_id, issued.text)
    return {"link": link, "qr": qr_code(link), "ticket": issued.text, "expiresAt": issued.ticket.expires_at.isoformat()}


def invitation(confr_id: str, ticket: str) -> str:
    """A link that lets its holder in. The ticket is behind the `#`: browsers send that to no server."""
    return f"{settings.PUBLIC_URL}{reverse('dashboard:join')}#{urlencode({'confrId': confr_id, 'ticket': ticket})}"


def qr_code(text: str) -> str:
    """A picture of `text` for phones, as the address of an image."""
    picture = io.BytesIO()
    qrcode.make(text, image_factory=SvgPathImage, border=2).save(picture)
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}"


ACTS: dict[str, Act] = {
    "kick": Act(Action.KICK, Kick, _kick),
    "ban": Act(Action.BAN, BanNames, _ban_names),
    "ban_network": Act(Action.BAN, BanNetwork, _ban_network),
    "unban": Act(Action.BAN, Unban, _unban),
    "mute": Act(Action.MUTE, Mute, _mute),
    "mute_all": Act(Action.MUTE, MuteAll, _mute_all),
    "role": Act(Action.GRANT_ROLE, Grant, _grant),
    "answer": Act(Action.GRANT_ROLE, Answer, _answer),
    "stop_stream": Act(Action.STOP_STREAM, OneStream, _stop_stream),
    "lock": Act(Action.LOCK, Lock, _lock),
    "record": Act(Action.RECORD, Record, _record),
    "announce": Act(Action.BROADCAST, Announce, _announce),
    "send": Act(Action.COMMAND, Send, _send),
    "invite": Act(Action.ISSUE_TICKET, Invite, _invite),
    "end": Act(Action.DESTROY, Body, _end, is_final=True),
}
