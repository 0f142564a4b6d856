"""Staff: the humans at the dashboard and the admin, and what they may do per application."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.models.application import Application


class Staff(AbstractUser):
    """An operator or moderator. A superuser sees every application; others see those they belong to."""

    class Meta(AbstractUser.Meta):
        verbose_name = _("staff member")  # type: ignore[assignment]  # the stubs know only str
        verbose_name_plural = _("staff")  # type: ignore[assignment]
        constraints = [
            # one can sign in with it
            models.UniqueConstraint(Lower("email"), name="staff_email_unique", condition=~Q(email="")),
        ]


class StaffRole(models.TextChoices):
    OWNER = "owner", _("owner: everything, keys and staff included")
    OPERATOR = "operator", _("operator: conferences, limits, recordings")
    MODERATOR = "moderator", _("moderator: acts in live conferences")
    AUDITOR = "auditor", _("auditor: looks, changes nothing")


class Membership(models.Model):
    """A staff member's role in one application."""

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="memberships")
    application = models.ForeignKey(Application, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=StaffRole.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["staff", "application"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.role} of {self.application_id}"
