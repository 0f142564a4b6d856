"""allauth's forms for codes: wrong ones count towards the same lock-out as wrong passwords."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.utils.translation import gettext as _

from accounts.models import Staff


class CodeForm(AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    def clean_code(self) -> str:
        with _counted(self.user):
            return str(super().clean_code())


class CodeAgainForm(ReauthenticateForm):  # type: ignore[misc]  # allauth has no types
    def clean_code(self) -> str:
        with _counted(self.user):
            return str(super().clean_code())


@contextmanager
def _counted(staff: Staff) -> Iterator[None]:
    request, credentials = context.request, {"username": staff.get_username()}
    if not AxesProxyHandler.is_allowed(request, credentials):
        request.axes_locked_out = True
        raise forms.ValidationError(_("Too many attempts; try again later."))
    try:
        yield
    except forms.ValidationError:
        AxesProxyHandler.user_login_failed(CodeForm, credentials, request)
        raise
