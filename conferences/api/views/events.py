"""The log of a conference."""

from __future__ import annotations

from accounts.errors import NotAllowed
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import events as shapes
from conferences.errors import ConferenceNotFound
from conferences.services import questions


class EventsView(ApiView):
    @operation("listEvents", query=shapes.EventsQuery, answer=shapes.Events, refusals=(NotAllowed, ConferenceNotFound))
    def get(self, call: Call, confr_id: str) -> Page:
        """List what happened in a conference, by number: who did what, from where and why."""
        rows = questions.list_events(call.actor, confr_id).filter(**call.only("type", "seq__gt"))
        return page(rows, call.data, shapes.EventsQuery.SORTS)
