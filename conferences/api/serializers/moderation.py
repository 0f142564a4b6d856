"""Bans on the wire."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from conferences.api.serializers.base import Choice, Millis, Names, Shape, Text, Time, Whole
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.models import Ban

YEAR = 365 * 86_400_000


class NewBan(Shape):
    """What `banMembers` and `banUsers` take: users or an address range, one of the two."""

    EXAMPLE = {"memNames": ["bob"], "expiresInMillis": 86400000, "reason": "spam"}

    memNames = Names(source="names", required=False)
    network = Text(64, required=False, help_text="In CIDR form, or one address.")
    expiresInMillis = Millis(1000, 10 * YEAR, source="seconds", required=False, help_text="Left out: until lifted.")
    reason = Text(200, required=False, allow_blank=True)
    note = Text(2000, lines=True, required=False, allow_blank=True, help_text="For the staff.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("names" in attrs) == ("network" in attrs):
            raise ValidationError(_("Give memNames or network, one of the two."))
        return attrs


class BanShape(Shape):
    """Who may not enter. `conference` bans are of one conference, others of the whole application."""

    banId = Whole(1, 2**63 - 1, source="pk")
    cause = Choice(Ban.Cause)
    memName = Text(64, source="user.name", allow_null=True)
    firstAddress = Text(64, source="address_first", allow_null=True)
    lastAddress = Text(64, source="address_last", allow_null=True)
    reason = Text(200)
    note = Text(2000)
    author = Text(160)
    createdAt = Time(source="created_at")
    expiresAt = Time(source="expires_at", allow_null=True)
    liftedAt = Time(source="lifted_at", allow_null=True)


class NewBans(Shape):
    """The bans that were added."""

    bans = BanShape(many=True)


class BansQuery(PageQuery):
    """How bans are chosen and sorted. Without `standing`, all that there were."""

    SORTS = {"createdAt": "pk"}

    sort = sort_by(SORTS)
    cause = serializers.ChoiceField(Ban.Cause.choices, required=False)
    memName = Text(200, source="name", required=False)
    standing = serializers.BooleanField(required=False)


Bans = page_of("Bans", BanShape)


class Unban(Shape):
    """Whose bans and holds to lift."""

    EXAMPLE = {"memNames": ["bob"]}

    memNames = Names(source="names")
