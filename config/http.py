"""HTTP: the whole of Django's synchronous request in one thread hop. docs/adr/0003 says why."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

from django.conf import settings
from django.core import signals
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from accounts.threads import in_thread
from conferences.api.errors import BodyTooLarge
from conferences.api.exceptions import MEDIA_TYPE, problem
from conferences.api.rendering import encode

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CHUNK = 1 << 16
BODY_SECONDS = 30
# What is read and thrown away of a body that is too large, so that the client can read the refusal.
MAX_DRAINED = 16 << 20


class ClientGone(Exception):
    """The client went away, or sends too slowly to be waited for."""


class BodyRefused(Exception):
    """The body is larger than we take."""


class HttpHandler(BaseHandler):
    """An ASGI application: reads the body, lets a thread answer, sends the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware(is_async=False)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(receive)
        except (ClientGone, TimeoutError):
            return
        except BodyRefused:
            await _send_refusal(send)
            return
        response = await in_thread(self.respond, scope, body)
        await _send_head(response, send)
        if isinstance(response, StreamingHttpResponse):
            await _stream(response, receive, send)
        else:
            await send({"type": "http.response.body", "body": cast(HttpResponse, response).content})

    def respond(self, scope: dict[str, Any], body: bytes) -> HttpResponseBase:
        """Everything of Django, in a thread: signals, middleware, view, and the end of what is no stream."""
        set_script_prefix(scope.get("root_path", ""))
        signals.request_started.send(sender=self.__class__, scope=scope)
        try:
            request = ASGIRequest(scope, io.BytesIO(body))
        except UnicodeDecodeError:
            response: HttpResponseBase = HttpResponseBadRequest()
        else:
            response = self.get_response(cast(HttpRequest, request))
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # whom `close` sends its signal for
        if isinstance(response, FileResponse):
            response.block_size = CHUNK
        if not response.streaming:
            response.close()
        return response


async def _read_body(receive: Receive) -> bytes:
    """Raises: ClientGone; BodyRefused, when what was sent is thrown away as far as is reasonable."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            chunks.append(chunk)
        elif size > MAX_DRAINED:
            raise BodyRefused
    if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise BodyRefused
    return b"".join(chunks)


async def _send_refusal(send: Send) -> None:
    refusal = BodyTooLarge()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refusal.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": encode(problem(refusal, ""))})


async def _send_head(response: HttpResponseBase, send: Send) -> None:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    headers += [
        (b"set-cookie", cookie.output(header="").strip().encode("ascii")) for cookie in response.cookies.values()
    ]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})


async def _stream(response: StreamingHttpResponse, receive: Receive, send: Send) -> None:
    """Send a file piece by piece, until its end or until the client goes."""
    gone = asyncio.ensure_future(receive())
    pieces = iter(cast(Iterator[bytes], response.streaming_content))
    try:
        while not gone.done() and (piece := await in_thread(next, pieces, None)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        gone.cancel()
        await in_thread(response.close)
