"""Refusals on the wire: RFC 9457."""

from __future__ import annotations

from rest_framework import serializers

from conferences.api.serializers.base import Shape, Text, Whole


class ProblemError(Shape):
    """What is wrong with one field."""

    pointer = Text(200, help_text="A JSON pointer into the body, or the name of a query parameter.")
    detail = Text(1000)
    code = Text(64, required=False)


class Problem(Shape):
    """Why a call was refused. Some refusals carry more facts, such as `limit`, `maximum` or `retryAfter`."""

    EXAMPLE = {
        "type": "urn:confr:error:talkers_full",
        "title": "Talkers full",
        "status": 409,
        "detail": "All talkers' seats are taken; enter as audience or come back later.",
        "code": "talkers_full",
        "requestId": "9837a70736c30632",
        "limit": "talkers",
        "maximum": 9,
    }

    type = Text(128)
    title = Text(128)
    status = Whole(400, 599)
    detail = Text(1000, help_text="What is wrong and what to do, in the caller's language.")
    code = Text(64, help_text="Stable; see docs/errors.md.")
    requestId = Text(64)
    errors = serializers.ListField(child=ProblemError(), required=False)  # type: ignore[assignment]
