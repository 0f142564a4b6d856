"""JSON in and out. There is no other format, whatever a client asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from django.core.exceptions import RequestDataTooBig
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from conferences.api.errors import BodyMalformed, BodyTooLarge


class Parser(BaseParser):
    """Reads a body that Django has bounded (DATA_UPLOAD_MAX_MEMORY_SIZE); orjson bounds its depth."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise BodyMalformed(position=error.pos) from None


class Renderer(BaseRenderer):
    media_type = "application/json"
    format = "json"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return encode(data)


def encode(data: Any) -> bytes:
    """The bytes of an answer; texts may be lazy translations."""
    return orjson.dumps(data, default=str)


def raw_body(request: Request) -> bytes:
    """The body as it came. Raises: BodyTooLarge."""
    try:
        return request._request.body  # DRF reads what Django has read
    except RequestDataTooBig:
        raise BodyTooLarge() from None


class JsonOnly(DefaultContentNegotiation):
    """Accept is not asked: whoever wants something else gets JSON and can tell from its type."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
