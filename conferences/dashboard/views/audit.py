"""The audit: who did what, exported and proved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import orjson
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.errors import NotFound
from conferences.dashboard.csv import csv_response
from conferences.dashboard.pages import page, show
from conferences.dashboard.paging import go_through, turn
from conferences.dashboard.scope import Scope
from conferences.dashboard.timeline import AuditFilter, Row, verify
from conferences.events import CATALOGUE

LINES_PER_PIECE = 200


@page()
def audit(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = AuditFilter(request.GET, scope)
    listed = turn(request, form.read, lambda row: row.mark)
    return show(request, scope, "audit.html", form=form, page=listed, actions=CATALOGUE, query=request.GET.urlencode())


@page()
def audit_csv(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    header = [
        _("Time"), _("Application"), "confrId", "seq", _("Action"), _("By whom"), _("Name"), _("Address"),
        _("About"), _("Reason"), _("Request"),
    ]  # fmt: skip
    return csv_response(f"audit-{scope.slug}.csv", header, map(_cells, _all(request, scope)))


def _cells(row: Row) -> list[object]:
    entry, conference = row.entry, row.conference
    return [
        entry.at, row.application.app_key, conference.confr_id if conference else "", entry.seq, entry.type,
        entry.actor_kind, row.actor, row.address, row.about, row.reason, entry.request_id,
    ]  # fmt: skip


@page()
def audit_lines(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """One JSON document per line, with what proves it."""
    lines = (orjson.dumps(row.as_document(), option=orjson.OPT_APPEND_NEWLINE) for row in _all(request, scope))
    response = StreamingHttpResponse(_pieces(lines), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="audit-{scope.slug}.jsonl"'
    return response


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    while piece := b"".join(islice(lines, LINES_PER_PIECE)):
        yield piece


def _all(request: HttpRequest, scope: Scope) -> Iterator[Row]:
    return go_through(AuditFilter(request.GET, scope).read, lambda row: row.mark)


@page()
def audit_details(request: HttpRequest, scope: Scope, log: str, pk: int) -> HttpResponseBase:
    row = AuditFilter(request.GET, scope).find(log, pk)
    if row is None:
        raise NotFound
    changes = [
        (name, orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
        for name in ("data", "personal", "before", "after")
        if (value := getattr(row.entry, name))
    ]
    return show(request, scope, "audit_details.html", row=row, changes=changes, hash=bytes(row.entry.hash).hex())


@page()
@require_POST
def verify_audit(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    return show(request, scope, "audit_verdict.html", verdict=verify(AuditFilter(request.GET, scope)))


urlpatterns: list[URLPattern] = [
    path("", audit, name="audit"),
    path("audit.csv", audit_csv, name="audit_csv"),
    path("audit.jsonl", audit_lines, name="audit_lines"),
    path("verify/", verify_audit, name="verify_audit"),
    path("<str:log>/<int:pk>/", audit_details, name="audit_details"),
]
