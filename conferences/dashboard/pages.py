"""What every page begins with: who is asking, about what, and whether the role suffices. And the one place where a
refusal becomes an answer of the dashboard: a page for a browser, a problem document for a script of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.errors import ApplicationNotFound, BadParameters, DomainError, NotAllowed, NotAuthenticated, NotFound
from accounts.models import StaffRole
from accounts.names import plain_text
from accounts.origin import origin
from conferences import refusals
from conferences.dashboard.scope import Scope, scope_of

logger = logging.getLogger("confr.dashboard")

A_LIBRARY = "vendor/tabler.min.css"
LINE_BREAKS = str.maketrans("", "", "\n\r\t")

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Scope, P], HttpResponseBase]


def page(least: StaffRole = StaffRole.AUDITOR, *, of_one: bool = False) -> Callable[[View[P]], Callable[..., Any]]:
    """A view of staff pages: `view(request, scope, …)`, its address holding `<str:slug>`.

    `least` is the role that suffices, in every application of the scope; `of_one`: the page is about one
    application, and of all there is none. Refusals are logged: 404 where the staff member may not know of it,
    403 where the role does not suffice.
    """

    def decorate(view: View[P]) -> Callable[..., Any]:
        @wraps(view)
        def wrapped(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _ask_to_sign_in(request)
            if finders.find(A_LIBRARY) is None:
                return _lack_libraries(request)
            origin(request).operation = f"dashboard.{view.__name__}"
            origin(request).actor = f"staff:{request.user.pk}"
            scope = None
            try:
                scope = scope_of(request, slug)
                if of_one and scope.one is None:
                    raise ApplicationNotFound
                if not scope.allows(least):
                    raise NotAllowed(role=least.value)
                _require_texts(request, kwargs)
                response = _say_what_it_is(view(request, scope, *args, **kwargs), request, scope)
            except DomainError as error:
                response = _refuse(request, scope, error)
            patch_cache_control(response, private=True, no_cache=True)
            return response

        return wrapped

    return decorate


def show(request: HttpRequest, scope: Scope, template: str, **context: Any) -> HttpResponseBase:
    """Render `templates/dashboard/<template>` about `scope`."""
    return render(request, f"dashboard/{template}", {"scope": scope, **context})


def came_from(request: HttpRequest) -> str:
    """The page that a person looks at, or posted from, as a path of ours."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}) or urlsplit(referer).path.startswith("//"):
        return reverse("dashboard:home")
    return urlsplit(referer)._replace(scheme="", netloc="", fragment="").geturl()


def is_plain(text: str) -> bool:
    """Whether it can be stored and sought: no control characters but line breaks."""
    return plain_text(text.translate(LINE_BREAKS))


def _ask_to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """A script cannot sign in: it is told, and loads the page again (`toasts.js`)."""
    if is_script(request):
        return _problem(NotAuthenticated())
    return redirect_to_login(came_from(request))


def _require_texts(request: HttpRequest, named: Mapping[str, object]) -> None:
    """What no row can hold stops here, whichever page it was for. Raises: BadParameters, NotFound."""
    if not all(is_plain(str(value)) for value in named.values()):
        raise NotFound
    for name, texts in [*request.GET.lists(), *request.POST.lists()]:
        if not all(map(is_plain, texts)):
            raise BadParameters(field=name)


def _say_what_it_is(response: HttpResponseBase, request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """Who opens the address of a button, by reloading or going back, finds words there."""
    if isinstance(response, HttpResponseNotAllowed):
        response.content = render_to_string("dashboard/no_page.html", {"scope": scope}, request).encode()
    return response


def _refuse(request: HttpRequest, scope: Scope | None, error: DomainError) -> HttpResponseBase:
    if isinstance(error, NotAllowed | NotFound | ApplicationNotFound):
        logger.warning("staff %s was refused %s %s: %s", request.user.pk, request.method, request.path, error.code)
    refusals.count(error, "dashboard", scope.one.pk if scope and scope.one else None)
    if is_script(request):
        return _problem(error)
    template = "404.html" if error.http_status == 404 else "dashboard/refused.html"
    return render(request, template, {"scope": scope, "error": error}, status=error.http_status)


def _lack_libraries(request: HttpRequest) -> HttpResponseBase:
    """The set-up could not install what pages take from npm; none of them would do anything."""
    logger.error("static/%s is missing: run script/server again", A_LIBRARY)
    return render(request, "dashboard/libraries_missing.html", status=503)


def is_script(request: HttpRequest) -> bool:
    """Whether a script of ours asks, which wants a problem document and no page."""
    return "HX-Request" in request.headers or request.headers.get("Accept") == "application/json"


def _problem(error: DomainError) -> HttpResponseBase:
    """What `forms.js` throws and `toasts.js` shows."""
    title = error.code.replace("_", " ").capitalize()
    document = {"code": error.code, "title": title, "detail": str(error.detail), **error.fields}
    response = JsonResponse(
        document, status=error.http_status, content_type="application/problem+json", json_dumps_params={"default": str}
    )
    patch_vary_headers(response, ["Accept", "HX-Request"])
    return response
