"""Sessions of the staff, on every request: when and from where they were last seen, and what if none can begin."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from redis.exceptions import RedisError

from accounts import services
from accounts.errors import Unavailable

logger = logging.getLogger("confr.signin")
SIGN_IN = "/account/"


class SessionsMiddleware:
    """Costs a request without a session cookie nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not (request.session.session_key or "none").isalnum():
            request.session = SessionStore()  # no key of ours, and nothing to ask the database for
        if request.session.session_key and request.user.is_authenticated:
            services.note_session(request)
        response = self.get_response(request)
        if request.path.startswith(SIGN_IN):
            add_never_cache_headers(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """While Redis is away attempts cannot be counted, so nobody signs in: and is told so."""
        if not isinstance(exception, RedisError) or not request.path.startswith(SIGN_IN):
            return None
        refusal = Unavailable()
        logger.warning("nobody signs in: Redis is away (%s)", type(exception).__name__)
        return render(request, "account/refused.html", {"error": refusal}, status=refusal.http_status)
