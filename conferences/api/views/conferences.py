"""Conferences: begun, entered by name, listed, read, changed, ended."""

from __future__ import annotations

from typing import Any

from accounts.errors import NotAllowed, UserNameInvalid
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import conferences as shapes
from conferences.errors import (
    Banned,
    ConferenceClosed,
    ConferenceLimitReached,
    ConferenceLocked,
    ConferenceNameTaken,
    ConferenceNotFound,
    PasswordGuessedTooOften,
    PasswordWrong,
)
from conferences.models import Conference
from conferences.services import conferences, questions
from conferences.services.conferences import Created, Wishes

LIMITS = ("talkers", "videos", "audience", "desktops")


def _wishes(config: dict[str, Any]) -> Wishes:
    limits = {name: config[name] for name in LIMITS if name in config}
    return Wishes(limits=limits, **{name: value for name, value in config.items() if name not in LIMITS})


class ConferencesView(ApiView):
    @operation(
        "createConference",
        body=shapes.NewConference,
        answer=shapes.CreatedConference,
        status=201,
        refusals=(NotAllowed, ConferenceNameTaken, ConferenceLimitReached, UserNameInvalid),
    )
    def post(self, call: Call) -> Created:
        """Begin a conference. A user token creates as its user; an application may name the creator."""
        return conferences.create_conference(actor=call.actor, wishes=_wishes(call.data))

    @operation(
        "listConferences",
        query=shapes.ConferencesQuery,
        answer=shapes.Conferences,
        refusals=(NotAllowed, UserNameInvalid),
    )
    def get(self, call: Call) -> Page:
        """List the application's conferences, those that are over included."""
        rows = questions.list_conferences(call.actor).filter(
            **call.only("state", "type", "name", "created_at__gte", "created_at__lt")
        )
        if "creator" in call.data:
            rows = rows.filter(creator__name=call.name("creator"))
        return page(rows, call.data, shapes.ConferencesQuery.SORTS)


class RoomsView(ApiView):
    @operation(
        "joinRoom",
        body=shapes.RoomEntry,
        answer=shapes.EnteredRoom,
        refusals=(
            NotAllowed,
            ConferenceLimitReached,
            ConferenceNotFound,
            ConferenceLocked,
            Banned,
            PasswordWrong,
            PasswordGuessedTooOften,
            UserNameInvalid,
        ),
    )
    def post(self, call: Call) -> dict[str, Any]:
        """Get a ticket for the live conference of this name; where there is none, it is created."""
        user, password = call.member(), call.data["password"]
        config = {"name": call.data["room"], "password": password, "creator": user, **call.data.get("config", {})}
        conference, issued, is_new = conferences.join_room(
            actor=call.actor,
            name=call.data["room"],
            wishes=_wishes(config),
            user=user,
            role=call.data.get("role"),
            password=password,
        )
        return {"conference": conference, "issued": issued, "is_new": is_new}


class ConferenceView(ApiView):
    @operation("getConference", answer=shapes.ConferenceShape, refusals=(NotAllowed, ConferenceNotFound))
    def get(self, call: Call, confr_id: str) -> Conference:
        """Read a conference: its settings, its exact counts, its attributes."""
        return questions.get_conference(call.actor, confr_id)

    @operation(
        "updateConference",
        body=shapes.ConferenceChanges,
        answer=shapes.ConferenceShape,
        refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed),
    )
    def patch(self, call: Call, confr_id: str) -> Conference:
        """Change settings of a live conference, or lock it."""
        changes = dict(call.data)
        password, reason = changes.pop("password", None), changes.pop("reason", "")
        return conferences.update_conference(
            actor=call.actor, confr_id=confr_id, changes=changes, password=password, reason=reason
        )

    @operation(
        "destroyConference",
        query=shapes.Reason,
        answer=shapes.ConferenceShape,
        refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed),
    )
    def delete(self, call: Call, confr_id: str) -> Conference:
        """End a conference for everybody."""
        return conferences.destroy_conference(actor=call.actor, confr_id=confr_id, **call.only("reason"))
