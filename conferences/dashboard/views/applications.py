"""Applications: the list, and the page of one with its limits, defaults, keys and client secret."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.cache import patch_cache_control
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts import services
from accounts.errors import BadParameters, NotAllowed, NotFound
from accounts.models import ApiKey, Application, StaffRole
from accounts.permissions import Act, allows
from conferences.dashboard.applications import NewApplication, NewKey, Rotation, Settings, explain
from conferences.dashboard.fresh import fresh
from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import ALL, Scope, actor_of


@page()
def applications(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    good = Count("keys", filter=Q(keys__revoked_at=None))
    found = Application.objects.filter(pk__in=scope.visible).annotate(good_keys=good).order_by("org", "app")
    rows = [(each, scope.roles[each.pk]) for each in found]
    return show(request, scope, "applications.html", rows=rows)


@page()
def new_application(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    actor = actor_of(request)
    if not allows(actor, Act.CREATE_APPLICATION):
        raise NotAllowed
    form = NewApplication(request.POST or None)
    if form.is_valid():
        try:
            made = services.create_application(actor=actor, **form.cleaned_data)
        except BadParameters as refusal:
            explain(form, refusal)
        else:
            return redirect("dashboard:application", slug=made.app_id)
    return show(request, scope, "application_new.html", form=form)


@page(of_one=True)
def application(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    return _shown(request, scope)


def _shown(
    request: HttpRequest, scope: Scope, settings: Settings | None = None, new_key: NewKey | None = None
) -> HttpResponseBase:
    one, actor = _one(scope), actor_of(request)
    return show(
        request,
        scope,
        "application.html",
        application=one,
        settings=settings or Settings(one),
        new_key=new_key or NewKey(),
        rotation=Rotation(),
        keys=one.keys.order_by("-pk"),
        may_update=allows(actor, Act.UPDATE_APPLICATION, one),
        may_manage_keys=allows(actor, Act.MANAGE_KEYS, one),
        may_suspend=allows(actor, Act.SUSPEND_APPLICATION, one),
    )


@page(StaffRole.OPERATOR, of_one=True)
@require_POST
def save_settings(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = Settings(Application.objects.get(pk=_one(scope).pk), request.POST)
    if not form.is_valid():
        return _shown(request, scope, settings=form)
    try:
        services.update_application(actor=actor_of(request), application=_one(scope), changes=form.changes())
    except BadParameters as refusal:
        explain(form, refusal)
        return _shown(request, scope, settings=form)
    messages.success(request, _("Saved."))
    return _back(scope)


@page(of_one=True)
@require_POST
@fresh
def suspend_application(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    reason = request.POST.get("reason", "")[:200]
    services.suspend_application(actor=actor_of(request), application=_one(scope), reason=reason)
    return _back(scope)


@page(of_one=True)
@require_POST
def resume_application(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    services.resume_application(actor=actor_of(request), application=_one(scope))
    return _back(scope)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def read_secret(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    secret = services.read_client_secret(actor=actor_of(request), application=_one(scope))
    return _secret(request, scope, _("Client secret"), secret)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def rotate_secret(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    rotated = services.rotate_client_secret(actor=actor_of(request), application=_one(scope))
    return _secret(request, scope, _("New client secret"), rotated.client_secret)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def create_key(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = NewKey(request.POST)
    if not form.is_valid():
        return _shown(request, scope, new_key=form)
    try:
        new = services.create_api_key(actor=actor_of(request), application=_one(scope), **form.cleaned_data)
    except BadParameters as refusal:
        explain(form, refusal)
        return _shown(request, scope, new_key=form)
    return _secret(request, scope, _("New API key"), new.secret, once=True)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def rotate_key(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    form = Rotation(request.POST)
    if not form.is_valid():
        raise BadParameters(field="overlap")
    overlap = int(form.cleaned_data["overlap"])
    new = services.rotate_api_key(actor=actor_of(request), key=_key(scope, pk), overlap_seconds=overlap)
    return _secret(request, scope, _("New API key"), new.secret, once=True)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def revoke_key(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    reason = request.POST.get("reason", "")[:200]
    services.revoke_api_key(actor=actor_of(request), key=_key(scope, pk), reason=reason)
    return _back(scope)


def _one(scope: Scope) -> Application:
    assert scope.one is not None
    return scope.one


def _key(scope: Scope, pk: int) -> ApiKey:
    found = ApiKey.objects.filter(application=_one(scope), pk=pk).select_related("application").first()
    if found is None:
        raise NotFound
    return found


def _back(scope: Scope) -> HttpResponseBase:
    return redirect("dashboard:application", slug=scope.slug)


def _secret(
    request: HttpRequest, scope: Scope, title: str | Promise, secret: str, *, once: bool = False
) -> HttpResponseBase:
    """A page that shows a secret and is kept nowhere."""
    response = show(request, scope, "secret.html", title=title, secret=secret, once=once)
    patch_cache_control(response, no_store=True)
    return response


urlpatterns: list[URLPattern] = [
    path("", applications, {"slug": ALL}, name="applications"),
    path("new/", new_application, {"slug": ALL}, name="new_application"),
    path("<str:slug>/", application, name="application"),
    path("<str:slug>/settings/", save_settings, name="save_application_settings"),
    path("<str:slug>/suspend/", suspend_application, name="suspend_application"),
    path("<str:slug>/resume/", resume_application, name="resume_application"),
    path("<str:slug>/secret/", read_secret, name="read_secret"),
    path("<str:slug>/secret/rotate/", rotate_secret, name="rotate_secret"),
    path("<str:slug>/keys/", create_key, name="create_key"),
    path("<str:slug>/keys/<int:pk>/rotate/", rotate_key, name="rotate_key"),
    path("<str:slug>/keys/<int:pk>/revoke/", revoke_key, name="revoke_key"),
]
