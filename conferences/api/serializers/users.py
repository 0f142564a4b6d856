"""User tokens on the wire."""

from __future__ import annotations

from accounts.services.user_tokens import MAX_SECONDS
from conferences.api.serializers.base import Millis, Shape, Text, Time, Whole


class NewUserToken(Shape):
    """What `createUserToken` takes."""

    EXAMPLE = {"memName": "bob", "ttlMillis": 3600000}

    memName = Text(200, source="name", help_text="The user, created on first sight.")
    ttlMillis = Millis(1000, MAX_SECONDS * 1000, source="seconds", required=False, help_text="A day when left out.")


class UserTokenShape(Shape):
    """A token with which that user calls the API."""

    tokenId = Whole(1, 2**63 - 1, source="token.pk")
    memName = Text(64, source="token.user.name")
    token = Text(512, source="text")
    expiresAt = Time(source="token.expires_at")


class UserOfTokens(Shape):
    """Whose tokens."""

    memName = Text(200, source="name")
