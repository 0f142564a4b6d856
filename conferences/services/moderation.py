"""Moderation: kick, ban, mute. A kick holds at every door until it is lifted or has expired."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.actors import Actor
from accounts.authentication import application as known_application
from accounts.errors import BadParameters
from accounts.models import User
from conferences.errors import BanNotFound
from conferences.events import Change, changing
from conferences.models import Ban, Conference, ExitReason, Kind, Member, Role, rows
from conferences.models.ban import Outcast
from conferences.permissions import Action, require_another
from conferences.services import drops, tickets
from conferences.services.access import authorise
from conferences.services.members import end_seats
from conferences.services.roles import members_named, silenced
from conferences.services.streams import end_streams, only_carries, open_streams

MAX_NAMES = 500


@dataclass(frozen=True, slots=True)
class Hold:
    """How long a kick or a ban keeps somebody out, why, and what the staff should know."""

    seconds: int | None = None
    reason: str = ""
    note: str = ""

    def until(self, now: datetime) -> datetime | None:
        return None if self.seconds is None else now + timedelta(seconds=self.seconds)


def kick_members(
    *,
    actor: Actor,
    confr_id: str,
    names: Collection[str],
    allow_rejoin: bool = False,
    hold: Hold | None = None,
) -> dict[str, bool]:
    """Remove members and keep them out; answers for each name whether it was inside.

    Who is not inside is held as well: a kick that meets somebody between two sockets must not miss. In one
    transaction tickets, role tokens and media rights end and the seats with them; after commit the sockets close
    and the media server drops every stream that they publish or play, until it no longer lists them.

    A hold without a time lasts as long as the application's, and that as long as the conference.

    Raises: NotAllowed, ActsOnOneself, ConferenceClosed. Records: ban.added, ticket.revoked, member.exited and
    what follows of it.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.KICK)
        outcasts = _others(change, actor, names)
        hold = hold or Hold()
        if not allow_rejoin:
            _keep_out(change, actor, outcasts, Ban.Cause.KICK, _timed(hold, change.conference))
        members = _remove(change, actor, outcasts, hold.reason)
    inside = {member.user.name for member in members}
    return {name: name in inside for name in names}


def _timed(hold: Hold, conference: Conference) -> Hold:
    if hold.seconds is not None:
        return hold
    return replace(hold, seconds=known_application(conference.application_id).hold_seconds)


def _others(change: Change, actor: Actor, names: Collection[str]) -> list[Outcast]:
    """Who is to be kept out. Raises: ActsOnOneself."""
    outcasts = Ban.objects.outcasts(change.conference, names)
    for outcast in outcasts:
        require_another(actor, outcast.user.pk)
    return outcasts


def _keep_out(change: Change, actor: Actor, outcasts: Sequence[Outcast], cause: Ban.Cause, hold: Hold) -> list[Ban]:
    """Insert a ban per user in an open change. Records: ban.added, one fact for all."""
    if not outcasts:
        return []
    conference, users, bans = change.conference, [outcast.user for outcast in outcasts], []
    for outcast in outcasts:
        ban = new_ban(conference.application_id, conference, actor, cause, hold, change.now, user=outcast.user)
        ban.pk = outcast.next_ban_id
        bans.append(ban)
    change.also.append(rows.insertion(bans))
    change.record(
        "ban.added",
        actor,
        data={"bans": [ban.pk for ban in bans], "users": [user.pk for user in users], "cause": cause.value},
        personal={"names": sorted(user.name for user in users)},
        reason=hold.reason,
    )
    return bans


def _remove(change: Change, actor: Actor, outcasts: Sequence[Outcast], reason: str) -> list[Member]:
    """End tickets and seats in an open change; answers whose. Records: ticket.revoked, member.exited and what
    follows of it."""
    ticket_ids = sorted(ticket_id for outcast in outcasts for ticket_id in outcast.ticket_ids)
    tickets.revoke(change, actor, ticket_ids, reason=reason)
    members = [outcast.seat for outcast in outcasts if outcast.seat]
    end_seats(change, members, ExitReason.KICKED, actor, note=reason)
    return members


def new_ban(
    application_id: int,
    conference: Conference | None,
    actor: Actor,
    cause: Ban.Cause,
    hold: Hold,
    now: datetime,
    *,
    user: User | None = None,
    addresses: tuple[str, str] | None = None,
) -> Ban:
    """A ban to insert: of a user or of an address range, from one conference or (None) the whole application."""
    first, last = addresses or (None, None)
    return Ban(
        application_id=application_id,
        conference=conference,
        cause=cause,
        user=user,
        address_first=first,
        address_last=last,
        reason=hold.reason,
        note=hold.note,
        author=f"{actor.kind.value}:{actor.name or actor.id}",
        expires_at=hold.until(now),
    )


