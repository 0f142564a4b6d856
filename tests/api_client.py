"""A caller of the REST API, and what it looks at in an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.http import HttpResponse
from django.test import Client

from accounts import services
from accounts.actors import system
from accounts.models import Application, Scope
from tests.database import all_rows

PREFIX = "/api/v1"


@dataclass
class Api:
    """Calls with one credential, through the whole of Django but the server."""

    credential: str | None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`headers` with "_" for "-". A body of bytes goes as it is."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.credential}"} if self.credential else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        kind = given.pop("Content-Type", "application/json")
        return self.client.generic(method, PREFIX + path, raw, content_type=kind, headers=given)

    def get(self, path: str, **headers: str) -> Any:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self("DELETE", path, **headers)


def key_of(application: Application, *scopes: str) -> str:
    """A fresh key; without scopes it may do everything."""
    new = services.create_api_key(actor=system(), application=application, name="test", scopes=scopes or Scope.values)
    return new.secret


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, which is this one."""
    assert (response.status_code, orjson.loads(response.content).get("code")) == (status, code), response.content
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = orjson.loads(response.content)
    assert document["status"] == status
    assert document["type"] == f"urn:confr:error:{code}"
    assert document["requestId"] == response["X-Request-ID"]
    return document


def refused(call: Callable[[], HttpResponse], status: int, code: str) -> dict[str, Any]:
    """The body of a refusal that changed no row."""
    document = refused_somehow(call)
    assert (document["status"], document["code"]) == (status, code), document
    return document


def refused_somehow(call: Callable[[], HttpResponse]) -> dict[str, Any]:
    """The body of a refusal that changed no row, whichever it is."""
    before = _rows()
    response = call()
    document: dict[str, Any] = orjson.loads(response.content)
    problem(response, response.status_code, document.get("code", ""))
    assert _rows() == before
    return document


def _rows() -> dict[str, list[dict[str, Any]]]:
    """What is stored, but for when a key was last used."""
    rows = all_rows()
    for key in rows["accounts.ApiKey"]:
        del key["last_used_at"]
    return rows


def answered(response: HttpResponse, status: int = 200) -> dict[str, Any]:
    """The body of an answer."""
    assert response.status_code == status, response.content
    document: dict[str, Any] = orjson.loads(response.content)
    return document
