"""LogEntry: one committed fact. The shape that the application's log and a conference's events share."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.application import Application


class LogEntry(models.Model):
    """A numbered, hash-chained fact: who did what, from where, why, and what it changed.

    Written once by `accounts.log.chain`. What names a person stands in `personal` and enters the chain only
    as a salted digest, so that erasing it (with its salt) leaves the proof whole.
    """

    seq = models.BigIntegerField()
    type = models.CharField(max_length=48)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=12)
    actor_id = models.CharField(max_length=32, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    data = models.JSONField(default=dict)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    personal = models.JSONField(default=dict)
    salt = models.BinaryField(max_length=16)
    digests = models.JSONField(default=dict)
    hash = models.BinaryField(max_length=32)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class ApplicationEvent(LogEntry):
    """A fact about an application itself: its keys, staff, limits and secrets."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="events")

    class Meta:
        verbose_name = _("application event")
        verbose_name_plural = _("application events")
        constraints = [models.UniqueConstraint(fields=["application", "seq"], name="application_event_seq_unique")]


class Seal(models.Model):
    """The head of one log at one time, signed, and chained to the seal before: a cut tail shows.

    `log` is "application:<id>" or "conference:<confrId>"; `tombstone` marks a log that retention has purged.
    """

    log = models.CharField(max_length=64, db_index=True)
    seq = models.BigIntegerField()
    head = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    tombstone = models.BooleanField(default=False)
    mac = models.BinaryField(max_length=16)

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")

    def __str__(self) -> str:
        return f"{self.log} at {self.seq}"
