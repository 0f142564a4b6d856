"""Ban: who may not enter, for how long, and who says so. A kick holds by one too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Application, User
from conferences.models import rows
from conferences.models.conference import Conference
from conferences.models.member import Member, read_seat, seat_of


@dataclass(frozen=True, slots=True)
class Outcast:
    """A user who is to be kept out of a conference, with the seat there, if any, and the ids of the tickets for it
    that are not revoked. `next_ban_id` is for a ban.
    """

    user: User
    seat: Member | None
    ticket_ids: list[int]
    next_ban_id: int


def kept_out(application: str, conference: str, user: str, address: str) -> str:
    """Whether a ban that stands `%(now)s` keeps a user or an address out, for statements that have each of them
    under this name. The plain form is `standing(now).against(…).exists()`.

    Users and addresses are asked for apart, each by its index: kicks leave many bans of users behind. A user is of one
    application, and so are its bans.
    """
    standing = f"""EXISTS (SELECT 1 FROM conferences_ban b
        WHERE (b.conference_id IS NULL OR b.conference_id = {conference})
        AND b.lifted_at IS NULL AND (b.expires_at IS NULL OR b.expires_at > %(now)s)"""  # noqa: S608 names
    within = f"b.address_first IS NOT NULL AND b.address_first <= {address} AND b.address_last >= {address}"
    return f"({standing} AND b.user_id = {user}) OR {standing} AND b.application_id = {application} AND {within}))"


class BanQuerySet(models.QuerySet["Ban"]):
    def standing(self, now: datetime) -> BanQuerySet:
        """Those that hold now."""
        return self.filter(lifted_at=None).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=now))

    def keeps_out(self, conference: Conference, user_id: int | None, address: str | None) -> bool:
        """Whether one that stands now keeps this user or this address out.

        The plain form is `standing(now).against(…).exists()`.
        """
        sql = f"SELECT {kept_out('%(application)s', '%(conference)s', '%(user)s', '%(address)s')}"
        whom = {"user": user_id, "address": address or None, "now": timezone.now()}
        where = {"application": conference.application_id, "conference": conference.pk}
        ((found,),) = rows.execute(sql, whom | where)
        return bool(found)

    def outcasts(self, conference: Conference, names: Collection[str]) -> list[Outcast]:
        """Read all that keeping out the users of these (normalised) names needs of the database, in one statement
        and in the order of the names; users are created on first sight, since a ban may come before its user does.

        The plain form is `User.objects.named()`, `Member.objects.seated_named()` and a filter of tickets.
        """
        condition, whose = rows.among(list(names))
        sql = f"""
            SELECT {rows.columns(Member)}, u.name, u.id,
                ARRAY(SELECT t.id FROM conferences_ticket t
                    WHERE t.conference_id = %s AND t.user_id = u.id AND t.revoked_at IS NULL),
                nextval('conferences_ban_id_seq')
            FROM accounts_user u LEFT JOIN {seat_of("u.id", "%s")} ON TRUE
            WHERE u.application_id = %s AND u.name {condition}
            ORDER BY array_position(%s::text[], u.name::text)
        """  # noqa: S608 names of columns
        given = [conference.pk, conference.pk, conference.application_id, whose, list(names)]
        found = rows.execute(sql, given)
        if len(found) < len(set(names)):
            User.objects.introduce(conference.application_id, names)
            found = rows.execute(sql, given)
        return [_outcast(conference, row) for row in found]

    def against(self, conference: Conference, user_id: int | None, address: str | None) -> BanQuerySet:
        """Those that keep this user or this address out of `conference`."""
        whom = models.Q(pk__in=[])
        if user_id is not None:
            whom |= models.Q(user_id=user_id)
        if address:
            whom |= models.Q(address_first__lte=address, address_last__gte=address)
        return self.filter(whom, application_id=conference.application_id).filter(
            models.Q(conference=None) | models.Q(conference=conference)
        )


def _outcast(conference: Conference, row: Sequence[Any]) -> Outcast:
    *seat, name, user_id, ticket_ids, next_ban_id = row
    user = User(pk=user_id, application_id=conference.application_id, name=name)
    has_seat = seat[0] is not None
    return Outcast(user, read_seat(conference, [*seat, name]) if has_seat else None, ticket_ids, next_ban_id)


class Ban(models.Model):
    """A user or an address range, kept out of one conference or of the whole application."""

    class Cause(models.TextChoices):
        KICK = "kick", _("kicked")
        BAN = "ban", _("banned")

    application = models.ForeignKey(Application, models.CASCADE, related_name="bans")
    conference = models.ForeignKey(Conference, models.CASCADE, null=True, blank=True, related_name="bans")
    cause = models.CharField(max_length=4, choices=Cause.choices, default=Cause.BAN)
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="bans")
    address_first = models.GenericIPAddressField(null=True, blank=True)
    address_last = models.GenericIPAddressField(null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    note = models.TextField(_("internal note"), blank=True)
    author = models.CharField(_("author"), max_length=160, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)

    objects = BanQuerySet.as_manager()

    class Meta:
        verbose_name = _("ban")
        verbose_name_plural = _("bans")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, address_first=None, address_last=None)
                | models.Q(user=None, address_first__isnull=False, address_last__isnull=False),
                name="ban_user_or_range",
            )
        ]
        indexes = [
            models.Index(fields=["application", "user"], condition=models.Q(lifted_at=None), name="ban_user"),
            models.Index(
                fields=["application"],
                condition=models.Q(lifted_at=None, address_first__isnull=False),
                name="ban_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.pk}"
