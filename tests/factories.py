"""Small makers of what tests need, through the services that users go through."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from accounts import services
from accounts.actors import Actor, ActorKind, system
from accounts.authentication import forget
from accounts.models import Application, Scope, User
from conferences.media.base import MediaEvent, media_server
from conferences.media.fake import FakeMediaServer
from conferences.models import Conference, ConferenceType, Event, Member, Role, Stream
from conferences.services import admission, conferences, members, streams, tickets
from conferences.services.conferences import Wishes
from conferences.services.members import Entrance, Loss
from conferences.services.tickets import Issued

Found = TypeVar("Found")
ALL_SCOPES = frozenset(Scope.values)
MODERATOR_SCOPES = frozenset({Scope.READ.value, Scope.MODERATE.value, Scope.MESSAGES.value})


def application(org: str = "", app: str = "live", **changes: Any) -> Application:
    made = services.create_application(actor=system(), org=org or f"org-{secrets.token_hex(4)}", app=app)
    return change_application(made, **changes) if changes else made


def change_application(application: Application, **changes: Any) -> Application:
    """Change its limits or defaults; the next call sees them."""
    changed = services.update_application(actor=system(), application=application, changes=changes)
    forget()
    return changed


def user(application: Application, name: str) -> User:
    return User.objects.named(application.pk, [name])[name]


def user_actor(application: Application, name: str, address: str | None = None) -> Actor:
    """A user with a user token."""
    pk = str(user(application, name).pk)
    return Actor(ActorKind.USER, application.pk, pk, name, address=address, request_id="request-u")


def backend(application: Application, scopes: frozenset[str] = ALL_SCOPES) -> Actor:
    """An application by its key."""
    return Actor(ActorKind.APPLICATION, application.pk, "1", "backend", scopes, "192.0.2.1", "request-a")


def staff(application: Application, scopes: frozenset[str] = MODERATOR_SCOPES) -> Actor:
    """A moderator, bound to one application."""
    return Actor(ActorKind.STAFF, application.pk, "1", "moderator", scopes, "192.0.2.9", "request-s")


def room(actor: Actor, type: int = ConferenceType.COMMUNICATION, creator: str | None = "alice", **wishes: Any) -> Room:  # noqa: A002
    """A conference; nobody has entered it."""
    wishes.setdefault("password", "")
    by_user = actor.kind is ActorKind.USER
    made = conferences.create_conference(
        actor=actor, wishes=Wishes(type=type, creator=None if by_user else creator, **wishes)
    )
    return Room(actor, made.conference)


@dataclass
class Publication:
    """A client of the media server that publishes."""

    stream: Stream
    key: str
    event: MediaEvent


@dataclass
class Room:
    """A conference under test, as its backend sees it, and shorthands for what happens in it."""

    backend: Actor
    conference: Conference

    @property
    def id(self) -> str:
        return self.conference.confr_id

    @property
    def row(self) -> Conference:
        """As it stands in the database now."""
        return Conference.objects.get(pk=self.conference.pk)

    def ticket(self, name: str, role: Role | None = None, **options: Any) -> Issued:
        return tickets.issue_ticket(actor=self.backend, confr_id=self.id, name=name, role=role, **options)

    def enter(self, name: str, role: Role | None = None, **options: Any) -> Member:
        """Enter with a fresh ticket of the backend; `options` are the `Entrance`'s."""
        return members.enter(ticket_text=self.ticket(name, role).text, entrance=entrance(**options)).member

    def member(self, name: str) -> Member:
        """The newest seat of this user, as it stands in the database now."""
        seats = Member.objects.select_related("user", "conference").filter(conference=self.conference, user__name=name)
        return seats.latest("pk")

    def actor(self, name: str, address: str | None = None) -> Actor:
        """This user, by a role token or a socket."""
        found = User.objects.get(application_id=self.conference.application_id, name=name)
        return Actor(ActorKind.USER, found.application_id, str(found.pk), name, address=address)

    def lose(self, name: str) -> None:
        """The user's socket goes away."""
        member = self.member(name)
        members.lose(conference_id=self.conference.pk, losses=[Loss(member.pk, member.connection)])

    def offer(self, name: str, rtc_id: str = "camera", kind: str = "video", **options: Any) -> tuple[Stream, str]:
        """The stream that a member may publish now, and the media key for it."""
        push = streams.pub_stream(
            actor=self.actor(name),
            confr_id=self.id,
            user_id=self.member(name).user_id,
            rtc_id=rtc_id,
            kind=kind,
            **options,
        )
        return push.stream, push.url.partition("key=")[2]

    def publish(self, name: str, rtc_id: str = "camera", kind: str = "video", **options: Any) -> Publication:
        """A member publishes at the fake media server."""
        stream, key = self.offer(name, rtc_id, kind, **options)
        event = fake().ask("publish", stream.media_name, key)
        admission.admit_publisher(event)
        fake().admit(event)
        return Publication(Stream.objects.get(pk=stream.pk), key, event)

    def play_key(self, name: str, stream: Stream) -> str:
        urls = streams.sub_stream(
            actor=self.actor(name),
            confr_id=self.id,
            user_id=self.member(name).user_id,
            stream_id=Stream.objects.select_related("member").get(pk=stream.pk).stream_id,
        )
        return urls["rtmp"].partition("key=")[2]

    def play(self, name: str, stream: Stream) -> MediaEvent:
        """A member plays a stream at the fake media server."""
        event = fake().ask("play", stream.media_name, self.play_key(name, stream))
        admission.admit_player(event)
        fake().admit(event)
        return event

    def events(self, *types: str) -> list[Event]:
        """The facts of the conference (of these types) in their order."""
        facts = Event.objects.filter(conference=self.conference).order_by("seq")
        return list(facts.filter(type__in=types) if types else facts)

    def types(self) -> list[str]:
        return [event.type for event in self.events()]


def fake() -> FakeMediaServer:
    return cast(FakeMediaServer, media_server())


def entrance(**options: Any) -> Entrance:
    """A client at the door, over a socket of its own."""
    return Entrance(**{"connection": secrets.token_hex(8), "process": "test", **options})


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until `condition` holds; fail when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def some(value: Found | None) -> Found:
    """What must not be None."""
    assert value is not None
    return value
