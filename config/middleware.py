"""What every HTTP request passes: its id, address, metrics and log line, and who may call from other origins."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from accounts.names import RESERVED_ORGS
from accounts.origin import KEY, Origin
from accounts.proxies import client_address
from conferences import metrics

access_log = logging.getLogger("confr.access")

GetResponse = Callable[[HttpRequest], HttpResponseBase]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Open to every origin, without credentials: cookies prove nothing there. Never the pages of the staff.
# What begins with no name of ours begins with a vendor's, or with an organisation's.
CORS_SEGMENTS = {"api", "easemob"}
CLOSED_SEGMENTS = RESERVED_ORGS - CORS_SEGMENTS | {""}
CORS_METHODS = "GET, POST, PUT, PATCH, DELETE"
CORS_REQUEST_HEADERS = "Accept-Language, Authorization, Content-Type, Idempotency-Key, X-Request-ID"
CORS_RESPONSE_HEADERS = "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-ID"


class RequestContextMiddleware:
    """Gives each request its origin (`accounts.origin`), and afterwards a log line without secrets."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        origin = Origin(_request_id(request), _address(request))
        request.META[KEY] = origin
        response = self.get_response(request)
        response["X-Request-ID"] = origin.request_id
        seconds = time.perf_counter() - started
        operation = origin.operation or "other"
        metrics.REQUESTS.labels(operation, response.status_code).inc()
        metrics.REQUEST_SECONDS.labels(operation).observe(seconds)
        access_log.info("%s", _line(request, response, origin, seconds))
        return response


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _address(request: HttpRequest) -> str | None:
    forwarded = request.headers.get("X-Forwarded-For", "")
    return client_address(request.META.get("REMOTE_ADDR", ""), forwarded, settings.TRUSTED_PROXIES) or None


def _line(request: HttpRequest, response: HttpResponseBase, origin: Origin, seconds: float) -> str:
    """One line of JSON, so that nothing that a client sends can begin another. No query: it may hold a name."""
    facts = {
        "method": request.method,
        "path": origin.path or request.path,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "request_id": origin.request_id,
        "actor": origin.actor,
        "address": origin.address,
    }
    return orjson.dumps(facts).decode()


class CorsMiddleware:
    """Lets pages of any origin call the API: with a token that they hold, never with somebody's cookie."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Origin" not in request.headers or request.path.lstrip("/").partition("/")[0] in CLOSED_SEGMENTS:
            return self.get_response(request)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response: HttpResponseBase = HttpResponse(status=204)
            response["Access-Control-Allow-Methods"] = CORS_METHODS
            response["Access-Control-Allow-Headers"] = CORS_REQUEST_HEADERS
            response["Access-Control-Max-Age"] = "86400"
        else:
            response = self.get_response(request)
            response["Access-Control-Expose-Headers"] = CORS_RESPONSE_HEADERS
        response["Access-Control-Allow-Origin"] = "*"
        patch_vary_headers(response, ["Origin"])
        return response
