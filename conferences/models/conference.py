"""Conference: one life of a room."""

from __future__ import annotations

import secrets
import string
from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Expression, ExpressionWrapper, F
from django.utils.translation import gettext_lazy as _

from accounts.models import Application, User
from conferences.models import rows

ID_ALPHABET = string.ascii_uppercase + string.digits


class ConferenceType(models.IntegerChoices):
    """Easemob's numbers."""

    COMMUNICATION = 10, _("communication")
    COMMUNICATION_MIX = 11, _("large communication")
    LIVE = 12, _("live")


class Role(models.IntegerChoices):
    """Easemob's numbers: a greater role may do more."""

    AUDIENCE = 1, _("audience")
    TALKER = 3, _("talker")
    ADMIN = 7, _("admin")


class Kind(models.TextChoices):
    """What a stream carries, and what can be muted."""

    AUDIO = "audio", _("audio")
    VIDEO = "video", _("video")
    DESKTOP = "desktop", _("desktop")


class CloseReason(models.TextChoices):
    """Why a conference is over."""

    DESTROYED = "destroyed", _("ended on request")
    EMPTY = "empty", _("the last member left")
    NEVER_ENTERED = "never_entered", _("nobody entered")
    TOO_LONG = "too_long", _("the maximum duration is over")
    NO_ADMIN = "no_admin", _("no admin for too long")


# How a conference ends by itself: so many seconds (the second field) after a moment (the first); None: never.
ENDINGS: dict[CloseReason, tuple[str, str]] = {
    CloseReason.NEVER_ENTERED: ("created_at", "delay_seconds"),
    CloseReason.TOO_LONG: ("entered_at", "max_seconds"),
    CloseReason.NO_ADMIN: ("adminless_at", "adminless_seconds"),
}


