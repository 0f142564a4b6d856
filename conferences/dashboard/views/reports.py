"""Session history: which rooms lived and when, and of one life who was there, what was done and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters
from conferences.dashboard import drawing
from conferences.dashboard.csv import csv_response
from conferences.dashboard.history import by_day, closed_between, moderation_of, moment_of, neighbours_of, report_of
from conferences.dashboard.pages import page, show
from conferences.dashboard.paging import Page, in_batches, paginate
from conferences.dashboard.scope import Scope, actor_of
from conferences.models import Conference, Event, Role
from conferences.services.questions import get_conference, list_events

DEFAULT_DAYS, MOST_DAYS = 30, 366
ROLES = [Role.ADMIN, Role.TALKER, Role.AUDIENCE]
PEOPLE_AT_ONCE, PRESENT_AT_ONCE, ACTS_SHOWN = 50, 200, 200


class Period(forms.Form):
    """The days in which rooms ended, and a name to look for. Without days: the last 30."""

    begin = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    q = forms.CharField(
        label=_("Room"), required=False, max_length=128, widget=forms.TextInput(attrs={"type": "search"})
    )

    def __init__(self, data: Mapping[str, Any]) -> None:
        today = timezone.now().date()
        usual = {"begin": (today - timedelta(days=DEFAULT_DAYS - 1)).isoformat(), "end": today.isoformat(), "q": ""}
        super().__init__({name: data.get(name) or value for name, value in usual.items()}, auto_id="period_%s")

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("begin"), self.cleaned_data.get("end")
        if first and last and not 0 <= (last - first).days < MOST_DAYS:
            self.add_error("end", _("Choose at most a year, and its end not before its beginning."))
        return self.cleaned_data

    def days(self) -> tuple[date, date]:
        """Raises: BadParameters."""
        if not self.is_valid():
            raise BadParameters(field=next(iter(self.errors)))
        return self.cleaned_data["begin"], self.cleaned_data["end"]


@page()
def reports(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = Period(request.GET)
    if not form.is_valid():
        return show(request, scope, "reports.html", form=form)
    period = form.days()
    found = closed_between(scope, *period)
    days = by_day(found)
    sought = form.cleaned_data["q"]
    listed = paginate(found.filter(name__icontains=sought) if sought else found, request, key="-closed_at")
    for each in listed:
        each.application = scope.applications[each.application_id]
    query = request.GET.urlencode()
    columns = drawing.columns(days, *period)
    return show(request, scope, "reports.html", form=form, page=listed, days=days, columns=columns, query=query)


@page()
def summary_csv(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    first, last = Period(request.GET).days()
    header = [
        gettext("Day"),
        gettext("Conferences"),
        gettext("Entries"),
        gettext("Users"),
        gettext("Minutes in seats"),
        gettext("Longest, minutes"),
    ]
    rows = (
        [day.day, day.conferences, day.entries, day.users, _minutes(day.present), _minutes(day.longest)]
        for day in by_day(closed_between(scope, first, last))
    )
    return csv_response(f"summary-{scope.slug}-{first}-{last}.csv", header, rows)


def _minutes(length: timedelta) -> float:
    return round(length / timedelta(minutes=1), 1)


@page(of_one=True)
def report(request: HttpRequest, scope: Scope, confr_id: str) -> HttpResponseBase:
    """One life of a room."""
    conference = _conference(request, scope, confr_id)
    told = report_of(conference)
    people = _people(request, told.attendance)
    before, after = neighbours_of(conference)
    return show(
        request,
        scope,
        "report.html",
        conference=conference,
        report=told,
        people=people,
        roles=ROLES,
        rows=[(each, [each.by_role.get(role) for role in ROLES]) for each in people],
        chart=drawing.lanes(people.items, told.begin, told.end),
        acts=moderation_of(conference)[:ACTS_SHOWN],
        before=before,
        after=after,
        **_moment(conference, _number(request, "seq") or told.peak_seq or 1),
    )


def _people(request: HttpRequest, everybody: list[Any]) -> Page[Any]:
    """A page of what is no table: by number."""
    number = max(_number(request, "people"), 1)
    end = number * PEOPLE_AT_ONCE
    return Page(
        everybody[end - PEOPLE_AT_ONCE : end],
        f"?people={number - 1}" if number > 1 else None,
        f"?people={number + 1}" if end < len(everybody) else None,
    )


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


@page(of_one=True)
def moment(request: HttpRequest, scope: Scope, confr_id: str) -> HttpResponseBase:
    """The room after one fact: what the slider of the report asks for."""
    conference = _conference(request, scope, confr_id)
    return show(
        request, scope, "report_moment.html", conference=conference, **_moment(conference, _number(request, "seq"))
    )


def _moment(conference: Conference, seq: int) -> dict[str, Any]:
    found = moment_of(conference, seq)
    live = sum(len(each.seat.streams) for each in found.present)
    return {"moment": found, "shown": found.present[:PRESENT_AT_ONCE], "live_streams": live}


@page(of_one=True)
def attendance_csv(request: HttpRequest, scope: Scope, confr_id: str) -> HttpResponseBase:
    conference = _conference(request, scope, confr_id)
    header = [
        gettext("User"),
        gettext("First in"),
        gettext("Last out"),
        gettext("Entries"),
        gettext("Seconds in the room"),
        *(gettext("Seconds as %(role)s") % {"role": role.label} for role in ROLES),
        gettext("Seconds publishing"),
        gettext("Seconds reconnecting"),
    ]
    rows = (
        [each.user, each.first_in, each.last_out, len(each.seats), _seconds(each.total)]
        + [_seconds(each.by_role.get(role, timedelta())) for role in ROLES]
        + [_seconds(each.published), _seconds(each.away)]
        for each in report_of(conference).attendance
    )
    return csv_response(f"attendance-{confr_id}.csv", header, rows)


def _seconds(length: timedelta) -> int:
    return round(length.total_seconds())


@page(of_one=True)
def events_csv(request: HttpRequest, scope: Scope, confr_id: str) -> StreamingHttpResponse:
    events = list_events(actor_of(request, scope.one), confr_id)
    header = [
        gettext("Number"),
        gettext("At"),
        gettext("Event"),
        gettext("Actor"),
        gettext("Who"),
        gettext("Address"),
        gettext("Request"),
        gettext("Name"),
        gettext("Data"),
        gettext("Reason"),
    ]
    return csv_response(f"events-{confr_id}.csv", header, map(_event_row, in_batches(events, "seq")))


def _event_row(event: Event) -> list[object]:
    personal = event.personal
    return [
        event.seq,
        event.at,
        event.type,
        event.actor_kind,
        personal.get("actor"),
        personal.get("address"),
        event.request_id,
        personal.get("name"),
        event.data,
        personal.get("reason"),
    ]


def _conference(request: HttpRequest, scope: Scope, confr_id: str) -> Conference:
    """Raises: ConferenceNotFound."""
    return get_conference(actor_of(request, scope.one), confr_id)


urlpatterns: list[URLPattern] = [
    path("", reports, name="reports"),
    path("summary.csv", summary_csv, name="summary_csv"),
    path("<str:confr_id>/", report, name="report"),
    path("<str:confr_id>/moment/", moment, name="report_moment"),
    path("<str:confr_id>/attendance.csv", attendance_csv, name="attendance_csv"),
    path("<str:confr_id>/events.csv", events_csv, name="events_csv"),
]
