"""HTTP in one thread hop: bodies, files, cookies and clients that go away."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from config.http import HttpHandler
from tests.server import CHECKOUT
from tests.web import Web

LIMIT = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def ask(
    web: Web, method: str, where: str, body: bytes | Iterator[bytes] = b"", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    connection.request(method, where, body, headers or {}, encode_chunked=not isinstance(body, bytes))
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def chunks(size: int) -> Iterator[bytes]:
    return itertools.repeat(b"x" * (1 << 16), size >> 16)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [LIMIT + 65_536, 8 * LIMIT])
def test_a_body_that_is_too_large_is_a_problem_and_the_end_of_the_connection(
    web: Web, size: int, chunked: bool
) -> None:
    body = chunks(size) if chunked else b"x" * size
    headers = {"Transfer-Encoding": "chunked"} if chunked else {}
    response, content = ask(web, "POST", "/api/v1/conferences", body, headers)
    assert response.status == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Connection"] == "close"
    assert json.loads(content)["code"] == "body_too_large"


def test_a_body_of_just_the_limit_is_read(web: Web) -> None:
    response, content = ask(web, "POST", "/api/v1/conferences", b"x" * LIMIT, {"Content-Type": "application/json"})
    assert response.status == 401
    assert json.loads(content)["code"] == "not_authenticated"


def test_a_connection_serves_one_request_after_the_other(web: Web) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    for _ in range(30):  # more than there are database connections
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        assert response.status in {200, 503}
        response.read()
        assert connection.sock is not None
    connection.close()


def test_a_file_comes_whole(web: Web) -> None:
    file = CHECKOUT / "static" / "sdk" / "emedia.js"
    response, content = ask(web, "GET", "/static/sdk/emedia.js")
    assert (response.status, content) == (200, file.read_bytes())
    head, nothing = ask(web, "HEAD", "/static/sdk/emedia.js")
    assert (head.status, nothing) == (200, b"")
    assert head.headers["Content-Length"] == str(file.stat().st_size)
    part, piece = ask(web, "GET", "/static/sdk/emedia.js", headers={"Range": "bytes=10-19"})
    assert (part.status, piece) == (206, file.read_bytes()[10:20])


def test_cookies_and_headers_are_sent(web: Web) -> None:
    response, _ = ask(web, "GET", "/account/login/")
    assert response.status == 200
    assert "csrftoken=" in response.headers["Set-Cookie"]
    assert response.headers["X-Request-ID"]


def test_an_address_that_is_no_utf8_is_refused(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
        client.sendall(b"GET /healthz?a=\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_a_client_that_goes_in_the_middle_of_its_body_hurts_nobody(web: Web) -> None:
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as client:
            client.sendall(b"POST /api/v1/conferences HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    response, _ = ask(web, "GET", "/healthz")
    assert response.status == 200


# The handler alone


class Endless:
    """Pieces without end, and whether somebody closed them."""

    def __init__(self) -> None:
        self.count, self.closed = 0, False

    def __iter__(self) -> Endless:
        return self

    def __next__(self) -> bytes:
        self.count += 1
        return b"piece"

    def close(self) -> None:
        self.closed = True


endless = Endless()


def _endless(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(endless)


def _broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("a fault of ours")


urlpatterns = [path("endless", _endless), path("broken", _broken)]


async def _call(where: str, receive: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": where, "headers": [], "query_string": b"", "client": ["::1", 1]}
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        await HttpHandler()(scope, receive, send)
    return sent


async def test_streaming_ends_when_the_client_goes(committed: None) -> None:
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        while endless.count < 5:  # noqa: ASYNC110 the view tells nobody how far it is
            await asyncio.sleep(0.001)
        return {"type": "http.disconnect"}

    sent = await asyncio.wait_for(_call("/endless", receive), 10)
    assert sent[0]["status"] == 200
    assert endless.count >= 5
    assert endless.closed


async def test_a_fault_is_an_answer(committed: None) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent = await _call("/broken", receive)
    assert sent[0]["status"] == 500


async def test_a_body_that_does_not_come_is_given_up(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.http.BODY_SECONDS", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(10)
        return {}

    assert await asyncio.wait_for(_call("/broken", receive), 5) == []
