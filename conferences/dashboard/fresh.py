"""Fresh second factor: acts that cannot be taken back ask again who it is, where a second factor is set up."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts.errors import SecondFactorNeeded
from accounts.models import Staff
from conferences.dashboard.pages import came_from, is_script
from conferences.dashboard.scope import Scope

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Scope, P], HttpResponseBase]


def fresh(view: View[P]) -> View[P]:
    """Below `page(…)`: the view runs when the second factor was given in the last five minutes, or there is none.

    Else the person is asked for it and comes back to the page, where the act is to be done again: nothing that was
    posted is kept. A script is refused with the address of that question as `location`.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, scope: Scope, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        question = _question(request, scope.staff)
        if question is None:
            return view(request, scope, *args, **kwargs)
        if is_script(request):
            raise SecondFactorNeeded(location=question)
        messages.info(request, str(SecondFactorNeeded.message))
        return redirect(question)

    return wrapped


def _question(request: HttpRequest, staff: Staff) -> str | None:
    """Where the second factor is asked for, if it has to be."""
    kinds = set(Authenticator.objects.filter(user=staff).values_list("type", flat=True))
    if not kinds or _was_given(request, staff):
        return None
    by_key_alone = Authenticator.Type.TOTP not in kinds
    address = reverse("mfa_reauthenticate_webauthn" if by_key_alone else "mfa_reauthenticate")
    return f"{address}?{urlencode({'next': came_from(request)})}"


def _was_given(request: HttpRequest, staff: Staff) -> bool:
    since = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, staff)
    return any(record["method"] == "mfa" and cast(float, record["at"]) > since for record in records)
