"""Roles: up by an admin, down by an admin or oneself, and the hand-over when the last admin goes."""

from __future__ import annotations

from collections.abc import Collection

from accounts.actors import Actor, system
from conferences.errors import AudienceFull, MemberNotFound, MembersFull, TalkersFull
from conferences.events import Change, changing
from conferences.models import Conference, Member, Role
from conferences.permissions import Action
from conferences.services.access import authorise
from conferences.services.streams import end_streams, open_streams


def grant_role(
    *, actor: Actor, confr_id: str, names: Collection[str], role: Role, reason: str = ""
) -> dict[str, Member | None]:
    """Give members a role; None for a name that is not in the conference.

    Raises: NotAllowed, TalkersFull, AudienceFull; then nobody's role changed. Records: role.changed for each
    whose role differs, stream.removed for the streams of who may no longer publish.
    """
    with changing(actor, confr_id) as change:
        itself = role < Role.ADMIN and len(names) == 1
        found = members_named(change, names)
        only_oneself = itself and all(m is not None and m.user_id == actor.user_id for m in found.values())
        authorise(change, actor, Action.STEP_DOWN if only_oneself and _is_down(found, role) else Action.GRANT_ROLE)
        set_role(change, [member for member in found.values() if member], role, actor, reason=reason)
    return found


def _is_down(found: dict[str, Member | None], role: Role) -> bool:
    return all(member is not None and member.role > role for member in found.values())


def members_named(change: Change, names: Collection[str]) -> dict[str, Member | None]:
    """The seated member of each (normalised) user name, in one statement."""
    found: dict[str, Member | None] = dict.fromkeys(names)
    found |= {member.user.name: member for member in Member.objects.seated_named(change.conference, names)}
    return found


def set_role(change: Change, members: Collection[Member], role: Role, actor: Actor, *, reason: str = "") -> None:
    """Move members to `role`, their seats and streams with them. Raises and records like `grant_role`."""
    moving = [member for member in members if member.role != role]
    for member in moving:
        leave_seat(change, member)
    demoted = [member for member in moving if role < Role.TALKER <= member.role]
    end_streams(change, open_streams(change, demoted) if demoted else [], actor, why="demoted", reason=reason)
    for member in moving:
        before, member.role = member.role, role
        take_seat(change, member, before)
        _tell(change, member, before, actor, reason)
    if moving:
        change.also.append(Member.objects.change_role(moving, role))


def _tell(change: Change, member: Member, before: int, actor: Actor, reason: str) -> None:
    hides = change.conference.hides_audience
    data: dict[str, object] = {
        "member": member.number, "role": member.role, "was": before, "muted": member.muted
    }  # fmt: skip
    if hides and before < Role.TALKER <= member.role:
        data["appears"] = True
    elif hides and member.role < Role.TALKER <= before:
        data["vanishes"] = True
    change.record(
        "role.changed",
        actor,
        data=data,
        personal=personal(member),
        before={"role": before},
        after={"role": member.role},
        reason=reason,
    )


def request_role(*, actor: Actor, confr_id: str, role: Role, admin: int | None = None, ref: str = "") -> None:
    """A member asks for a role: the admin with this number is told, or each of them.

    `ref` is the asker's own, and comes back with the answer. Who agrees grants the role besides.

    Raises: NotAllowed, MemberNotFound (no such admin; or the actor is no member). Records: role.requested.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.COMMAND)
        member = _seat_of(change, actor)
        admins = Member.objects.seated().filter(conference=change.conference, role=Role.ADMIN)
        numbers = list(admins.order_by("number").values_list("number", flat=True))
        asked = numbers if admin is None else [number for number in numbers if number == admin]
        if not asked:
            raise MemberNotFound()
        data = {"member": member.number, "role": role, "ref": ref, "to": asked}
        change.record("role.requested", actor, data=data, personal=personal(member))


def answer_request(*, actor: Actor, confr_id: str, member: int, role: Role, granted: bool, ref: str = "") -> None:
    """An admin answers the member with this number, who asked for a role; the answer alone changes no role.

    Raises: NotAllowed, MemberNotFound. Records: role.answered.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.GRANT_ROLE)
        if not Member.objects.seated().filter(conference=change.conference, number=member).exists():
            raise MemberNotFound()
        by = _seat_of(change, actor).number if actor.user_id is not None else 0
        data = {"member": member, "role": role, "granted": granted, "ref": ref, "by": by, "to": [member]}
        change.record("role.answered", actor, data=data)


def _seat_of(change: Change, actor: Actor) -> Member:
    seat = None if actor.user_id is None else change.seat_of(actor.user_id)
    if seat is None:
        raise MemberNotFound()
    return seat


def silenced(change: Change, member: Member, data: dict[str, object]) -> dict[str, object]:
    """`data` of a fact about a member, marked where nobody else may hear of it: in LIVE, of audience."""
    return data | {"silent": True} if change.conference.hides_audience and not member.talks else data


def personal(member: Member) -> dict[str, str]:
    """What a fact tells of the person in the seat."""
    return {"name": member.user.name, "nick_name": member.nick_name, "ext": member.ext}


def take_seat(change: Change, member: Member, before: int = 0) -> None:
    """Count a member in, exactly; who has talked `before` needs no free seat, also where the limit was lowered.

    Raises: TalkersFull, AudienceFull; the caller checks the total.
    """
    conference = change.conference
    if before < Role.TALKER or not member.talks:
        _check_free(conference, member.role)
    if member.talks:
        conference.talkers += 1
    else:
        conference.audience += 1
    if member.role == Role.ADMIN:
        conference.admins += 1
        conference.adminless_at = None
    elif not conference.admins:
        conference.adminless_at = conference.adminless_at or change.now


def check_entry(conference: Conference, role: int) -> None:
    """Whether one more may enter with this role. Raises: MembersFull, TalkersFull, AudienceFull."""
    if conference.members_count >= conference.max_members:
        raise MembersFull(limit="members", maximum=conference.max_members)
    _check_free(conference, role)


def _check_free(conference: Conference, role: int) -> None:
    if role >= Role.TALKER and conference.talkers >= conference.max_talkers:
        raise TalkersFull(limit="talkers", maximum=conference.max_talkers)
    if role < Role.TALKER and conference.audience >= conference.max_audience:
        raise AudienceFull(limit="audience", maximum=conference.max_audience)


def leave_seat(change: Change, member: Member) -> None:
    """Count a member out."""
    conference = change.conference
    if member.role >= Role.TALKER:
        conference.talkers -= 1
    else:
        conference.audience -= 1
    if member.role == Role.ADMIN:
        conference.admins -= 1
        if conference.admins == 0:
            conference.adminless_at = change.now


def wants_admin(conference: Conference) -> bool:
    """Whether there is none, and there are talkers to become one."""
    return not conference.admins and conference.talkers > 0


def hand_over(change: Change) -> None:
    """When no admin is left, the longest-connected talker becomes one. Records: role.changed."""
    conference: Conference = change.conference
    if not wants_admin(conference):
        return
    change.write_ahead()  # or else they who have just come would not be seen
    heir = Member.objects.longest_present(conference, Role.TALKER)
    if heir is not None:
        set_role(change, [heir], Role.ADMIN, system(), reason="hand-over")
