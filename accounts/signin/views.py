"""Our own pages around signing in: one's sessions, and the door that an invitation opens."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from allauth.account.utils import perform_login
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from accounts import services
from accounts.actors import Actor, system
from accounts.authentication import staff_actor
from accounts.errors import BadParameters, DomainError, InvitationInvalid
from accounts.models import Invitation, Staff
from accounts.origin import origin
from accounts.signin.sessions import open_sessions


class JoinForm(forms.Form):
    """Somebody new chooses a name and a password."""

    username = forms.CharField(label=_("User name"), max_length=150)
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    again = forms.CharField(
        label=_("Password again"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_again(self) -> str:
        if self.cleaned_data["again"] != self.cleaned_data.get("password"):
            raise forms.ValidationError(_("The two passwords differ."))
        return str(self.cleaned_data["again"])


@login_required
@require_GET
def sessions(request: HttpRequest) -> HttpResponseBase:
    """Where one is signed in."""
    own = open_sessions([_signed_in(request)], current=request.session.session_key)
    return render(request, "account/sessions.html", {"sessions": own})


@login_required
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Sign oneself out on one device."""
    try:
        services.end_own_session(actor=_acting(request), session_id=pk)
    except DomainError as refusal:
        return _refused(request, refusal)
    return redirect("account_sessions")


@sensitive_post_parameters("password", "again")
def invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Join an application's staff: as who is signed in, or as somebody new. The address is a secret."""
    origin(request).path = "/account/invitation/…"
    try:
        invited = services.invitation_of(token)
        if request.user.is_authenticated:
            return _accept(request, token, invited)
        return _join(request, token, invited)
    except InvitationInvalid as refusal:
        return _refused(request, refusal)


def _accept(request: HttpRequest, token: str, invited: Invitation) -> HttpResponseBase:
    if request.method != "POST":
        return render(request, "account/invitation.html", {"invitation": invited})
    with suppress(BadParameters):  # belongs to the application already: the link is kept for whom it was meant
        services.accept_invitation(actor=_acting(request), token=token, staff=_signed_in(request))
    return redirect(settings.LOGIN_REDIRECT_URL)


def _join(request: HttpRequest, token: str, invited: Invitation) -> HttpResponseBase:
    form = JoinForm(request.POST or None)
    if form.is_valid():
        where = origin(request)
        try:
            staff = services.join_staff(
                actor=system(where.request_id, where.address),
                token=token,
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password"],
            )
        except BadParameters as refusal:
            for name, messages in cast("dict[str, list[str]]", refusal.fields["fields"]).items():
                form.add_error(name if name in form.fields else None, messages)
        else:
            response: HttpResponseBase = perform_login(request, staff, email_verification="none")
            return response
    return render(request, "account/invitation.html", {"invitation": invited, "form": form})


def _refused(request: HttpRequest, refusal: DomainError) -> HttpResponseBase:
    return render(request, "account/refused.html", {"error": refusal}, status=refusal.http_status)


def _signed_in(request: HttpRequest) -> Staff:
    return cast(Staff, request.user)


def _acting(request: HttpRequest) -> Actor:
    where = origin(request)
    return staff_actor(_signed_in(request), where.address, where.request_id)
