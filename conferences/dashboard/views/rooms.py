"""The rooms of a scope: sought, sorted, watched, saved as filters and as a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.errors import BadParameters
from conferences.dashboard.bulk import verbs
from conferences.dashboard.csv import csv_response
from conferences.dashboard.pages import page, show
from conferences.dashboard.paging import AFTER, BEFORE, in_batches, paginate
from conferences.dashboard.rooms import CLOSED, ENDING, TABS, RoomFilter, raised_hands
from conferences.dashboard.scope import Scope, actor_of
from conferences.dashboard.views import bulk
from conferences.services.bulk import MAX_CONFERENCES
from conferences.services.saved_filters import delete_filter, list_filters, save_filter

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading: its link sorts by it, or the other way round where it does already."""

    label: str | Promise
    url: str = ""
    direction: str = ""  # as aria-sort says it


@page()
def rooms(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = RoomFilter(request.GET, scope)
    found = form.rooms()
    listed = paginate(found, request, form.sort_key)
    hands = {} if form.tab_now == CLOSED else raised_hands(listed.items)
    for room in listed:
        room.application = scope.applications[room.application_id]
    context = {
        "form": form,
        "page": listed,
        "rows": [(room, hands.get(room.pk, 0)) for room in listed],
        "columns": _columns(request, form),
        "count": found.order_by()[: MOST_COUNTED + 1].count(),
        "most_counted": MOST_COUNTED,
        "most_at_once": MAX_CONFERENCES,
        "verbs": [] if form.tab_now == CLOSED else verbs(scope),
    }
    if "HX-Request" in request.headers:
        return show(request, scope, "rooms_list.html", **context)
    context |= {
        "tabs": [(name, label, _address(request, tab=name)) for name, label in TABS.items()],
        "saved": list_filters(actor_of(request, scope.one), scope.one),
        "query": _kept(form),
    }
    return show(request, scope, "rooms.html", **context)


def _columns(request: HttpRequest, form: RoomFilter) -> list[Column]:
    shown = [
        ("name", _("Room")),
        ("", _("Type")),
        ("members", _("Members")),
        ("streams", _("Streams")),
        ("created", _("Created")),
    ]
    if form.tab_now == ENDING:
        shown.append(("ends", _("Ends")))
    return [Column(label, *_sorting(request, form, name)) for name, label in [*shown, ("", _("State"))]]


def _sorting(request: HttpRequest, form: RoomFilter, name: str) -> tuple[str, str]:
    wish = form.wish("sort") or ""
    if not name:
        return "", ""
    if wish.removeprefix("-") != name:
        return _address(request, sort=name), ""
    descends = wish.startswith("-")
    return _address(request, sort=name if descends else f"-{name}"), "descending" if descends else "ascending"


def _address(request: HttpRequest, **changes: str) -> str:
    """This page with another query; the place in the list is lost."""
    query = {name: value for name, value in request.GET.items() if value and name not in {AFTER, BEFORE}}
    return f"?{urlencode(query | changes)}"


def _kept(form: RoomFilter) -> str:
    """What a filter is saved as: what was asked for and understood."""
    return urlencode({name: form.data[name] for name in form.fields if form.wish(name) is not None})


@page()
def rooms_csv(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = RoomFilter(request.GET, scope)
    header = [
        "confrId",
        gettext("Name"),
        gettext("Application"),
        gettext("Type"),
        gettext("State"),
        gettext("Members"),
        gettext("Members at most"),
        gettext("Streams"),
        gettext("Locked"),
        gettext("Recording"),
        gettext("Created"),
        gettext("Closed"),
        gettext("Why it ended"),
    ]
    return csv_response(f"rooms-{scope.slug}.csv", header, _rows(form))


def _rows(form: RoomFilter) -> Iterator[list[object]]:
    found: Iterator[Any] = in_batches(form.rooms(), form.sort_key)
    for room in found:
        yield [
            room.confr_id,
            room.name,
            form.scope.applications[room.application_id].app_key,
            room.get_type_display(),
            TABS[room.state],
            room.headcount,
            room.max_members,
            room.live_streams,
            gettext("yes") if room.locked else gettext("no"),
            gettext("yes") if room.rec else gettext("no"),
            room.created_at,
            room.closed_at,
            room.get_close_reason_display(),
        ]


@page()
@require_POST
def save(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """Keep the filter that the page shows, under a name."""
    query = _kept(RoomFilter(QueryDict(request.POST.get("query", "")), scope))
    name = request.POST.get("name", "").strip()
    if not 0 < len(name) <= 60 or len(query) > 1000:
        raise BadParameters(field="name")
    shared = "shared" in request.POST
    save_filter(actor=actor_of(request, scope.one), application=scope.one, name=name, query=query, shared=shared)
    return _back(scope, query)


@page()
@require_POST
def forget(request: HttpRequest, scope: Scope, filter_id: int) -> HttpResponseBase:
    delete_filter(actor=actor_of(request, scope.one), filter_id=filter_id)
    return _back(scope, "")


def _back(scope: Scope, query: str) -> HttpResponseBase:
    address = reverse("dashboard:rooms", kwargs={"slug": scope.slug})
    return redirect(f"{address}?{query}" if query else address)


urlpatterns: list[URLPattern] = [
    path("", rooms, name="rooms"),
    path("rooms.csv", rooms_csv, name="rooms_csv"),
    path("filters/", save, name="save_filter"),
    path("filters/<int:filter_id>/forget/", forget, name="forget_filter"),
    *bulk.urlpatterns,
]
