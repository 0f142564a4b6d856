"""OpenAPI 3.1 from the operations' contracts: `conferences.api.operations` says what is true, this tells it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from accounts.errors import (
    ApplicationNotFound,
    ApplicationSuspended,
    BadParameters,
    Busy,
    CredentialsInvalid,
    DomainError,
    IdempotencyKeyReused,
    NotAuthenticated,
    NotFound,
    RateLimited,
    ScopeMissing,
    Unavailable,
)
from conferences.api.authentication import APPLICATION_HEADER, ActorAuthentication
from conferences.api.errors import BodyMalformed, BodyTooLarge, CsrfFailed, CursorInvalid, MediaTypeUnsupported
from conferences.api.exceptions import MEDIA_TYPE
from conferences.api.operations import IDEMPOTENCY_HEADER, Binary, Operation, operation_of
from conferences.api.serializers.base import Nothing
from conferences.api.serializers.pages import PageQuery
from conferences.api.serializers.problems import Problem, ProblemError
from conferences.errors import RoleTokenInvalid

# What every call may meet.
COMMON: tuple[type[DomainError], ...] = (
    BadParameters, NotAuthenticated, CredentialsInvalid, RoleTokenInvalid, ScopeMissing, ApplicationSuspended,
    ApplicationNotFound, CsrfFailed, RateLimited, DomainError, Busy, Unavailable,
)  # fmt: skip
PATHS = {
    "confrId": ("^[A-Z0-9]{1,32}$", "The conference."),
    "ticketId": ("^[A-Z0-9]{1,32}TK[0-9]{1,18}$", "The ticket."),
    "streamId": ("^[A-Za-z0-9_-]{1,80}$", "The stream: `<rtcId>__Of_M<n>`."),
    "mixId": ("^[0-9]{1,18}$", "The mix."),
    "banId": ("^[0-9]{1,18}$", "The ban."),
    "tokenId": ("^[0-9]{1,18}$", "The user token."),
    "recordingId": ("^[0-9]{1,18}$", "The recording."),
}
TAGS = {
    "conferences": "conferences", "rooms": "conferences", "tickets": "tickets", "members": "members",
    "kick": "members", "roles": "members", "mute": "members", "mute-all": "members", "exit": "members",
    "bans": "bans", "unban": "bans", "streams": "streams", "mixes": "mixes",
    "attributes": "messages", "broadcast": "messages", "commands": "messages",
    "events": "events", "user-tokens": "user tokens",
    "recording": "recordings", "recordings": "recordings",
}  # fmt: skip


class Schema(AutoSchema):
    """Describes one method of an `ApiView`."""

    @property
    def contract(self) -> Operation:
        return cast(Operation, operation_of(type(self.view), self.method))

    def get_operation_id(self) -> str:
        return self.contract.id

    def get_summary(self) -> str:
        return str(self.get_description()).partition(".")[0]

    def get_tags(self) -> list[str]:
        fixed = [part for part in self.path.split("/") if part in TAGS]
        return [TAGS[fixed[-1] if fixed[-1] != "revoke" else fixed[-2]]]

    def get_request_serializer(self) -> Any:
        return self.contract.body

    def get_response_serializers(self) -> Any:
        """The answer, and a problem per status with the codes that it may have here."""
        contract = self.contract
        answer, status = contract.answer, contract.status
        if isinstance(answer, Binary):
            responses: dict[Any, Any] = {(status, answer.media_type): OpenApiResponse(OpenApiTypes.BINARY, "Done.")}
        else:
            responses = {status: OpenApiResponse(answer, "Done.")}
        for status, refusals in _by_status(self._refusals()).items():
            responses[status, MEDIA_TYPE] = OpenApiResponse(
                self._problem(refusals),
                description="\n".join(f"- `{refusal.code}`: {refusal.message}" for refusal in refusals),
            )
        return responses

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        name: str = super().get_serializer_name(serializer, direction)
        return name.removesuffix("Shape")

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if not isinstance(serializer, Problem | ProblemError):
            schema["additionalProperties"] = False
        if serializer.EXAMPLE:
            schema["examples"] = [serializer.EXAMPLE]
        return schema

    def _refusals(self) -> Iterable[type[DomainError]]:
        yield from COMMON
        yield from self.contract.refusals
        if "{" in self.path:
            yield NotFound  # an id that is none
        if self.contract.body is not None:
            yield from (BodyMalformed, BodyTooLarge, MediaTypeUnsupported)
        if self.method != "GET":
            yield IdempotencyKeyReused
        if issubclass(self.contract.query, PageQuery):
            yield CursorInvalid

    def _problem(self, refusals: list[type[DomainError]]) -> dict[str, Any]:
        problem = self.resolve_serializer(Problem, "response").ref
        codes = {"type": "object", "properties": {"code": {"enum": [refusal.code for refusal in refusals]}}}
        return {"allOf": [problem, codes]}

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = [*_answer_headers(), *_request_headers()]
        if self.contract.query is not Nothing:
            parameters.insert(0, self.contract.query)
        if self.method != "GET":
            parameters.append(
                OpenApiParameter(
                    IDEMPOTENCY_HEADER,
                    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
                    OpenApiParameter.HEADER,
                    description="The same key with the same call within a day is answered the same, and done once.",
                )
            )
        return parameters

    def _resolve_path_parameters(self, variables: Iterable[str]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": PATHS[name][1],
                "schema": {"type": "string", "pattern": PATHS[name][0]},
            }
            for name in variables
        ]


def _by_status(refusals: Iterable[type[DomainError]]) -> dict[int, list[type[DomainError]]]:
    found: dict[int, list[type[DomainError]]] = {}
    for refusal in sorted(set(refusals), key=lambda refusal: (refusal.http_status, refusal.code)):
        found.setdefault(refusal.http_status, []).append(refusal)
    return found


def _request_headers() -> list[OpenApiParameter]:
    return [
        OpenApiParameter(
            "Accept-Language",
            str,
            OpenApiParameter.HEADER,
            description="The language of `detail` in problems: `en` or `zh-Hans`.",
        ),
        OpenApiParameter(
            "X-Request-ID",
            {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            OpenApiParameter.HEADER,
            description="Names this request in answers, logs and events.",
        ),
    ]


def _answer_headers() -> list[OpenApiParameter]:
    texts = {
        "RateLimit-Limit": "Calls per minute.",
        "RateLimit-Remaining": "Calls left now.",
        "RateLimit-Reset": "Seconds until all are back.",
    }
    headers = [
        OpenApiParameter(name, int, OpenApiParameter.HEADER, description=text, response=True)
        for name, text in texts.items()
    ]
    retry = OpenApiParameter(
        "Retry-After", int, OpenApiParameter.HEADER, description="Seconds to wait.", response=[429, 503]
    )
    request_id = OpenApiParameter("X-Request-ID", str, OpenApiParameter.HEADER, response=True)
    return [*headers, retry, request_id]


class ActorScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular
    """A Bearer token, or a staff session with the application that the call is about."""

    target_class = ActorAuthentication
    name = ["bearer", "session", "application"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "description": "An application key `ck_…`, a user token `ut_…`, or within its conference a "
                "role token `rt_…`.",
            },
            {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "A staff session; writes need the header `X-CSRFToken` too.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": APPLICATION_HEADER,
                "description": "Of a staff session: the application, as `org#app`.",
            },
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        return [{"bearer": []}, {"session": [], "application": []}]
