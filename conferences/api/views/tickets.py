"""Tickets: issued, listed, revoked."""

from __future__ import annotations

from accounts.errors import NotAllowed, UserNameInvalid
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import tickets as shapes
from conferences.api.serializers.conferences import Reason
from conferences.errors import (
    Banned,
    ConferenceClosed,
    ConferenceLocked,
    ConferenceNotFound,
    PasswordGuessedTooOften,
    PasswordWrong,
    TicketNotFound,
)
from conferences.services import questions, tickets
from conferences.services.tickets import Issued


class TicketsView(ApiView):
    @operation(
        "getConferenceTkt",
        body=shapes.TicketWish,
        answer=shapes.IssuedTicket,
        status=201,
        refusals=(
            NotAllowed,
            ConferenceNotFound,
            ConferenceClosed,
            ConferenceLocked,
            Banned,
            PasswordWrong,
            PasswordGuessedTooOften,
            UserNameInvalid,
        ),
    )
    def post(self, call: Call, confr_id: str) -> Issued:
        """Get the right to enter a conference, for oneself or for a user of the application."""
        return tickets.issue_ticket(
            actor=call.actor,
            confr_id=confr_id,
            name=call.member(),
            **call.only("role", "password", "ttl_seconds", "max_uses"),
        )

    @operation(
        "listTickets",
        query=shapes.TicketsQuery,
        answer=shapes.Tickets,
        refusals=(NotAllowed, ConferenceNotFound, UserNameInvalid),
    )
    def get(self, call: Call, confr_id: str) -> Page:
        """List a conference's tickets, good or not."""
        rows = questions.list_tickets(call.actor, confr_id)
        if "name" in call.data:
            rows = rows.filter(user__name=call.name())
        if "revoked" in call.data:
            rows = rows.filter(revoked_at__isnull=not call.data["revoked"])
        if "used" in call.data:
            rows = rows.filter(uses__gt=0) if call.data["used"] else rows.filter(uses=0)
        return page(rows, call.data, shapes.TicketsQuery.SORTS)


class TicketView(ApiView):
    @operation(
        "revokeTicket",
        query=Reason,
        answer=shapes.Count,
        refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed, TicketNotFound),
    )
    def delete(self, call: Call, confr_id: str, ticket_id: str) -> dict[str, int]:
        """Revoke one ticket. Who is inside keeps the seat until it ends, but has no way back."""
        conference, _, number = ticket_id.rpartition("TK")
        if conference != confr_id:
            raise TicketNotFound()
        count = tickets.revoke_tickets(
            actor=call.actor, confr_id=confr_id, ticket_id=int(number), **call.only("reason")
        )
        return {"count": count}


class TicketRevocationView(ApiView):
    @operation(
        "revokeTickets",
        body=shapes.TicketsToRevoke,
        answer=shapes.Count,
        refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed, UserNameInvalid),
    )
    def post(self, call: Call, confr_id: str) -> dict[str, int]:
        """Revoke all tickets of a user, or of the conference."""
        name = call.name() if "name" in call.data else None
        count = tickets.revoke_tickets(actor=call.actor, confr_id=confr_id, name=name, **call.only("reason"))
        return {"count": count}
