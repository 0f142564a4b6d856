"""Now: how busy a scope is, what of it needs somebody, and how the last hours were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone

from accounts.errors import NotFound
from conferences.dashboard.alerts import alerts
from conferences.dashboard.charts import STEPS, Span, series
from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import Scope
from conferences.dashboard.texts import refusals
from conferences.models import Sample
from conferences.services import figures

BUSIEST = 10
CAUSES = 8
HOUR = timedelta(hours=1)


def _figures(scope: Scope) -> dict[str, Any]:
    return {"figures": figures.figures(list(scope.applications))}


def _busiest(scope: Scope) -> dict[str, Any]:
    found = figures.busiest(list(scope.applications), BUSIEST)
    return {"busiest": [(room, scope.applications[room.application_id]) for room in found]}


def _refusals(scope: Scope) -> dict[str, Any]:
    found = Sample.objects.refusals(_sampled(scope), timezone.now() - HOUR)
    meanings = refusals()
    causes = [(code, meanings.get(code, ""), number) for code, number in found[:CAUSES]]
    return {"causes": causes, "refused": sum(number for _, number in found)}


def _alerts(scope: Scope) -> dict[str, Any]:
    return {"alerts": alerts(scope)}


# The parts of the page that ask for themselves anew, by the name of their template.
PARTS: dict[str, Callable[[Scope], dict[str, Any]]] = {
    "alerts": _alerts,
    "figures": _figures,
    "busiest": _busiest,
    "refusals": _refusals,
}


@page()
def now(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    context = {name: value for part in PARTS.values() for name, value in part(scope).items()}
    return show(request, scope, "now.html", hours=list(STEPS), **context)


@page()
def now_part(request: HttpRequest, scope: Scope, part: str) -> HttpResponseBase:
    if part not in PARTS:
        raise NotFound
    return show(request, scope, f"now/{part}.html", **PARTS[part](scope))


@page()
def now_series(request: HttpRequest, scope: Scope, hours: int) -> HttpResponseBase:
    """The lines of the charts, as JSON."""
    if hours not in STEPS:
        raise NotFound
    return JsonResponse(series(_sampled(scope), Span(hours)))


def _sampled(scope: Scope) -> list[int] | None:
    """Whose samples: for who may see everything, also those that are nobody's."""
    return None if scope.one is None and scope.staff.is_superuser else list(scope.applications)


urlpatterns: list[URLPattern] = [
    path("", now, name="now"),
    path("now/<str:part>/", now_part, name="now_part"),
    path("series/<int:hours>/", now_series, name="now_series"),
]
