"""Recordings of a scope: found, looked at, tried again, held and deleted."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from accounts.actors import Actor
from accounts.models import StaffRole
from conferences.dashboard.csv import csv_response
from conferences.dashboard.fresh import fresh
from conferences.dashboard.pages import page, show
from conferences.dashboard.paging import in_batches, paginate
from conferences.dashboard.recordings import RecordingFilter, of_scope, rows_of
from conferences.dashboard.scope import Scope, actor_of
from conferences.errors import RecordingNotFound
from conferences.models import Recording
from conferences.services import recordings as service
from conferences.services.links import link


@page()
def recordings(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = RecordingFilter(request.GET, scope)
    listed = paginate(form.recordings(), request)
    rows = rows_of(listed.items, scope)
    template = "recordings/list.html" if "HX-Request" in request.headers else "recordings/recordings.html"
    is_moving = not all(row.is_settled for row in rows)
    return show(request, scope, template, form=form, page=listed, rows=rows, is_moving=is_moving)


@page()
def recordings_csv(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    header = [
        gettext("Recording"),
        gettext("Application"),
        "confrId",
        gettext("Room"),
        gettext("User"),
        gettext("Kind"),
        gettext("State"),
        gettext("Began"),
        gettext("Ended"),
        gettext("Seconds"),
        gettext("Bytes"),
        "SHA-256",
        gettext("Why it failed"),
        gettext("Legal hold"),
        gettext("Kept until"),
    ]
    return csv_response(f"recordings-{scope.slug}.csv", header, _rows(RecordingFilter(request.GET, scope)))


def _rows(form: RecordingFilter) -> Iterator[list[object]]:
    for each in in_batches(form.recordings()):
        yield [
            each.pk,
            form.scope.applications[each.application_id].app_key,
            each.conference.confr_id,
            each.conference.name,
            each.member.user.name if each.member else "",
            each.get_kind_display(),
            each.get_state_display(),
            each.started_at,
            each.ended_at,
            each.duration_ms / 1000,
            each.size,
            each.checksum,
            each.error_code,
            each.legal_hold,
            each.keep_until,
        ]


@page()
def recording(request: HttpRequest, scope: Scope, recording_id: int) -> HttpResponseBase:
    if "HX-Request" in request.headers and not of_scope(scope).filter(pk=recording_id).exists():
        return HttpResponse(headers={"HX-Redirect": reverse("dashboard:recordings", kwargs={"slug": scope.slug})})
    [row] = rows_of([_found(scope, recording_id)], scope)
    template = "recordings/state.html" if "HX-Request" in request.headers else "recordings/recording.html"
    response = show(request, scope, template, row=row, recording=row.recording, link=link(row.recording))
    if "until_settled" in request.GET and row.is_settled:
        response["HX-Refresh"] = "true"  # the whole page: there is a file to play now, or a failure to act upon
    return response


@page(StaffRole.OPERATOR)
@require_POST
def retry_recording(request: HttpRequest, scope: Scope, recording_id: int) -> HttpResponseBase:
    service.retry_recording(actor=_actor(request, scope, recording_id), recording_id=recording_id)
    messages.success(request, gettext("The file is made again."))
    return redirect("dashboard:recording", slug=scope.slug, recording_id=recording_id)


@page(StaffRole.OPERATOR)
@require_POST
def hold_recording(request: HttpRequest, scope: Scope, recording_id: int) -> HttpResponseBase:
    hold = request.POST.get("hold") == "yes"
    service.hold_recording(
        actor=_actor(request, scope, recording_id),
        recording_id=recording_id,
        hold=hold,
        reason=request.POST.get("reason", "")[:200],
    )
    messages.success(
        request, gettext("The recording is under legal hold.") if hold else gettext("The hold is released.")
    )
    return redirect("dashboard:recording", slug=scope.slug, recording_id=recording_id)


@page(StaffRole.OPERATOR)
@require_POST
@fresh
def delete_recording(request: HttpRequest, scope: Scope, recording_id: int) -> HttpResponseBase:
    actor = _actor(request, scope, recording_id)
    service.delete_recording(actor=actor, recording_id=recording_id, reason=request.POST.get("reason", "")[:200])
    messages.success(request, gettext("The recording was deleted."))
    return redirect("dashboard:recordings", slug=scope.slug)


def _found(scope: Scope, recording_id: int) -> Recording:
    """Raises: RecordingNotFound."""
    found = of_scope(scope).filter(pk=recording_id).first()
    if found is None:
        raise RecordingNotFound()
    return found


def _actor(request: HttpRequest, scope: Scope, recording_id: int) -> Actor:
    return actor_of(request, scope.applications[_found(scope, recording_id).application_id])


urlpatterns: list[URLPattern] = [
    path("", recordings, name="recordings"),
    path("recordings.csv", recordings_csv, name="recordings_csv"),
    path("<int:recording_id>/", recording, name="recording"),
    path("<int:recording_id>/retry/", retry_recording, name="retry_recording"),
    path("<int:recording_id>/hold/", hold_recording, name="hold_recording"),
    path("<int:recording_id>/delete/", delete_recording, name="delete_recording"),
]
