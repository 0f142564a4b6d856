"""Lists: how they are asked for, and how a page of one looks."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework import serializers

from conferences.api.serializers.base import Shape, Text

MAX_LIMIT = 200


class PageQuery(Shape):
    """How many rows, and from where on."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=50)
    cursor = Text(512, required=False, help_text="`nextCursor` of the page before.")


def sort_by(names: Iterable[str], default: str = "-createdAt") -> serializers.ChoiceField:
    """The field `sort`: one of the names, with "-" for the other way round."""
    return serializers.ChoiceField([choice for name in names for choice in (name, f"-{name}")], default=default)


def page_of(name: str, row: type[Shape]) -> type[Shape]:
    """The shape of a page of such rows."""
    fields = {
        "__doc__": "A page of a list. `total` counts all that match; it comes with the first page only.",
        "items": row(many=True),
        "nextCursor": Text(512, source="next_cursor", allow_null=True, help_text="null: this was the last page."),
        "total": serializers.IntegerField(allow_null=True, min_value=0),
    }
    return type(name, (Shape,), fields)
