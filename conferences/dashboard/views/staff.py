"""Staff of an application: who belongs to it and as what, invitations, sessions, lock-outs."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts import services
from accounts.errors import BadParameters, NotAllowed, NotFound
from accounts.models import Application, Membership, StaffRole
from conferences.dashboard.fresh import fresh
from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import ALL, Scope, actor_of
from conferences.dashboard.staff import InvitationForm, LockOutForm, RoleForm, colleagues


@page()
def staff(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """The applications whose staff one manages; of one alone, its page."""
    owned = [pk for pk, role in scope.roles.items() if role == StaffRole.OWNER]
    found = list(Application.objects.filter(pk__in=owned).annotate(staff=Count("memberships")).order_by("org", "app"))
    if not found:
        raise NotAllowed(role=StaffRole.OWNER.value)
    if len(found) == 1:
        return redirect("dashboard:staff_of", slug=found[0].app_id)
    return show(request, scope, "staff.html", applications=found)


@page(StaffRole.OWNER, of_one=True)
def staff_of(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    return _shown(request, scope)


def _shown(request: HttpRequest, scope: Scope, form: InvitationForm | None = None) -> HttpResponseBase:
    invitations = services.open_invitations().filter(application=_one(scope)).order_by("-pk")
    return show(
        request,
        scope,
        "staff_of.html",
        colleagues=colleagues(_one(scope)),
        invitations=invitations,
        new=form or InvitationForm(),
    )


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def invite(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _shown(request, scope, form)
    new = services.invite_staff(actor=actor_of(request), application=_one(scope), **form.cleaned_data)
    link = settings.PUBLIC_URL + reverse("account_invitation", kwargs={"token": new.token})
    response = show(request, scope, "secret.html", title=_("Invitation"), secret=link, invitation=new.invitation)
    patch_cache_control(response, no_store=True)
    return response


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def withdraw(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    found = services.open_invitations().filter(application=_one(scope), pk=pk).first()
    if found is None:
        raise NotFound
    services.withdraw_invitation(actor=actor_of(request), invitation=found)
    return _back(scope)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def change_role(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise BadParameters(field="role")
    services.change_membership(
        actor=actor_of(request), membership=_membership(scope, pk), role=form.cleaned_data["role"]
    )
    return _back(scope)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def remove(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    services.remove_membership(actor=actor_of(request), membership=_membership(scope, pk))
    return _back(scope)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def reset_second_factor(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    services.reset_second_factor(actor=actor_of(request), staff=_membership(scope, pk).staff)
    messages.success(request, _("The second factor is gone, and the person is signed out."))
    return _back(scope)


@page(StaffRole.OWNER, of_one=True)
@require_POST
@fresh
def end_session(request: HttpRequest, scope: Scope, pk: int, session: int) -> HttpResponseBase:
    services.end_session(actor=actor_of(request), membership=_membership(scope, pk), session_id=session)
    return _back(scope)


@page(StaffRole.OWNER, of_one=True)
@require_POST
def lift_lock_out(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    form = LockOutForm(request.POST)
    if not form.is_valid():
        raise BadParameters(field=next(iter(form.errors)))
    services.lift_lock_out(actor=actor_of(request), application=_one(scope), **form.cleaned_data)
    return _back(scope)


def _one(scope: Scope) -> Application:
    assert scope.one is not None
    return scope.one


def _membership(scope: Scope, pk: int) -> Membership:
    rows = Membership.objects.filter(application=_one(scope), pk=pk).select_related("application", "staff")
    found = rows.first()
    if found is None:
        raise NotFound
    return found


def _back(scope: Scope) -> HttpResponseBase:
    return redirect("dashboard:staff_of", slug=scope.slug)


urlpatterns: list[URLPattern] = [
    path("", staff, {"slug": ALL}, name="staff"),
    path("<str:slug>/", staff_of, name="staff_of"),
    path("<str:slug>/invitations/", invite, name="invite_staff"),
    path("<str:slug>/invitations/<int:pk>/withdraw/", withdraw, name="withdraw_invitation"),
    path("<str:slug>/members/<int:pk>/role/", change_role, name="change_staff_role"),
    path("<str:slug>/members/<int:pk>/remove/", remove, name="remove_staff"),
    path("<str:slug>/members/<int:pk>/second-factor/", reset_second_factor, name="reset_second_factor"),
    path("<str:slug>/members/<int:pk>/sessions/<int:session>/end/", end_session, name="end_staff_session"),
    path("<str:slug>/lock-outs/lift/", lift_lock_out, name="lift_lock_out"),
]
