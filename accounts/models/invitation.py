"""Invitation: a link that makes somebody a member of an application's staff, once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.application import Application
from accounts.models.staff import Staff, StaffRole


class Invitation(models.Model):
    """What was offered to whom, and what became of it. Of the link's secret only the SHA-256 is kept.

    With `email` it is also taken up by who comes from the company's single sign-on with that verified address.
    """

    application = models.ForeignKey(Application, models.CASCADE, related_name="invitations")
    role = models.CharField(_("role"), max_length=10, choices=StaffRole.choices)
    email = models.EmailField(_("e-mail address"), blank=True)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True, editable=False)
    accepted_by = models.ForeignKey(Staff, models.SET_NULL, null=True, blank=True, editable=False, related_name="+")

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return f"{self.role} of {self.application_id}"
