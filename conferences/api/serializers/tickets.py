"""Tickets on the wire."""

from __future__ import annotations

from rest_framework import serializers

from conferences.api.serializers.base import Choice, Millis, Shape, Text, Time, Url, Whole
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.models import Role

DAY = 86_400_000


class TicketWish(Shape):
    """What `getConferenceTkt` takes. A user asks for itself: `memName` is for applications and admins."""

    EXAMPLE = {"memName": "bob", "role": 3, "ttlMillis": 600000}

    memName = Text(200, source="name", required=False)
    role = Choice(Role, required=False, help_text="Granted up to the ceiling; the answer names the role given.")
    password = Text(64, required=False, allow_blank=True)
    ttlMillis = Millis(1000, 7 * DAY, source="ttl_seconds", required=False, help_text="Until the first use.")
    maxUses = Whole(1, 1000, source="max_uses", required=False, help_text="Seats that it is good for.")


class IssuedTicket(Shape):
    """A ticket: `ticket` enters, `roleToken` moderates."""

    EXAMPLE = {
        "confrId": "IM3SKW51SKH4TB80LV45000C",
        "ticketId": "IM3SKW51SKH4TB80LV45000CTK101",
        "memName": "bob",
        "role": 3,
        "ticket": "tk_2t_e8Ziba4WQtN2_b63nfmxkw",
        "roleToken": "rt_2t_dVaQPNKWuNlkwojVotvMxA",
        "url": "wss://confr.example/live",
        "expiresAt": "2026-11-20T11:12:17.598Z",
    }

    confrId = Text(32, source="ticket.conference.confr_id")
    ticketId = Text(64, source="ticket")
    memName = Text(64, source="ticket.user.name")
    role = Choice(Role, source="ticket.role")
    ticket = Text(64, source="text")
    roleToken = Text(64, source="role_token")
    url = Url(help_text="Where the ticket is redeemed.")
    expiresAt = Time(source="ticket.expires_at", help_text="Until the first use.")


class TicketShape(Shape):
    """A ticket as a row: everything but what enters."""

    ticketId = Text(64, source="*")
    memName = Text(64, source="user.name")
    role = Choice(Role)
    uses = Whole(0, 1000)
    maxUses = Whole(1, 1000, source="max_uses")
    createdAt = Time(source="created_at")
    expiresAt = Time(source="expires_at")
    revokedAt = Time(source="revoked_at", allow_null=True)


class TicketsQuery(PageQuery):
    """How `listTickets` chooses and sorts."""

    SORTS = {"createdAt": "pk", "expiresAt": "expires_at"}

    sort = sort_by(SORTS)
    memName = Text(200, source="name", required=False)
    revoked = serializers.BooleanField(required=False)
    used = serializers.BooleanField(required=False)


Tickets = page_of("Tickets", TicketShape)


class TicketsToRevoke(Shape):
    """Whose tickets: one user's, or everybody's when left out."""

    EXAMPLE = {"memName": "bob", "reason": "left the company"}

    memName = Text(200, source="name", required=False)
    reason = Text(200, required=False, allow_blank=True)


class Count(Shape):
    """How many."""

    count = Whole(0, 2**31)
