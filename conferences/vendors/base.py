"""What a dialect is, which ones are switched on, and the one way of an HTTP call: decode, service, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from accounts import limits
from accounts.actors import Actor
from accounts.errors import DomainError, RateLimited
from accounts.models import Application
from accounts.origin import Origin, origin
from conferences import refusals
from conferences.api.exceptions import as_refusal, problem
from conferences.api.rendering import encode

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A vendor's protocol, as `conferences/vendors/<name>/urls.py` offers it.

    `events` says which facts and notes it has frames for, `errors` what it calls each refusal (by our code).
    What it cannot say is in `unsupported`, each with the reason; tests see to it that nothing is missing.
    """

    name: str
    urlpatterns: list[URLPattern]
    websocket_urlpatterns: list[URLPattern]
    events: Mapping[str, object]
    errors: Mapping[str, int]
    unsupported: Mapping[str, str]


def enabled() -> list[Dialect]:
    """The dialects of `settings.VENDORS`. Raises: ImportError for a name that has no folder."""
    return [import_module(f"conferences.vendors.{name}.urls").dialect for name in settings.VENDORS]


def run(
    request: HttpRequest,
    dialect: str,
    act: Callable[[], Json | list[Json]],
    refuse: Callable[[DomainError], HttpResponse],
) -> HttpResponse:
    """One call of a vendor's client: what `act` answers, or its refusal in the dialect's words."""
    origin(request).operation = dialect
    try:
        return json_response(act())
    except (DomainError, OperationalError, InterfaceError, RequestDataTooBig) as error:
        refusal = as_refusal(error) or DomainError()
        refusals.count(refusal, dialect, origin(request).application_id)
        return refuse(refusal)


def text_of(refusal: DomainError) -> str:
    """What is wrong, and the names of the fields that are: vendors' answers have no place of their own for those."""
    pointers = [error["pointer"] for error in problem(refusal, "").get("errors", ())]
    fields = ", ".join(filter(None, (pointer.lstrip("#/") for pointer in pointers)))
    return f"{refusal.detail} ({fields})" if fields else str(refusal.detail)


def json_response(answer: Json | list[Json], status: int = 200) -> HttpResponse:
    return HttpResponse(encode(answer), status=status, content_type="application/json")


def count(actor: Actor, application: Application, source: Origin) -> None:
    """Count a call of `actor` against its limits, as the API does. Raises: RateLimited."""
    source.actor, source.application_id = f"{actor.kind.value}:{actor.id}", application.pk
    allowance = limits.request(actor, application)
    if not allowance.allowed:
        raise RateLimited(retry_after=allowance.retry_after)