def ban_members(*, actor: Actor, confr_id: str, names: Collection[str], hold: Hold) -> list[Ban]:
    """Ban users from one conference; whoever is inside is removed as by a kick.

    Raises and records like `kick_members`.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.BAN)
        outcasts = _others(change, actor, names)
        bans = _keep_out(change, actor, outcasts, Ban.Cause.BAN, hold)
        _remove(change, actor, outcasts, hold.reason)
    return bans


def ban_addresses(*, actor: Actor, confr_id: str, network: str, hold: Hold) -> Ban:
    """Ban an address range ("203.0.113.0/24", or one address) from one conference.

    Whoever is inside from there is removed, and media that flows from there is cut.

    Raises: BadParameters, NotAllowed. Records: ban.added, member.exited for who is inside from there.
    """
    addresses = address_range(network)
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.BAN)
        conference = change.conference
        ban = new_ban(
            conference.application_id, conference, actor, Ban.Cause.BAN, hold, change.now, addresses=addresses
        )
        ban.save(force_insert=True)
        change.record("ban.added", actor, data={"bans": [ban.pk]}, personal={"network": network}, reason=hold.reason)
        inside = (
            Member.objects.seated()
            .select_related("user")
            .filter(conference=conference, address__gte=addresses[0], address__lte=addresses[1])
        )
        members = [member for member in inside if member.user_id != actor.user_id]
        end_seats(change, members, ExitReason.KICKED, actor, note=hold.reason)
        media = Q(address__gte=addresses[0], address__lte=addresses[1])
        drops.order(change, media & ~Q(member__user=actor.user_id))
    return ban


def address_range(network: str) -> tuple[str, str]:
    """First and last address of a network in CIDR form, IPv4 as IPv4 also where it comes mapped into IPv6.

    Raises: BadParameters.
    """
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise BadParameters(field="network") from None
    if "%" in network:  # a zone says something on one machine only
        raise BadParameters(field="network")
    return _plain(parsed[0]), _plain(parsed[-1])


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return str(getattr(address, "ipv4_mapped", None) or address)


def unban_members(*, actor: Actor, confr_id: str, names: Collection[str] = (), ban_id: int | None = None) -> int:
    """Lift kicks' holds and bans, of these users or one by its id; answers how many.

    Raises: BanNotFound, NotAllowed. Records: ban.lifted.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.BAN)
        bans = Ban.objects.standing(change.now).filter(conference=change.conference)
        which = bans.filter(pk=ban_id) if ban_id is not None else bans.filter(user__name__in=names)
        ids = list(which.values_list("pk", flat=True))
        if ban_id is not None and not ids:
            raise BanNotFound()
        if ids:
            Ban.objects.filter(pk__in=ids).update(lifted_at=change.now)
            change.record("ban.lifted", actor, data={"bans": ids})
    return len(ids)


def mute_members(
    *,
    actor: Actor,
    confr_id: str,
    names: Collection[str],
    kinds: Collection[Kind],
    muted: bool,
    reason: str = "",
) -> dict[str, Member | None]:
    """Forbid members to publish these kinds, or allow it again; None for a name that is not inside.

    A stream of a forbidden kind alone is cut; where one stream carries more, its owner is told to stop that part.

    Raises: NotAllowed. Records: member.muted for each, stream.removed for each cut.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.MUTE)
        found = members_named(change, names)
        _mute(change, actor, [member for member in found.values() if member], kinds, muted, reason)
    return found


def mute_all(
    *,
    actor: Actor,
    confr_id: str,
    kinds: Collection[Kind],
    muted: bool,
    except_names: Collection[str] = (),
    newcomers: bool = True,
    reason: str = "",
) -> int:
    """Mute or unmute everybody but admins and `except_names`, newcomers too unless told otherwise.

    Answers how many members changed. Raises: NotAllowed. Records: conference.muted, member.muted for each.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.MUTE)
        conference = change.conference
        if newcomers:
            conference.mute_newcomers = _with(conference.mute_newcomers, kinds, muted)
        data = {"kinds": sorted(kinds), "muted": muted, "newcomers": newcomers}
        change.record("conference.muted", actor, data=data, reason=reason)
        others = Member.objects.seated().select_related("user").exclude(role=Role.ADMIN)
        members = others.filter(conference=conference).exclude(user__name__in=except_names)
        return _mute(change, actor, list(members.order_by("number")), kinds, muted, reason, of_all=True)


def _mute(
    change: Change,
    actor: Actor,
    members: Collection[Member],
    kinds: Collection[Kind],
    muted: bool,
    reason: str,
    *,
    of_all: bool = False,
) -> int:
    changed = []
    for member in members:
        before, member.muted = member.muted, _with(member.muted, kinds, muted)
        if before != member.muted:
            changed.append(member)
            data = {
                "member": member.number,
                "muted": member.muted,
                "changed": sorted(set(before) ^ set(member.muted)),
                "all": of_all,
            }
            change.record(
                "member.muted",
                actor,
                data=silenced(change, member, data),
                personal={"name": member.user.name},
                before={"muted": before},
                after={"muted": member.muted},
                reason=reason,
            )
    Member.objects.bulk_update(changed, ["muted"])
    if muted and changed:
        streams = [stream for stream in open_streams(change, changed) if only_carries(stream, stream.member)]
        end_streams(change, streams, actor, why="muted", reason=reason)
    return len(changed)


def _with(kinds: list[str], more: Collection[str], add: bool) -> list[str]:
    return sorted(set(kinds) | set(more)) if add else sorted(set(kinds) - set(more))
