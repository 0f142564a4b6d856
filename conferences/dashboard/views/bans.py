"""Bans of a scope: found, added, and lifted one by one or many at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.errors import BadParameters
from accounts.models import StaffRole
from accounts.names import user_name
from conferences.dashboard.bans import BanFilter, NewBan, rows_of, state_of, whom
from conferences.dashboard.csv import csv_response
from conferences.dashboard.pages import page, show
from conferences.dashboard.paging import in_batches, paginate
from conferences.dashboard.scope import Scope, actor_of
from conferences.errors import BanNotFound
from conferences.models import Ban
from conferences.services import bans as of_application
from conferences.services import moderation

MOST_AT_ONCE = 200


@page()
def bans(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    return _listed(request, scope, NewBan(scope))


def _listed(request: HttpRequest, scope: Scope, new: NewBan) -> HttpResponseBase:
    form = BanFilter(request.GET, scope)
    listed = paginate(form.bans(), request)
    context = {"form": form, "page": listed, "rows": rows_of(listed.items, scope), "new": new}
    template = "bans_list.html" if "HX-Request" in request.headers else "bans.html"
    return show(request, scope, template, **context)


@page()
def bans_csv(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    header = [
        _("Whom"), _("Application"), "confrId", _("Cause"), _("State"), _("Reason"), _("Note"),
        _("Author"), _("Added"), _("Expires"), _("Lifted"),
    ]  # fmt: skip
    return csv_response(f"bans-{scope.slug}.csv", header, _rows(BanFilter(request.GET, scope)))


def _rows(form: BanFilter) -> Iterator[list[object]]:
    now = timezone.now()
    for ban in in_batches(form.bans()):
        yield [
            whom(ban),
            form.scope.applications[ban.application_id].app_key,
            ban.conference.confr_id if ban.conference else "",
            ban.get_cause_display(),
            state_of(ban, now),
            ban.reason,
            ban.note,
            ban.author,
            ban.created_at,
            ban.expires_at,
            ban.lifted_at,
        ]


@page(StaffRole.MODERATOR)
@require_POST
def add_ban(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = NewBan(scope, request.POST)
    if not form.is_valid():
        return _listed(request, scope, form)
    count = _add(request, form)
    messages.success(
        request, ngettext("%(count)s ban was added.", "%(count)s bans were added.", count) % {"count": count}
    )
    return redirect("dashboard:bans", slug=scope.slug)


def _add(request: HttpRequest, form: NewBan) -> int:
    """Every field's combination is one service; answers how many bans it made."""
    actor, said = actor_of(request, form.target), form.cleaned_data
    names = [user_name(name, form.target.app_key) for name in said["names"]]
    network, confr_id = said["network"], said["room"].upper()
    if names and confr_id:
        return len(moderation.ban_members(actor=actor, confr_id=confr_id, names=names, hold=form.hold))
    if names:
        return len(of_application.ban_users(actor=actor, names=names, hold=form.hold))
    if confr_id:
        moderation.ban_addresses(actor=actor, confr_id=confr_id, network=network, hold=form.hold)
    else:
        of_application.ban_addresses(actor=actor, network=network, hold=form.hold)
    return 1


@page(StaffRole.MODERATOR)
@require_POST
def lift_bans(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """Lift the chosen ones, and say of each what came of it."""
    try:
        ids = {int(text) for text in request.POST.getlist("ban")}
    except ValueError:
        raise BadParameters(field="ban") from None
    if not 0 < len(ids) <= MOST_AT_ONCE or not all(0 < each < 1 << 63 for each in ids):
        raise BadParameters(field="ban")
    chosen = Ban.objects.filter(pk__in=ids, application__in=scope.applications).select_related("user", "conference")
    if len(chosen) != len(ids):
        raise BanNotFound
    results = []
    for application_id, group in groupby(chosen.order_by("application_id", "-pk"), key=lambda ban: ban.application_id):
        actor = actor_of(request, scope.applications[application_id])
        own = list(group)
        refusals = of_application.lift_bans(actor=actor, bans=own)
        results += [(ban, whom(ban), refusals[ban.pk]) for ban in own]
    return show(request, scope, "bans_lifted.html", results=results)


urlpatterns: list[URLPattern] = [
    path("", bans, name="bans"),
    path("bans.csv", bans_csv, name="bans_csv"),
    path("add/", add_ban, name="add_ban"),
    path("lift/", lift_bans, name="lift_bans"),
]
