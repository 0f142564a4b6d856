"""The one place where a refusal becomes an HTTP answer: an RFC 9457 problem document."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled
from rest_framework import exceptions as drf

from accounts.errors import BadParameters, Busy, DomainError, NotFound, Unavailable
from accounts.origin import origin
from conferences import refusals
from conferences.api.errors import BodyTooLarge, MediaTypeUnsupported, MethodNotAllowed
from conferences.api.rendering import encode

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's EXCEPTION_HANDLER: whatever a view raises, as a problem document in the caller's language."""
    source = origin(context["request"])
    request_id = source.request_id
    refusal = as_refusal(error)
    if refusal is None:
        logger.error("request %s failed", request_id, exc_info=error)
        refusal = DomainError()
    refusals.count(refusal, "api", source.application_id)
    response = HttpResponse(encode(problem(refusal, request_id)), status=refusal.http_status, content_type=MEDIA_TYPE)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    if refusal.http_status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def as_refusal(error: Exception) -> DomainError | None:
    """The refusal that an exception stands for; None for a fault of ours."""
    match error:
        case DomainError():
            return error
        case drf.ValidationError():
            return BadParameters(errors=list(_errors(error.detail)))
        case drf.MethodNotAllowed():
            return MethodNotAllowed()
        case drf.UnsupportedMediaType():
            return MediaTypeUnsupported()
        case RequestDataTooBig():
            return BodyTooLarge()
        case Http404():
            return NotFound()
        case OperationalError() | InterfaceError():
            return _database_refusal(error)
        case _:
            return None


def _database_refusal(error: Exception) -> DomainError:
    if isinstance(error.__cause__, LockNotAvailable | DeadlockDetected | QueryCanceled):
        return Busy(retry_after=1)
    logger.error("the database is away: %s", error)
    return Unavailable(retry_after=1)


def problem(refusal: DomainError, request_id: str) -> dict[str, Any]:
    """The document: the members of RFC 9457, our code, the request's id and the facts of this refusal."""
    facts = dict(refusal.fields)
    errors = [*facts.pop("errors", ()), *_named(facts.pop("fields", {}))]  # type: ignore[misc, arg-type]
    document = {
        "type": f"urn:confr:error:{refusal.code}",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": refusal.http_status,
        "detail": refusal.detail,
        "code": refusal.code,
        "requestId": request_id,
    }
    if errors:
        document["errors"] = errors[:MAX_ERRORS]
    return document | {_camel(name): value for name, value in facts.items()}


def _named(fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a service says of its arguments, by their names."""
    for name, messages in fields.items():
        for message in messages:
            yield {"pointer": f"#/{_camel(name)}", "detail": message}


def _errors(detail: Any, path: str = "#") -> Iterator[dict[str, Any]]:
    """What serializers say, flat: a JSON pointer into the body, what is wrong, and a short code."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _errors(inner, path if name == "non_field_errors" else f"{path}/{name}")
    elif isinstance(detail, list):
        for inner in detail:
            yield from _errors(inner, path)
    else:
        yield {"pointer": path, "detail": str(detail), "code": detail.code}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
