"""The pages that the side navigation leads to, and who sees them there."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import StaffRole
from conferences.dashboard.scope import Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation: its URL's name, its icon, and the keys that lead there."""

    name: str
    label: str | Promise
    icon: str
    keys: str
    least: StaffRole = StaffRole.AUDITOR
    of_scope: bool = True
    of_superusers: bool = False

    def address(self, scope: Scope) -> str:
        return reverse(f"dashboard:{self.name}", kwargs={"slug": scope.slug} if self.of_scope else None)

    def is_for(self, scope: Scope) -> bool:
        return scope.allows(self.least) and (scope.staff.is_superuser or not self.of_superusers)


LIVE = [
    Entry("now", _("Now"), "activity", "g n"),
    Entry("rooms", _("Rooms"), "camera-video", "g r"),
    Entry("wall", _("Wall"), "grid-3x3-gap", "g w"),
]
HISTORY = [
    Entry("reports", _("Reports"), "bar-chart", "g h"),
    Entry("recordings", _("Recordings"), "record-circle", "g c"),
    Entry("bans", _("Bans"), "slash-circle", "g b"),
    Entry("audit", _("Audit"), "journal-check", "g a"),
]
SETTINGS = [
    Entry("applications", _("Applications"), "key", "g p", of_scope=False),
    Entry("staff", _("Staff"), "people", "g s", StaffRole.OWNER, of_scope=False),
    Entry("system", _("System"), "hdd-stack", "g y", of_scope=False, of_superusers=True),
]
GROUPS = [(_("Live"), LIVE), (_("History"), HISTORY), (_("Settings"), SETTINGS)]
