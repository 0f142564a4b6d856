"""Bans of the whole application. Those of one conference are moderation's."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.actors import Actor, system
from accounts.errors import ApplicationNotFound, DomainError
from accounts.locks import busy_when_locked
from accounts.log import Fact, record
from accounts.models import Application, User
from conferences.errors import BanNotFound
from conferences.events import changing_id
from conferences.models import Ban, ExitReason, MediaSession, Member
from conferences.permissions import Action, require
from conferences.services import drops, tickets
from conferences.services.members import end_seats
from conferences.services.moderation import Hold, address_range, new_ban, unban_members


def ban_users(*, actor: Actor, names: Collection[str], hold: Hold) -> list[Ban]:
    """Ban users from every conference of the application; after commit they are removed from the live ones.

    Raises: NotAllowed, ScopeMissing, UserNameInvalid. Records: ban.added in the application's log; in each
    conference ticket.revoked, member.exited and what follows of it.
    """
    application = _application(actor)
    now = timezone.now()
    with busy_when_locked(), transaction.atomic():
        users = User.objects.named(application.pk, names).values()
        bans = Ban.objects.bulk_create(
            new_ban(application.pk, None, actor, Ban.Cause.BAN, hold, now, user=user) for user in users
        )
        data = {"bans": [ban.pk for ban in bans], "users": [user.pk for user in users]}
        personal = {"names": sorted(user.name for user in users)}
        record(application, Fact("ban.added", actor, data, personal, reason=hold.reason))
        _remove_after_commit(actor, application)
    return bans


def ban_addresses(*, actor: Actor, network: str, hold: Hold) -> Ban:
    """Ban an address range ("203.0.113.0/24", or one address) from every conference of the application.

    Raises: BadParameters, NotAllowed, ScopeMissing. Records: as `ban_users`.
    """
    application = _application(actor)
    addresses = address_range(network)
    with busy_when_locked(), transaction.atomic():
        ban = new_ban(application.pk, None, actor, Ban.Cause.BAN, hold, timezone.now(), addresses=addresses)
        ban.save(force_insert=True)
        fact = Fact("ban.added", actor, {"bans": [ban.pk]}, {"network": network}, reason=hold.reason)
        record(application, fact)
        _remove_after_commit(actor, application)
    return ban


def unban_users(*, actor: Actor, names: Collection[str] = (), ban_id: int | None = None) -> int:
    """Lift bans of the whole application, of these users or one by its id; answers how many.

    Raises: BanNotFound, NotAllowed, ScopeMissing. Records: ban.lifted in the application's log.
    """
    application = _application(actor)
    with busy_when_locked(), transaction.atomic():
        now = timezone.now()
        bans = Ban.objects.standing(now).filter(application=application, conference=None)
        which = bans.filter(pk=ban_id) if ban_id is not None else bans.filter(user__name__in=names)
        ids = list(which.select_for_update().values_list("pk", flat=True))
        if ban_id is not None and not ids:
            raise BanNotFound()
        if ids:
            Ban.objects.filter(pk__in=ids).update(lifted_at=now)
            record(application, Fact("ban.lifted", actor, {"bans": ids}))
    return len(ids)


def lift_bans(*, actor: Actor, bans: Collection[Ban]) -> dict[int, DomainError | None]:
    """Lift bans one after the other, each by itself, of the whole application or of one conference; answers by id
    what was refused, None where it was lifted.

    Raises: nothing. Records: ban.lifted, in the log of each.
    """
    return {ban.pk: _lift(actor, ban) for ban in bans}


def _lift(actor: Actor, ban: Ban) -> DomainError | None:
    try:
        if ban.conference is None:
            unban_users(actor=actor, ban_id=ban.pk)
        else:
            unban_members(actor=actor, confr_id=ban.conference.confr_id, ban_id=ban.pk)
    except DomainError as refusal:
        return refusal
    return None


def remove_banned(actor: Actor | None = None, application_id: int | None = None) -> int:
    """End the seats and the media of whom a ban of the whole application keeps out; answers how many seats.

    A ban does it after its commit, one conference after the other, and holds no two locks at once. Should the
    process die in between, the sweep finds the rest.

    Records: ticket.revoked, member.exited and what follows of it.
    """
    members = Member.objects.seated().filter(_kept_out("user"))
    media = MediaSession.objects.filter(_kept_out("member__user"), closed_at=None, revoked_at=None)
    if application_id is not None:
        members = members.filter(conference__application=application_id)
        media = media.filter(conference__application=application_id)
    places = members.values_list("conference_id", flat=True).union(media.values_list("conference_id", flat=True))
    return sum(_remove(actor or system(), conference_id, members, media) for conference_id in places)


def _remove(actor: Actor, conference_id: int, members: QuerySet[Member], media: QuerySet[MediaSession]) -> int:
    with changing_id(conference_id) as change:
        removed = list(members.filter(conference=conference_id).select_related("user"))
        theirs = Q(user__in=[member.user_id for member in removed])
        tickets.revoke(change, actor, tickets.good_tickets(change, theirs))
        end_seats(change, removed, ExitReason.KICKED, actor)
        drops.order(change, Q(pk__in=media.filter(conference=conference_id)))
    return len(removed)


def _kept_out(user: str) -> Exists:
    """Whether a row with an address, whose user is found under `user`, is under a ban of its whole application."""
    whom = Q(user=OuterRef(user)) | Q(address_first__lte=OuterRef("address"), address_last__gte=OuterRef("address"))
    bans = Ban.objects.standing(timezone.now()).filter(whom, conference=None)
    return Exists(bans.filter(application=OuterRef("conference__application")))


def _remove_after_commit(actor: Actor, application: Application) -> None:
    transaction.on_commit(lambda: remove_banned(actor, application.pk), robust=True)


def _application(actor: Actor) -> Application:
    """The application that the actor may ban from. Raises: NotAllowed, ScopeMissing, ApplicationNotFound."""
    require(actor, Action.BAN)
    if actor.application_id is None:
        raise ApplicationNotFound()
    return Application(pk=actor.application_id)
