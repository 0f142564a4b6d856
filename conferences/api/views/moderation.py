"""Bans: of one conference, and of the whole application."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.errors import NotAllowed, UserNameInvalid
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import moderation as shapes
from conferences.api.serializers.tickets import Count
from conferences.errors import ActsOnOneself, BanNotFound, ConferenceClosed, ConferenceNotFound
from conferences.models import Ban
from conferences.services import bans, moderation, questions
from conferences.services.moderation import Hold


def _hold(call: Call) -> Hold:
    return Hold(**call.only("seconds", "reason", "note"))


def _page(call: Call, rows: QuerySet[Ban]) -> Page:
    rows = rows.filter(**call.only("cause"))
    if "name" in call.data:
        rows = rows.filter(user__name=call.name())
    if "standing" in call.data:
        standing = Ban.objects.standing(timezone.now())
        rows = rows.filter(pk__in=standing) if call.data["standing"] else rows.exclude(pk__in=standing)
    return page(rows, call.data, shapes.BansQuery.SORTS)


class BansView(ApiView):
    @operation(
        "banMembers",
        body=shapes.NewBan,
        answer=shapes.NewBans,
        status=201,
        refusals=(NotAllowed, ActsOnOneself, ConferenceNotFound, ConferenceClosed, UserNameInvalid),
    )
    def post(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Ban users or an address range from a conference; who is inside is removed as by a kick."""
        if "network" in call.data:
            network = call.data["network"]
            ban = moderation.ban_addresses(actor=call.actor, confr_id=confr_id, network=network, hold=_hold(call))
            return {"bans": [ban]}
        names = call.names()
        return {"bans": moderation.ban_members(actor=call.actor, confr_id=confr_id, names=names, hold=_hold(call))}

    @operation(
        "listBans",
        query=shapes.BansQuery,
        answer=shapes.Bans,
        refusals=(NotAllowed, ConferenceNotFound, UserNameInvalid),
    )
    def get(self, call: Call, confr_id: str) -> Page:
        """List a conference's bans, the holds of its kicks included."""
        return _page(call, questions.list_bans(call.actor, confr_id))


class UnbanView(ApiView):
    @operation(
        "unbanMembers",
        body=shapes.Unban,
        answer=Count,
        refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed, UserNameInvalid),
    )
    def post(self, call: Call, confr_id: str) -> dict[str, int]:
        """Lift what keeps these users out of a conference: bans and the holds of kicks."""
        return {"count": moderation.unban_members(actor=call.actor, confr_id=confr_id, names=call.names())}


class BanView(ApiView):
    @operation("liftBan", answer=Count, refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed, BanNotFound))
    def delete(self, call: Call, confr_id: str, ban_id: str) -> dict[str, int]:
        """Lift one ban of a conference."""
        return {"count": moderation.unban_members(actor=call.actor, confr_id=confr_id, ban_id=int(ban_id))}


class ApplicationBansView(ApiView):
    @operation(
        "banUsers",
        body=shapes.NewBan,
        answer=shapes.NewBans,
        status=201,
        refusals=(NotAllowed, UserNameInvalid),
    )
    def post(self, call: Call) -> dict[str, Any]:
        """Ban users or an address range from all conferences; they are removed from the live ones."""
        if "network" in call.data:
            return {"bans": [bans.ban_addresses(actor=call.actor, network=call.data["network"], hold=_hold(call))]}
        return {"bans": bans.ban_users(actor=call.actor, names=call.names(), hold=_hold(call))}

    @operation("listUserBans", query=shapes.BansQuery, answer=shapes.Bans, refusals=(NotAllowed, UserNameInvalid))
    def get(self, call: Call) -> Page:
        """List the bans of the whole application."""
        return _page(call, questions.list_application_bans(call.actor))


class ApplicationUnbanView(ApiView):
    @operation("unbanUsers", body=shapes.Unban, answer=Count, refusals=(NotAllowed, UserNameInvalid))
    def post(self, call: Call) -> dict[str, int]:
        """Lift the bans of these users from the whole application."""
        return {"count": bans.unban_users(actor=call.actor, names=call.names())}


class ApplicationBanView(ApiView):
    @operation("liftUserBan", answer=Count, refusals=(NotAllowed, BanNotFound))
    def delete(self, call: Call, ban_id: str) -> dict[str, int]:
        """Lift one ban of the whole application."""
        return {"count": bans.unban_users(actor=call.actor, ban_id=int(ban_id))}
