"""Alerts: what somebody should look at now, each with a way to where it is set right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.memory import Moment
from conferences import health
from conferences.dashboard.scope import Scope
from conferences.media.base import Health, media_server
from conferences.models import Sample
from conferences.services import figures

# The samples are taken every ten seconds.
LATE = timedelta(seconds=45)
LATELY = timedelta(minutes=10)

_media: Moment[str, Health] = Moment()


@dataclass(frozen=True, slots=True)
class Alert:
    """`url` and `label` lead to what can be done; only text where the staff member can do nothing about it."""

    tone: str
    title: str | Promise
    text: str | Promise
    url: str = ""
    label: str | Promise = ""


def alerts(scope: Scope) -> list[Alert]:
    """What concerns the scope, the worst first."""
    return [*_late_jobs(scope), *_media_away(scope), *_failing_jobs(scope), *_repairs(scope), *_full_rooms(scope)]


def media_health() -> Health:
    """How the media server is, asked at most once a second."""
    return _media.get("health", lambda: media_server().health())


def _late_jobs(scope: Scope) -> Iterator[Alert]:
    at = figures.sampled_at()
    if at is None or timezone.now() - at > LATE:
        text = _("Members who are lost keep their seats, and figures are old. See that the worker and its clock run.")
        yield Alert("danger", _("Background jobs are late"), text, *_system(scope, "jobs"))


def _media_away(scope: Scope) -> Iterator[Alert]:
    if not media_health().ok:
        text = _("Nobody new can publish or play. See that it runs and that Confr can reach it.")
        yield Alert("danger", _("The media server does not answer"), text, *_system(scope, "media"))


def _failing_jobs(scope: Scope) -> Iterator[Alert]:
    if scope.staff.is_superuser and (failing := [job.name for job in health.jobs() if job.is_failing]):
        title = gettext("Background jobs fail: %(names)s") % {"names": ", ".join(failing)}
        yield Alert("danger", title, _("The reason is in the worker's log."), *_system(scope, "jobs"))


def _repairs(scope: Scope) -> Iterator[Alert]:
    since = timezone.now() - LATELY
    points = Sample.objects.series(list(scope.applications), since, LATELY)
    if count := sum(point.repairs for point in points):
        title = gettext("Streams set right in the last 10 minutes: %(count)d") % {"count": count}
        text = _("The media server and Confr disagreed, as after a restart of either. Many of them mean lost hooks.")
        yield Alert("warning", title, text, *_page("audit", scope, _("Look into the audit")))


def _full_rooms(scope: Scope) -> Iterator[Alert]:
    if count := figures.full(list(scope.applications)):
        title = gettext("Full rooms: %(count)d") % {"count": count}
        text = _("Who comes now is refused. A room's limits can be raised while it is live.")
        url, label = _page("rooms", scope, _("Show them"))
        yield Alert("warning", title, text, f"{url}?full=yes", label)


def _page(name: str, scope: Scope, label: str | Promise) -> tuple[str, str | Promise]:
    return reverse(f"dashboard:{name}", kwargs={"slug": scope.slug}), label


def _system(scope: Scope, part: str) -> tuple[str, str | Promise]:
    if not scope.staff.is_superuser:
        return "", ""
    return f"{reverse('dashboard:system')}#{part}", _("Open the system page")
