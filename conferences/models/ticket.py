"""Ticket: the right to enter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from conferences.models import rows
from conferences.models.ban import kept_out
from conferences.models.conference import Conference, Role
from conferences.models.member import Member, read_seat, seat_of
from conferences.models.rows import Statement


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """A ticket with its user and its conference, the seat that the user has already, and whether a ban keeps the
    user out. `next_seat_id` is for a seat that is new.
    """

    ticket: Ticket
    seat: Member | None
    kept_out: bool
    next_seat_id: int


@dataclass(frozen=True, slots=True)
class AtTheCounter:
    """A user for whom a ticket is asked, and whether a ban keeps this user or this caller out. `next_ticket_id` is
    for the ticket.
    """

    user: User
    kept_out: bool
    next_ticket_id: int


class TicketQuerySet(models.QuerySet["Ticket"]):
    def lock_at_the_door(self, conference_id: int, callers: Mapping[int, str | None]) -> dict[int, AtTheDoor]:
        """Lock a conference, and read all that entering asks of the database, in one statement.

        `callers`: from which address somebody comes with the ticket of this id; so are the answers. A ticket that
        is not there, or another conference's, has none. The plain form asks for each ticket, then for the user's
        seat, then `Ban.objects.standing().against()`.
        """
        condition, which = rows.among(list(callers))
        address = "(%(addresses)s::inet[])[array_position(%(tickets)s::bigint[], conferences_ticket.id)]"
        sql = f"""
            SELECT {rows.IS_FRESH}, {rows.columns(Conference)}, {rows.columns(Ticket)}, {rows.columns(Member)}, u.name,
                {kept_out("u.application_id", "conferences_ticket.conference_id", "u.id", address)},
                nextval('conferences_member_id_seq')
            FROM conferences_ticket JOIN accounts_user u ON u.id = conferences_ticket.user_id
                JOIN conferences_conference
                    ON conferences_ticket.conference_id IS NOT DISTINCT FROM conferences_conference.id
                LEFT JOIN {seat_of("u.id", "conferences_conference.id")} ON TRUE
            WHERE conferences_ticket.id {condition % "%(which)s"} AND conferences_conference.id = %(conference)s
            FOR UPDATE OF conferences_conference
        """  # noqa: S608 names of columns
        given = {"tickets": list(callers), "addresses": list(callers.values()), "which": which}
        found = rows.lock_and_read(sql, {"now": timezone.now(), "conference": conference_id, **given})
        if not found:
            return {}
        width = len(Conference._meta.concrete_fields)
        conference = rows.instance(Conference, found[0][:width])
        doors = [_door(conference, row[width:]) for row in found]
        return {door.ticket.pk: door for door in doors}

    def at_the_counter(self, conference: Conference, name: str, address: str | None) -> AtTheCounter:
        """Read all that a ticket for the user of this (normalised) name, asked for from this address, needs of the
        database, in one statement; the user is created on first sight.

        The plain form is `User.objects.named()`, and then `Ban.objects.standing().against()`.
        """
        sql = f"""
            SELECT u.id, {kept_out("u.application_id", "%(conference)s", "u.id", "%(address)s")},
                nextval('conferences_ticket_id_seq')
            FROM accounts_user u WHERE u.application_id = %(application)s AND u.name = %(name)s
        """  # noqa: S608 names of columns and parameters
        where = {"application": conference.application_id, "conference": conference.pk, "now": timezone.now()}
        while not (found := rows.execute(sql, where | {"name": name, "address": address or None})):
            User.objects.introduce(conference.application_id, [name])
        ((user_id, is_kept_out, next_ticket_id),) = found
        user = User(pk=user_id, application_id=conference.application_id, name=name)
        return AtTheCounter(user, is_kept_out, next_ticket_id)

    def next_id(self) -> int:
        """The primary key of a ticket that is to be inserted."""
        ((ticket_id,),) = rows.execute("SELECT nextval('conferences_ticket_id_seq')", [])
        return int(ticket_id)

    def use(self, seats: Mapping[int, Member]) -> Statement:
        """Note the seats that are taken with the tickets of these ids. The plain form is an update of `uses` and
        `seat` of each.
        """
        ids = list(seats)
        condition, which = rows.among(ids)
        sql = f"""
            UPDATE conferences_ticket SET uses = uses + 1, seat_id = {rows.by_id("bigint")} WHERE id {condition}
        """  # noqa: S608 no input
        return Statement(sql, [[seat.pk for seat in seats.values()], ids, which])

    def revoke(self, ids: Sequence[int], now: datetime) -> Statement:
        """Note these tickets as revoked. The plain form is `filter(pk__in=ids).update(revoked_at=now)`."""
        condition, which = rows.among(ids)
        return Statement(f"UPDATE conferences_ticket SET revoked_at = %s WHERE id {condition}", [now, which])  # noqa: S608

    def due(self) -> TicketQuerySet:
        """Those that expired unused, and that nobody has noted yet."""
        return self.filter(uses=0, revoked_at=None, expired_at=None, expires_at__lte=timezone.now())


def _door(conference: Conference, row: Sequence[Any]) -> AtTheDoor:
    """What was read of one ticket, beside its conference."""
    *columns, name, is_kept_out, next_seat_id = row
    width = len(Ticket._meta.concrete_fields)
    ticket, seat = rows.instance(Ticket, columns[:width]), columns[width:]
    ticket.conference = conference
    ticket.user = User(pk=ticket.user_id, application_id=conference.application_id, name=name)
    has_seat = seat[0] is not None
    return AtTheDoor(ticket, read_seat(conference, [*seat, name]) if has_seat else None, is_kept_out, next_seat_id)


class Ticket(models.Model):
    """One user's right to enter one conference with at most one role; what a client holds is its signed id.

    Until its first use it lives to `expires_at`; once redeemed it re-enters as long as the seat lasts. Its role
    token, the same right turned to moderation, dies with it.
    """

    # No index of its own: one below begins with it.
    conference = models.ForeignKey(Conference, models.CASCADE, related_name="tickets", db_index=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="tickets")
    role = models.PositiveSmallIntegerField(_("role"), choices=Role.choices)
    max_uses = models.PositiveIntegerField(_("seats it is good for"), default=1)
    uses = models.PositiveIntegerField(default=0)
    seat = models.ForeignKey(Member, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)  # when the sweep noticed

    objects = TicketQuerySet.as_manager()

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=models.Q(revoked_at=None, expired_at=None, uses=0),
                name="ticket_expiring",
            ),
            models.Index(fields=["conference", "user"], name="ticket_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.conference.confr_id}TK{self.pk}"
