"""The conference's log on the wire, for the application and the staff."""

from __future__ import annotations

from rest_framework import serializers

from accounts.actors import ActorKind
from conferences.api.serializers.base import Shape, Text, Time, Whole
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.events import CATALOGUE


class EventShape(Shape):
    """A committed fact: its number has no gap within the conference."""

    seq = Whole(1, 2**53)
    type = serializers.ChoiceField(sorted(CATALOGUE))
    at = Time()
    actorKind = serializers.ChoiceField([kind.value for kind in ActorKind], source="actor_kind")
    actorId = Text(32, source="actor_id")
    requestId = Text(64, source="request_id")
    data = serializers.DictField(help_text="Ids and numbers.")  # type: ignore[assignment]  # declared fields leave the class
    personal = serializers.DictField(help_text="What names or describes a person; empty once erased.")
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class EventsQuery(PageQuery):
    """How `listEvents` chooses and sorts."""

    SORTS = {"seq": "seq"}

    sort = sort_by(SORTS, default="seq")
    type = serializers.ChoiceField(sorted(CATALOGUE), required=False)
    since = serializers.IntegerField(
        source="seq__gt", min_value=0, max_value=2**53, required=False, help_text="Only numbers above this one."
    )


Events = page_of("Events", EventShape)
