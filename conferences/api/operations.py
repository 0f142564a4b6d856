"""An operation: what a view's method takes, answers and refuses, said once, for the request and for OpenAPI.

A view's method is the body of its operation: it gets a `Call` that is authenticated, within its limits and
well-formed, calls one service, and returns what the answer's shape can show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import limits
from accounts.actors import Actor
from accounts.authentication import application as known_application
from accounts.errors import ApplicationNotFound, BadParameters, DomainError, RateLimited
from accounts.idempotency import Answer, once
from accounts.models import Application
from accounts.names import user_name
from accounts.origin import origin
from conferences.api.authentication import actor_of
from conferences.api.rendering import JsonOnly, encode, raw_body
from conferences.api.serializers.base import Nothing, Shape, read, show
from conferences.services.questions import find_user

Body = Callable[..., Any]
IDEMPOTENCY_HEADER = "Idempotency-Key"

# What stands in a path, and what the method calls it.
PATH_ARGUMENTS = {
    "confrId": "confr_id",
    "ticketId": "ticket_id",
    "streamId": "stream_id",
    "mixId": "mix_id",
    "banId": "ban_id",
    "tokenId": "token_id",
    "recordingId": "recording_id",
}


@dataclass(frozen=True, slots=True)
class Binary:
    """An answer that is no JSON: the method returns the whole of it."""

    media_type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """The contract of one operation. `refusals` are those beyond what every call may meet."""

    id: str
    answer: type[Shape] | Binary
    body: type[Shape] | None = None
    query: type[Shape] = Nothing
    status: int = 200
    refusals: tuple[type[DomainError], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One well-formed call: who asks, of which application, and what (by our names, not the wire's)."""

    actor: Actor
    application: Application
    data: dict[str, Any]

    def name(self, field: str = "name") -> str:
        """A user's name in its one form. Raises: UserNameInvalid."""
        return user_name(self.data[field], self.application.app_key)

    def names(self, field: str = "names") -> list[str]:
        """Users' names in their one form, each once. Raises: UserNameInvalid."""
        names = (user_name(given, self.application.app_key) for given in self.data.get(field, ()))
        return list(dict.fromkeys(names))

    def member(self) -> str:
        """Whom the call is for: the user who is named, or else the user who calls. Raises: BadParameters."""
        if "name" in self.data:
            return self.name()
        if self.actor.user_id is None:
            raise BadParameters(fields={"memName": [_("Say for whom.")]})
        return self.actor.name

    def user_id(self) -> int:
        """The same as a primary key. Raises: BadParameters, MemberNotFound."""
        if "name" not in self.data and self.actor.user_id is not None:
            return self.actor.user_id
        return find_user(self.actor, self.member())

    def only(self, *fields: str) -> dict[str, Any]:
        """Those of these fields that were given."""
        return {field: self.data[field] for field in fields if field in self.data}


class ApiView(APIView):
    """One address of the API. Its methods are operations."""

    content_negotiation_class = JsonOnly
    metadata_class = None
    application: Application

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticate and count the call. Raises: BodyTooLarge, the refusals of authentication, RateLimited."""
        source = origin(request)
        if contract := operation_of(type(self), request.method or ""):
            source.operation = contract.id
        raw_body(request)  # bounded, and there for whoever reads it next
        super().initial(request, *args, **kwargs)
        actor = actor_of(request)
        source.actor, source.application_id = f"{actor.kind.value}:{actor.id}", actor.application_id
        if actor.application_id is None:
            raise ApplicationNotFound()
        self.application = known_application(actor.application_id)
        allowance = limits.request(actor, self.application)
        self.headers["RateLimit-Limit"] = str(allowance.limit)
        self.headers["RateLimit-Remaining"] = str(allowance.remaining)
        self.headers["RateLimit-Reset"] = str(allowance.reset)
        if not allowance.allowed:
            raise RateLimited(retry_after=allowance.retry_after)


def operation(
    id: str,  # noqa: A002 OpenAPI's word
    *,
    answer: type[Shape] | Binary,
    body: type[Shape] | None = None,
    query: type[Shape] = Nothing,
    status: int = 200,
    refusals: tuple[type[DomainError], ...] = (),
) -> Callable[[Body], Callable[..., HttpResponse]]:
    """Make a view's method the operation `id`; the method's docstring describes it to the outside world."""
    contract = Operation(id, answer, body, query, status, refusals)

    def decorate(method: Body) -> Callable[..., HttpResponse]:
        def handler(view: ApiView, request: Request, **path: str) -> HttpResponse:
            call = Call(actor_of(request), view.application, _data(contract, request))
            arguments = {PATH_ARGUMENTS[name]: value for name, value in path.items()}
            if isinstance(answer, Binary):
                return cast(HttpResponse, method(view, call, **arguments))

            def act() -> Answer:
                return Answer(status, encode(show(answer, method(view, call, **arguments))))

            answered = _once(contract, request, act)
            return HttpResponse(answered.body, status=answered.status, content_type="application/json")

        handler.__doc__, handler.__name__ = method.__doc__, method.__name__
        handler.operation = contract  # type: ignore[attr-defined]  # the mark that OpenAPI and the tests read
        return handler

    return decorate


def _data(contract: Operation, request: Request) -> dict[str, Any]:
    given = {name: values if len(values) > 1 else values[0] for name, values in request.query_params.lists()}
    data = read(contract.query, given)
    if contract.body is not None:
        data |= read(contract.body, request.data)
    return data


def _once(contract: Operation, request: Request, act: Callable[[], Answer]) -> Answer:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None or request.method in {"GET", "HEAD"}:
        return act()
    target = request.get_full_path().encode()
    return once(actor_of(request), contract.id, key, target + b"\n" + raw_body(request), act)


def operation_of(view: type[APIView], method: str) -> Operation | None:
    """The operation behind a method of a view's address, if there is one."""
    handler = getattr(view, "get" if method == "HEAD" else method.lower(), None)
    contract: Operation | None = getattr(handler, "operation", None)
    return contract
