"""Every address of the dashboard and of signing in, filled with what there is: a new page is attacked by itself."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import services
from accounts.actors import system
from accounts.models import Application, Membership, Staff, StaffRole
from conferences.models import BulkAct, Event, Recording, SavedFilter, Take
from conferences.services import bans
from conferences.services.moderation import Hold
from tests.dashboard_client import session_of
from tests.factories import Room

OURS = ("dashboard/", "account/")
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\^?\(\?P<(\w+)>[^)]*\)")
PASSWORD = "correct horse battery"
NAME = "what-none-else-may-read"


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    route: str
    path: str

    @property
    def is_of_a_tenant(self) -> bool:
        return "<str:slug>" in self.route


@dataclass(frozen=True, slots=True)
class World:
    """An application with one of everything, and browsers of its staff."""

    application: Application
    room: Room
    staff: dict[str, Staff]
    addresses: list[Address]

    def browser(self, role: str, **options: Any) -> Client:
        """`role`: a staff role, "superuser", "stranger" (an owner elsewhere) or "nobody"."""
        client = Client(raise_request_exception=False, **options)
        if role != "nobody":
            client.cookies[settings.SESSION_COOKIE_NAME] = session_of(self.staff[role])
        return client

    def address(self, name: str) -> str:
        return next(each.path for each in self.addresses if each.name == name)


def routes() -> Iterator[tuple[str, str]]:
    """The names and routes of all pages that are ours."""
    for route, pattern in _walk(get_resolver().url_patterns, ""):
        if route.startswith(OURS):
            yield str(pattern.name), route


def furnish(application: Application, foreign: Application, room: Room) -> World:
    """Make the world; needs the fixtures `room` and `media`."""
    staff = {role.value: _hire(role.value, application, role) for role in StaffRole}
    staff["stranger"] = _hire("stranger", foreign, StaffRole.OWNER)
    staff["superuser"] = Staff.objects.create_superuser("super-user")
    staff["owner"].set_password(PASSWORD)
    staff["owner"].save()
    values = _values(application, room, staff["owner"])
    return World(application, room, staff, [Address(*each, _fill(each[1], values)) for each in routes()])


def _hire(name: str, application: Application, role: str) -> Staff:
    staff: Staff = Staff.objects.create_user(f"{name}-{secrets.token_hex(2)}")
    services.add_membership(actor=system(), application=application, staff=staff, role=role)
    return staff


def _values(application: Application, room: Room, owner: Staff) -> dict[str, object]:
    """What addresses name, by parameter, or by the parameter and what is before it."""
    stream = room.publish("bob", rtc_id="camera").stream
    room.conference.name = NAME
    room.conference.save(update_fields=["name"])
    bans.ban_users(actor=room.backend, names=["charlie"], hold=Hold(reason=NAME))
    take = Take.objects.create(conference=room.conference, started_at=timezone.now())
    kept = {"application": application, "conference": room.conference, "take": take, "stream": stream}
    recording = Recording.objects.create(kind="stream", member=stream.member, state="failed", **kept)
    invited = services.invite_staff(actor=system(), application=application, role=StaffRole.AUDITOR)
    key = services.create_api_key(actor=system(), application=application, name=NAME, scopes=["read"], expires_at=None)
    session = UserSession.objects.create(user=owner, session_key="a" * 32, ip="192.0.2.1", user_agent="Firefox")
    return {
        "slug": application.app_id,
        "confr_id": room.id,
        "act": "lock",
        "part": "figures",
        "hours": 24,
        "recording_id": recording.pk,
        "filter_id": SavedFilter.objects.create(staff=owner, application=application, name=NAME, query="").pk,
        "act_id": BulkAct.objects.create(staff=owner, application=application, verb="lock", token="t").pk,
        "log": "conference",
        "session": session.pk,
        "token": invited.token,
        "provider_id": "sso",
        "keys/pk": key.key.pk,
        "invitations/pk": invited.invitation.pk,
        "members/pk": Membership.objects.get(staff=owner).pk,
        "log/pk": Event.objects.filter(conference=room.conference).latest("pk").pk,
        "wall/pk": stream.pk,
        "sessions/pk": session.pk,
    }


def _fill(route: str, values: dict[str, object]) -> str:
    """A KeyError says that a new page has a parameter that `_values` must know."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        before = re.sub(r".*<\w+:(\w+)>$", r"\1", route[: match.start()].rstrip("/")).rsplit("/", 1)[-1]
        qualified = f"{before}/{name}"
        return str(values[qualified] if qualified in values else values[name])

    return "/" + PARAMETER.sub(value, route)


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern
