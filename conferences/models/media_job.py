"""MediaJob: a claim of a media worker on what lasts as long as a stream."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class MediaJob(models.Model):
    """One worker does this, and nobody else does until the lease is over.

    What there is to do is said by other rows (a live stream of a recorded conference, a mix that was started); this
    one says who does it. Its primary key is the fencing number: a later claim has a greater one, and a claim that
    was lost has no row.
    """

    class Kind(models.TextChoices):
        RECORDER = "recorder", _("recorder")
        MIXER = "mixer", _("mixer")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    target = models.BigIntegerField()  # a stream, a mix
    owner = models.CharField(max_length=80)
    claimed_at = models.DateTimeField()
    lease_until = models.DateTimeField()

    class Meta:
        verbose_name = _("media job")
        verbose_name_plural = _("media jobs")
        constraints = [models.UniqueConstraint(fields=["kind", "target"], name="media_job_unique")]
        indexes = [models.Index(fields=["owner"], name="media_job_by_owner")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.target}"
