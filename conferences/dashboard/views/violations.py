"""What browsers report of pages that broke our content security policy: logged and counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from conferences import metrics

logger = logging.getLogger("confr.dashboard")

MAX_BYTES, MAX_TEXT = 8 << 10, 200


@csrf_exempt
@require_POST
def violations(request: HttpRequest) -> HttpResponse:
    """The `report-uri` of the policy. Anybody may post here: what comes is only looked at, never believed."""
    metrics.CSP_REPORTS.inc()
    facts = orjson.dumps(_facts(request.body[:MAX_BYTES])).decode()
    logger.warning("the content security policy was broken: %s", facts)
    return HttpResponse(status=204)


def _facts(body: bytes) -> dict[str, str]:
    try:
        report = dict(orjson.loads(body)["csp-report"])
    except (ValueError, KeyError, TypeError):
        return {}
    return {
        "page": _without_query(report, "document-uri"),
        "source": _without_query(report, "source-file"),
        "blocked": _without_query(report, "blocked-uri"),
        "directive": _text(report, "effective-directive"),
        "sample": _text(report, "script-sample"),
    }


def _text(report: Mapping[str, Any], name: str) -> str:
    return str(report.get(name, ""))[:MAX_TEXT]


def _without_query(report: Mapping[str, Any], name: str) -> str:
    """An address without what may be secret in it."""
    return _text(report, name).partition("?")[0].partition("#")[0]


urlpatterns: list[URLPattern] = [path("violations/", violations, name="violations")]
