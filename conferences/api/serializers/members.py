"""Members, their roles, kicks and mutes on the wire."""

from __future__ import annotations

from rest_framework import serializers

from conferences.api.serializers.base import Choice, Flag, Millis, Names, Shape, Text, Time, Whole
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.models import ExitReason, Kind, Member, Role

YEAR = 365 * 86_400_000


class MemberShape(Shape):
    """A seat in a conference."""

    memId = Text(48, source="mem_id")
    memName = Text(64, source="user.name")
    nickName = Text(64, source="nick_name")
    role = Choice(Role)
    state = Choice(Member.State)
    muted = serializers.ListField(child=Choice(Kind))
    ext = Text(4096)
    enteredAt = Time(source="entered_at")
    exitedAt = Time(source="exited_at", allow_null=True)
    exitReason = Choice(ExitReason, source="exit_reason", allow_null=True)


class MembersQuery(PageQuery):
    """How `listMembers` chooses and sorts. Without `state`, those who are inside now."""

    SORTS = {"enteredAt": "number", "role": "role"}

    sort = sort_by(SORTS, default="enteredAt")
    state = serializers.ChoiceField(Member.State.choices, required=False)
    role = serializers.ChoiceField(Role.choices, required=False)
    memName = Text(200, source="name", required=False)


Members = page_of("Members", MemberShape)


class Kick(Shape):
    """What `kickMembersById` takes."""

    EXAMPLE = {"memNames": ["bob"], "holdMillis": 3600000, "reason": "spam"}

    memNames = Names(source="names")
    allowRejoin = Flag(source="allow_rejoin", required=False, help_text="Only out, not kept out.")
    holdMillis = Millis(
        1000,
        YEAR,
        source="seconds",
        required=False,
        help_text="How long it holds; left out: the application's default, else the conference's life.",
    )
    reason = Text(200, required=False, allow_blank=True)
    note = Text(2000, lines=True, required=False, allow_blank=True, help_text="For the staff.")


class Kicked(Shape):
    memName = Text(64, source="name")
    kicked = Flag(help_text="Whether the user was inside; kept out is also who was not.")


class Kicks(Shape):
    """What became of each name."""

    EXAMPLE = {"members": [{"memName": "bob", "kicked": True}]}

    members = Kicked(many=True)


class Grant(Shape):
    """What `grantRole` takes."""

    EXAMPLE = {"memNames": ["carol"], "role": 3}

    memNames = Names(source="names")
    role = Choice(Role)
    reason = Text(200, required=False, allow_blank=True)


class Granted(Shape):
    memName = Text(64, source="name")
    role = Choice(Role, allow_null=True, help_text="The role that the member has now; null: not inside.")


class Grants(Shape):
    """What became of each name."""

    EXAMPLE = {"members": [{"memName": "carol", "role": 3}]}

    members = Granted(many=True)


class Mute(Shape):
    """What `muteMembers` takes."""

    EXAMPLE = {"memNames": ["bob"], "kinds": ["audio"], "muted": True}

    memNames = Names(source="names")
    kinds = serializers.ListField(child=Choice(Kind), allow_empty=False, max_length=3)
    muted = Flag()
    reason = Text(200, required=False, allow_blank=True)


class Muted(Shape):
    memName = Text(64, source="name")
    muted = serializers.ListField(child=Choice(Kind), allow_null=True, help_text="null: not inside.")


class Mutes(Shape):
    """What each name is forbidden now."""

    members = Muted(many=True)


class MuteAll(Shape):
    """What `muteAll` takes. Admins are not muted."""

    EXAMPLE = {"kinds": ["audio"], "muted": True, "exceptMemNames": ["alice"]}

    kinds = serializers.ListField(child=Choice(Kind), allow_empty=False, max_length=3)
    muted = Flag()
    exceptMemNames = Names(source="except_names", required=False, allow_empty=True)
    newcomers = Flag(required=False, help_text="Whoever enters from now on, too; true when left out.")
    reason = Text(200, required=False, allow_blank=True)


class Subject(Shape):
    """Whom the call is for: left out by a user token, needed with an application key."""

    memName = Text(200, source="name", required=False)


class Changed(Shape):
    """How many members it changed."""

    count = Whole(0, 2**31)
