"""SavedFilter: a search among rooms that a staff member gave a name."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Application, Staff


class SavedFilter(models.Model):
    """The query of the page's address, of one application's rooms or (null) of all rooms.

    A shared one is seen by the whole staff of its application.
    """

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="saved_filters")
    application = models.ForeignKey(Application, models.CASCADE, null=True, related_name="saved_filters")
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(max_length=1000)
    shared = models.BooleanField(_("shared with the staff of the application"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("saved filter")
        verbose_name_plural = _("saved filters")
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "application", "name"], nulls_distinct=False, name="saved_filter_name_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(shared=False) | models.Q(application__isnull=False),
                name="saved_filter_shared_in_one",
            ),
        ]

    def __str__(self) -> str:
        return self.name
