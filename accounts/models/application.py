"""Application: a tenant."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField
from accounts.names import RESERVED_ORGS

LIMIT_NAMES = frozenset({"talkers", "videos", "audience", "desktops"})
slug = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,31}\Z", _("Use a-z, 0-9 and -, at most 32."))


def not_reserved(org: str) -> None:
    if org in RESERVED_ORGS:
        raise ValidationError(_("This name is taken by an address of ours; choose another."))


def validate_limits(value: Any) -> None:
    """`{"<conference type>": {"talkers": 9, …}}`, whole numbers from 0 to 100000."""
    rows: list[tuple[str, Any]] = list(value.items()) if isinstance(value, dict) else [("", None)]
    for kind, limits in rows:
        known = isinstance(limits, dict) and kind in {"10", "11", "12"} and limits.keys() <= LIMIT_NAMES
        if not known or not all(type(n) is int and 0 <= n <= 100_000 for n in limits.values()):
            raise ValidationError(_('Write limits as {"10": {"talkers": 9}}.'))


class Application(models.Model):
    """A tenant. Nothing crosses from one to another."""

    org = models.CharField(_("organisation"), max_length=32, validators=[slug, not_reserved])
    app = models.CharField(_("application"), max_length=32, validators=[slug])
    app_id = models.BigIntegerField(_("numeric id"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    client_id = models.CharField(max_length=48, unique=True)
    client_secret = EncryptedTextField()
    limits = models.JSONField(_("limits by type"), default=dict, blank=True, validators=[validate_limits])
    max_conferences = models.PositiveIntegerField(_("live conferences at most"), null=True, blank=True)
    ticket_seconds = models.PositiveIntegerField(_("ticket's life"), default=600)
    grace_seconds = models.PositiveIntegerField(_("grace after a lost socket"), default=30)
    hold_seconds = models.PositiveIntegerField(
        _("how long a kick holds"),
        null=True,
        blank=True,
        help_text=_("Empty: as long as the conference lives."),
    )
    requests_per_minute = models.PositiveIntegerField(
        _("requests per minute and key or user"), default=6000, validators=[MinValueValidator(1)]
    )
    total_requests_per_minute = models.PositiveIntegerField(
        _("requests per minute, all together"), default=60_000, validators=[MinValueValidator(1)]
    )
    max_recording_bytes = models.BigIntegerField(
        _("space for recordings, bytes"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    recording_days = models.PositiveIntegerField(
        _("recordings are kept, days"),
        null=True,
        blank=True,
        help_text=_("Empty: as long as the installation says."),
    )
    suspended_at = models.DateTimeField(_("suspended"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_seq = models.BigIntegerField(default=0, editable=False)
    chain_head = models.BinaryField(default=bytes(32), editable=False)

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        constraints = [models.UniqueConstraint(fields=["org", "app"], name="application_key_unique")]

    def __str__(self) -> str:
        return self.app_key

    @property
    def app_key(self) -> str:
        """`org#app`, the key that vendors' SDKs know the application by."""
        return f"{self.org}#{self.app}"
