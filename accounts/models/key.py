"""API keys: how a mini-program backend proves itself."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.application import Application


class Scope(models.TextChoices):
    READ = "read", _("read everything of the application")
    CONFERENCES = "conferences", _("create, change and end conferences; tickets")
    MODERATE = "moderate", _("roles, kick, ban, mute, streams")
    MESSAGES = "messages", _("broadcasts, commands and attributes")
    TOKENS = "tokens", _("mint and revoke user tokens")


class ApiKey(models.Model):
    """One secret of an application: its SHA-256, never itself. `prefix` finds it and names it in logs."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="keys")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices), verbose_name=_("scopes"))
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
