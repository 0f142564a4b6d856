"""End users of applications, and the tokens that their backends mint for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import connection, models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.application import Application

COLUMNS = ["id", "application_id", "name", "created_at", "erased_at"]
# Every ticket and every kick asks it.
KNOWN = f"SELECT {', '.join(COLUMNS)} FROM accounts_user WHERE application_id = %s AND name = ANY(%s)"  # noqa: S608


class UserManager(models.Manager["User"]):
    def named(self, application_id: int, names: Iterable[str]) -> dict[str, User]:
        """The users of these (normalised) names, created on first sight, in three statements at most."""
        wanted = set(names)
        found = self._known(application_id, wanted)
        if missing := wanted - found.keys():
            self.introduce(application_id, missing)
            found |= self._known(application_id, missing)
        return found

    def introduce(self, application_id: int, names: Iterable[str]) -> None:
        """Create the users of these (normalised) names; those who are there by now stay as they are."""
        users = [User(application_id=application_id, name=name) for name in sorted(names)]
        self.bulk_create(users, ignore_conflicts=True)

    def _known(self, application_id: int, names: Collection[str]) -> dict[str, User]:
        """The plain form is `filter(application_id=…, name__in=…)`."""
        with connection.cursor() as cursor:
            cursor.execute(KNOWN, [application_id, list(names)])
            users = [User.from_db(self.db, COLUMNS, row) for row in cursor.fetchall()]
        return {user.name: user for user in users}


class User(models.Model):
    """Somebody whom an application vouches for: a name within it, and nothing else."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="users")
    name = models.CharField(_("name"), max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(fields=["application", "name"], name="user_name_unique")]

    def __str__(self) -> str:
        return self.name


class UserToken(models.Model):
    """A user token as a row: what makes it listable and revocable. The token itself is signed, not stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("user token")
        verbose_name_plural = _("user tokens")
        indexes = [
            # every process asks for the revoked ones once a second
            models.Index(fields=["expires_at"], name="user_token_revoked", condition=Q(revoked_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.user_id}:{self.pk}"