def new_confr_id() -> str:
    """24 upper-case letters and digits: opaque, unique for ever, 124 bits."""
    number = secrets.randbelow(36**24)  # asked of the system once, not for every letter
    return "".join(ID_ALPHABET[number // 36**place % 36] for place in range(24))


class ConferenceManager(models.Manager["Conference"]):
    """The lock that every command takes first, by what the caller knows. The plain form of each is
    `filter(…).select_for_update().first()`."""

    def lock_id(self, conference_id: int) -> Conference | None:
        return self._lock("WHERE conferences_conference.id = %s", [conference_id])

    def lock_confr_id(self, confr_id: str, application_id: int | None) -> Conference | None:
        """`application_id` None: of any application."""
        return self._lock(*by_confr_id(confr_id, application_id))

    def find_id(self, conference_id: int) -> Conference | None:
        """The same without the lock. The plain form is `filter(…).first()`."""
        return rows.select_one(Conference, f"{_selected()} WHERE conferences_conference.id = %s", [conference_id])

    def find(self, confr_id: str, application_id: int | None) -> Conference | None:
        """The same without the lock. The plain form is `filter(…).first()`."""
        condition, values = by_confr_id(confr_id, application_id)
        return rows.select_one(Conference, f"{_selected()} {condition}", values)

    def _lock(self, condition: str, values: list[object]) -> Conference | None:
        return rows.select_one(Conference, f"{_selected()} {condition} FOR UPDATE OF conferences_conference", values)


def _selected() -> str:
    return f"SELECT {rows.columns(Conference)} FROM conferences_conference"  # noqa: S608 no input


def ends_at(reason: CloseReason) -> Expression:
    """When a conference ends for this reason, for queries; never entered: the caller looks at `entered_at`."""
    since, seconds = ENDINGS[reason]
    return ExpressionWrapper(F(since) + F(seconds) * timedelta(seconds=1), output_field=models.DateTimeField())


def by_confr_id(confr_id: str, application_id: int | None) -> tuple[str, list[object]]:
    """The condition, and its values, of one conference of an application (None: of any).

    Not `application_id = …`: for which PostgreSQL, as long as it knows little of a young table, may go through all
    conferences of the application.
    """
    if application_id is None:
        return "WHERE confr_id = %s", [confr_id]
    is_its = "conferences_conference.application_id IS NOT DISTINCT FROM %s"
    return f"WHERE confr_id = %s AND {is_its}", [confr_id, application_id]


class Conference(models.Model):
    """One life of a room, and the lock under which everything in it happens.

    The seat counters are part of the row, so that whoever holds its lock knows them exactly.
    """

    class State(models.TextChoices):
        LIVE = "live", _("live")
        CLOSED = "closed", _("closed")

    # No index of its own: one below begins with it.
    application = models.ForeignKey(Application, models.CASCADE, related_name="conferences", db_index=False)
    confr_id = models.CharField(max_length=32, unique=True, default=new_confr_id)
    name = models.CharField(_("name"), max_length=128, blank=True)
    type = models.PositiveSmallIntegerField(_("type"), choices=ConferenceType.choices)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.LIVE)
    creator = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    password_mac = models.BinaryField(max_length=16, default=b"")
    ext = models.TextField(blank=True)

    max_talkers = models.PositiveIntegerField()
    max_videos = models.PositiveIntegerField()
    max_audience = models.PositiveIntegerField()
    max_desktops = models.PositiveIntegerField()
    default_role = models.PositiveSmallIntegerField(_("role ceiling"), choices=Role.choices)
    allow_audience_talk = models.BooleanField(default=False)
    delay_seconds = models.PositiveIntegerField(_("waits for the first member"), default=120)
    max_seconds = models.PositiveIntegerField(_("maximum duration"), null=True, blank=True)
    adminless_seconds = models.PositiveIntegerField(_("ends without an admin after"), null=True, blank=True)
    rec = models.BooleanField(_("recorded"), default=False)
    rec_merge = models.BooleanField(_("recordings are merged"), default=False)
    rec_paused = models.BooleanField(_("recording is paused"), default=False, editable=False)
    locked = models.BooleanField(_("locked"), default=False)
    mute_newcomers = ArrayField(models.CharField(max_length=8, choices=Kind.choices), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)

    talkers = models.PositiveIntegerField(default=0, editable=False)
    audience = models.PositiveIntegerField(default=0, editable=False)
    videos = models.PositiveIntegerField(default=0, editable=False)
    desktops = models.PositiveIntegerField(default=0, editable=False)
    admins = models.PositiveIntegerField(default=0, editable=False)
    member_serial = models.PositiveIntegerField(default=0, editable=False)
    last_seq = models.BigIntegerField(default=0, editable=False)
    chain_head = models.BinaryField(default=bytes(32), editable=False)
    sealed_seq = models.BigIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(auto_now_add=True)
    entered_at = models.DateTimeField(null=True, editable=False)
    adminless_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    close_reason = models.CharField(max_length=16, choices=CloseReason.choices, blank=True, editable=False)

    objects = ConferenceManager()

    class Meta:
        verbose_name = _("conference")
        verbose_name_plural = _("conferences")
        constraints = [
            models.UniqueConstraint(
                fields=["application", "name"],
                condition=models.Q(state="live") & ~models.Q(name=""),
                name="conference_live_name_unique",
            )
        ]
        indexes = [
            models.Index(fields=["application", "-id"], name="conference_by_application"),
            models.Index(fields=["id"], condition=models.Q(state="live"), name="conference_live"),
            # The lives of a room, and what was over when: for reports.
            models.Index(
                fields=["application", "name", "id"],
                condition=models.Q(state="closed") & ~models.Q(name=""),
                name="conference_lives",
            ),
            models.Index(
                fields=["application", "closed_at", "id"],
                condition=models.Q(state="closed"),
                name="conference_closed",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.confr_id

    @property
    def members_count(self) -> int:
        return self.talkers + self.audience

    @property
    def max_members(self) -> int:
        """COMMUNICATION is a small circle: its talkers' limit is for everybody."""
        if self.type == ConferenceType.COMMUNICATION:
            return self.max_talkers
        return self.max_talkers + self.max_audience

    @property
    def lasted(self) -> timedelta | None:
        """From the creation to the end; None while it lives."""
        return self.closed_at - self.created_at if self.closed_at else None

    @property
    def ending(self) -> tuple[datetime, CloseReason] | None:
        """When a live conference will end by itself, should nothing change, and why."""
        found = []
        for reason, (since, seconds) in ENDINGS.items():
            begin, span = getattr(self, since), getattr(self, seconds)
            if begin and span is not None and (reason != CloseReason.NEVER_ENTERED or self.entered_at is None):
                found.append((begin + timedelta(seconds=span), reason))
        return min(found, default=None)

    @property
    def hides_audience(self) -> bool:
        """In LIVE nobody is told of audience one by one."""
        return self.type == ConferenceType.LIVE
