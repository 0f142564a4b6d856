"""Where an invitation leads: a page for whoever holds a ticket. It needs no sign-in, since the ticket is the right."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path


def join(request: HttpRequest) -> HttpResponse:
    """The same page for everybody: the ticket is behind the `#`, where no server sees it."""
    return render(request, "dashboard/join.html")


urlpatterns: list[URLPattern] = [path("", join, name="join")]
