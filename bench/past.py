"""The hot verbs in a conference without a past and in one with it, in turn: the services, without HTTP."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import TypeVar

from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts.actors import Actor, ActorKind, system
from accounts.models import Scope, User
from accounts.services import create_application
from conferences.models import Ban, Conference, ConferenceType, Member, Role, Ticket
from conferences.services import conferences, members, moderation, roles, tickets
from conferences.services.conferences import Wishes
from conferences.services.members import Entrance
from conferences.services.tickets import Issued

Result = TypeVar("Result")
Row = TypeVar("Row", bound=Model)

PAST, ROUNDS = 20_000, 60
REGULAR = "regular"  # comes and goes in every round, and did in every conference of the past


def measure() -> dict[str, tuple[float, float]]:
    """The median of each verb without a past and with one, in microseconds."""
    call_command("migrate", verbosity=0)
    young, old = Place(), Place()
    old.live_long()
    rounds = [(young.play(number), old.play(number)) for number in range(ROUNDS)]
    connection.close()  # or else its server could not stop
    return {
        verb: (median(each[verb] for each, _ in rounds), median(each[verb] for _, each in rounds))
        for verb in rounds[0][0]
    }


class Place:
    """A conference of an application of its own."""

    def __init__(self) -> None:
        application = create_application(actor=system(), org=f"bench-{secrets.token_hex(4)}", app="live")
        self.application_id = application.pk
        self.backend = Actor(ActorKind.APPLICATION, application.pk, "1", "bench", frozenset(Scope.values))
        wishes = Wishes(type=ConferenceType.COMMUNICATION_MIX, limits={"talkers": 5000})
        self.conference = conferences.create_conference(actor=self.backend, wishes=wishes).conference
        self.enter(self.ticket("admin", Role.ADMIN))

    def ticket(self, name: str, role: Role = Role.TALKER) -> Issued:
        return tickets.issue_ticket(actor=self.backend, confr_id=self.conference.confr_id, name=name, role=role)

    def enter(self, ticket: Issued) -> Member:
        entrance = Entrance(connection=secrets.token_hex(16), process="bench")
        return members.enter(ticket_text=ticket.text, entrance=entrance).member

    def play(self, number: int) -> dict[str, float]:
        """One of each verb: how many microseconds it took."""
        stranger, taken = f"stranger-{number}", dict[str, float]()

        def act(verb: str, call: Callable[[], Result]) -> Result:
            started = time.perf_counter()
            result = call()
            taken[verb] = (time.perf_counter() - started) * 1e6
            return result

        actor, confr_id = self.backend, self.conference.confr_id
        ticket = act("ticket", lambda: self.ticket(REGULAR))
        member = act("enter", lambda: self.enter(ticket))
        act("grant", lambda: roles.grant_role(actor=actor, confr_id=confr_id, names=[REGULAR], role=Role.ADMIN))
        act("leave", lambda: members.leave(actor=actor, confr_id=confr_id, user_id=member.user_id))
        self.enter(self.ticket(stranger))
        act("kick", lambda: moderation.kick_members(actor=actor, confr_id=confr_id, names=[stranger]))
        return taken

    def live_long(self) -> None:
        """Many conferences are over, with the regular in each; many left this one; many were kicked elsewhere."""
        own, now = {"application_id": self.application_id}, timezone.now()
        limits = {"max_talkers": 9, "max_videos": 9, "max_audience": 9, "max_desktops": 1, "default_role": Role.TALKER}
        over = {"type": ConferenceType.COMMUNICATION_MIX, "state": Conference.State.CLOSED}
        left = {"role": Role.TALKER, "state": Member.State.EXITED, "entered_at": now}
        here = {"conference": self.conference}
        regular = self.ticket(REGULAR).ticket.user
        users = insert(User(name=f"user-{n}", **own) for n in range(PAST))
        past = insert(Conference(**over, **limits, **own) for _ in users)
        insert(Member(conference=each, user=regular, number=1, **left) for each in past)
        insert(Member(user=user, number=PAST + n, **left, **here) for n, user in enumerate(users))
        insert(Ticket(user=user, role=Role.TALKER, expires_at=now, **here) for user in users)
        kicks = zip(past, users, strict=True)
        insert(Ban(conference=each, user=user, cause=Ban.Cause.KICK, **own) for each, user in kicks)


def insert(items: Iterable[Row]) -> list[Row]:
    """Insert these."""
    born = list(items)
    return type(born[0])._default_manager.bulk_create(born, batch_size=1000)
