"""UserPassword: what a registered end user signs in with, where there is no other server to vouch for it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User


class UserPassword(models.Model):
    """A user that a backend registered with a password; only its slow hash is kept. Most users have none."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="password")
    digest = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("user's password")
        verbose_name_plural = _("users' passwords")

    def __str__(self) -> str:
        return f"of {self.user_id}"
