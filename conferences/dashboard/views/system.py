"""System: how each part of the installation does. For superusers, who run it."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from accounts.errors import NotAllowed
from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import ALL, Scope
from conferences.dashboard.system import overview


@page()
def system(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """The page, or what of it changes. Raises: NotAllowed."""
    if not scope.staff.is_superuser:
        raise NotAllowed
    template = "system/overview.html" if "HX-Request" in request.headers else "system.html"
    return show(request, scope, template, **overview())


urlpatterns: list[URLPattern] = [path("", system, {"slug": ALL}, name="system")]
