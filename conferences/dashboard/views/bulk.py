"""Bulk acts: what exactly will happen, the order to do it, how far it is, and what came of it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from accounts.errors import BadParameters, NotAllowed, NotFound
from conferences.dashboard.bulk import chosen, preview, verbs
from conferences.dashboard.csv import csv_response
from conferences.dashboard.fresh import fresh
from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import Scope, actor_of
from conferences.dashboard.texts import refusals
from conferences.models import BulkAct, BulkItem
from conferences.services.bulk import ACTIONS, MAX_CONFERENCES, Plan, begin_bulk_act, cancel_bulk_act

View = Callable[[HttpRequest, Scope], HttpResponseBase]


def carefully(view: View) -> View:
    """What cannot be taken back asks for the second factor again."""

    @wraps(view)
    def wrapped(request: HttpRequest, scope: Scope) -> HttpResponseBase:
        return (fresh(view) if request.POST.get("verb") == BulkAct.Verb.END else view)(request, scope)

    return wrapped


@page()
@require_POST
@carefully
def preview_act(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """The dialog that says what will happen. Nothing happens."""
    verb = request.POST.get("verb", "")
    if verb not in ACTIONS:
        raise BadParameters(field="verb")
    if verb not in verbs(scope):
        raise NotAllowed(action=ACTIONS[verb].value)
    rooms = chosen(request.POST, scope)
    if not rooms:
        raise BadParameters(gettext("Choose at least one room that is still there."), field="conference")
    return show(
        request,
        scope,
        "bulk_preview.html",
        plan=preview(BulkAct.Verb(verb), rooms, scope),
        token=secrets.token_hex(16),
        most=MAX_CONFERENCES,
    )


@page()
@require_POST
@carefully
def begin(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """Have it done. Sent twice, it is done once."""
    post = request.POST
    plan = Plan(
        verb=post.get("verb", ""),
        confr_ids=post.getlist("conference"),
        token=post.get("token", "")[:32],
        content=post.get("content", "").strip(),
        reason=post.get("reason", "").strip()[:200],
    )
    act = begin_bulk_act(actor=actor_of(request, scope.one), plan=plan, application=scope.one)
    return redirect("dashboard:bulk_act", slug=scope.slug, act_id=act.pk)


@page()
def bulk_act(request: HttpRequest, scope: Scope, act_id: int) -> HttpResponseBase:
    act = _own(scope, act_id)
    items = list(_items(scope, act))
    texts = refusals()
    counts = Counter(item.state for item in items)
    for item in items:
        item.conference.application = scope.applications[item.conference.application_id]
    return show(
        request,
        scope,
        "bulk_progress.html" if "HX-Request" in request.headers else "bulk.html",
        act=act,
        items=[(item, texts.get(item.code, "")) for item in items],
        counts=[(state, counts[state]) for state in BulkItem.State if counts[state]],
        total=len(items),
        settled=len(items) - counts[BulkItem.State.WAITING],
        refused=[item.conference.confr_id for item in items if item.state == BulkItem.State.REFUSED],
    )


@page()
@require_POST
def cancel(request: HttpRequest, scope: Scope, act_id: int) -> HttpResponseBase:
    """Leave the rest undone."""
    cancel_bulk_act(actor=actor_of(request, scope.one), act_id=_own(scope, act_id).pk)
    return redirect("dashboard:bulk_act", slug=scope.slug, act_id=act_id)


@page()
def bulk_act_csv(request: HttpRequest, scope: Scope, act_id: int) -> HttpResponseBase:
    act = _own(scope, act_id)
    header = [
        "confrId",
        gettext("Name"),
        gettext("Application"),
        gettext("Result"),
        gettext("Code"),
        gettext("Why"),
        gettext("At"),
    ]
    return csv_response(f"bulk-{act.verb}-{act.pk}.csv", header, _rows(scope, act))


def _rows(scope: Scope, act: BulkAct) -> Iterator[list[object]]:
    texts = refusals()
    for item in list(_items(scope, act)):
        room = item.conference
        application = scope.applications[room.application_id].app_key
        why = texts.get(item.code, "")
        yield [room.confr_id, room.name, application, item.get_state_display(), item.code, why, item.at]


def _own(scope: Scope, act_id: int) -> BulkAct:
    """Who began it sees it, on the pages of the scope that it was begun in. Raises: NotFound."""
    act = BulkAct.objects.filter(pk=act_id, staff=scope.staff, application=scope.one).first()
    if act is None:
        raise NotFound
    return act


def _items(scope: Scope, act: BulkAct) -> QuerySet[BulkItem]:
    """In the order in which they are done; not those of applications that the staff member has left."""
    items = act.items.filter(conference__application__in=scope.applications)
    return items.select_related("conference").order_by("pk")


urlpatterns: list[URLPattern] = [
    path("bulk/preview/", preview_act, name="bulk_preview"),
    path("bulk/", begin, name="bulk_begin"),
    path("bulk/<int:act_id>/", bulk_act, name="bulk_act"),
    path("bulk/<int:act_id>/cancel/", cancel, name="bulk_cancel"),
    path("bulk/<int:act_id>/results.csv", bulk_act_csv, name="bulk_act_csv"),
]
