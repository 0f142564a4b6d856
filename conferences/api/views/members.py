"""Members: listed, kicked, raised and lowered, muted, leaving."""

from __future__ import annotations

from typing import Any

from accounts.errors import NotAllowed, UserNameInvalid
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import members as shapes
from conferences.api.serializers.base import Nothing
from conferences.errors import (
    ActsOnOneself,
    AudienceFull,
    ConferenceClosed,
    ConferenceNotFound,
    MemberNotFound,
    TalkersFull,
)
from conferences.models import Member
from conferences.services import members, moderation, questions, roles
from conferences.services.moderation import Hold

GONE = (NotAllowed, ConferenceNotFound, ConferenceClosed, UserNameInvalid)


class MembersView(ApiView):
    @operation(
        "listMembers",
        query=shapes.MembersQuery,
        answer=shapes.Members,
        refusals=(NotAllowed, ConferenceNotFound, UserNameInvalid),
    )
    def get(self, call: Call, confr_id: str) -> Page:
        """List those who are inside; with `state`, also those who were."""
        rows = questions.list_members(call.actor, confr_id).filter(**call.only("state", "role"))
        if "state" not in call.data:
            rows = rows.exclude(state=Member.State.EXITED)
        if "name" in call.data:
            rows = rows.filter(user__name=call.name())
        return page(rows, call.data, shapes.MembersQuery.SORTS)


class KickView(ApiView):
    @operation("kickMembersById", body=shapes.Kick, answer=shapes.Kicks, refusals=(*GONE, ActsOnOneself))
    def post(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Remove members and keep them out: tickets, role tokens, sockets and media end at once."""
        hold = Hold(**call.only("seconds", "reason", "note"))
        inside = moderation.kick_members(
            actor=call.actor, confr_id=confr_id, names=call.names(), hold=hold, **call.only("allow_rejoin")
        )
        return {"members": [{"name": name, "kicked": kicked} for name, kicked in inside.items()]}


class RolesView(ApiView):
    @operation("grantRole", body=shapes.Grant, answer=shapes.Grants, refusals=(*GONE, TalkersFull, AudienceFull))
    def post(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Raise or lower members. Who becomes audience stops publishing."""
        found = roles.grant_role(
            actor=call.actor,
            confr_id=confr_id,
            names=call.names(),
            role=call.data["role"],
            **call.only("reason"),
        )
        return {"members": [{"name": name, "role": member and member.role} for name, member in found.items()]}


class MuteView(ApiView):
    @operation("muteMembers", body=shapes.Mute, answer=shapes.Mutes, refusals=GONE)
    def post(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Forbid members to publish these kinds, or allow it again."""
        found = moderation.mute_members(
            actor=call.actor, confr_id=confr_id, names=call.names(), **call.only("kinds", "muted", "reason")
        )
        return {"members": [{"name": name, "muted": member and member.muted} for name, member in found.items()]}


class MuteAllView(ApiView):
    @operation("muteAll", body=shapes.MuteAll, answer=shapes.Changed, refusals=GONE)
    def post(self, call: Call, confr_id: str) -> dict[str, int]:
        """Mute or unmute everybody but the admins, newcomers included."""
        count = moderation.mute_all(
            actor=call.actor,
            confr_id=confr_id,
            except_names=call.names("except_names"),
            **call.only("kinds", "muted", "newcomers", "reason"),
        )
        return {"count": count}


class ExitView(ApiView):
    @operation("exitConference", body=shapes.Subject, answer=Nothing, refusals=(*GONE, MemberNotFound))
    def post(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Leave a conference; the last to leave ends it."""
        members.leave(actor=call.actor, confr_id=confr_id, user_id=call.user_id())
        return {}
