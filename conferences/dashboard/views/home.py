"""Where staff begin: they choose an application, or go on when there is but one."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.views.i18n import set_language

from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import ALL, Scope


@page()
def home(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    found = list(scope.visible.values())
    if len(found) == 1 and not request.GET:
        return redirect("dashboard:now", slug=found[0].app_id)
    sought = request.GET.get("q", "").strip().lower()
    shown = [(each, scope.roles[each.pk]) for each in found if sought in each.app_key.lower()]
    return show(request, scope, "home.html", shown=shown, sought=sought)


urlpatterns: list[URLPattern] = [
    path("", home, {"slug": ALL}, name="home"),
    path("language/", set_language, name="language"),
]
