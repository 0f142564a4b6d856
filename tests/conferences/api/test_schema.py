"""The OpenAPI document: valid, complete, true, and readable without the internet."""

from __future__ import annotations

import re

import pytest
import schemathesis
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from conferences.api.exceptions import problem
from conferences.api.serializers import base
from conferences.api.urls import urlpatterns
from conferences.management.commands.error_table import refusals
from tests.api_client import Api

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def document():
    return Api(None).get("/openapi.json").json()


@pytest.fixture(scope="module")
def described(document):
    return {
        contract["operationId"]: (path, method, contract)
        for path, methods in document["paths"].items()
        for method, contract in methods.items()
    }


def test_the_document_validates_without_a_warning(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "openapi.yaml"))


def test_the_document_is_of_openapi_3_1_and_public(document):
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"].keys() == {"bearer", "session", "application"}


def test_every_address_is_described(document):
    ours = {str(pattern.pattern) for pattern in urlpatterns if hasattr(pattern.callback, "view_class")}
    ours -= {"<path:rest>", "openapi.json", "docs"}
    ours.remove("recordings/<row:recordingId>/file/<str:key>/<str:name>")  # no operation: it is asked for by a link
    shown = {re.sub(r"<\w+:(\w+)>", r"{\1}", route) for route in ours}
    assert {path.removeprefix("/api/v1/") for path in document["paths"]} == shown


def test_every_operation_says_how_it_is_refused(described):
    known = {refusal.code: refusal.http_status for refusal in refusals()}
    for name, (_, method, contract) in described.items():
        codes: dict[str, int] = {}
        for status, response in contract["responses"].items():
            if int(status) >= 400:
                (schema,) = (content["schema"] for content in response["content"].values())
                assert response["content"].keys() == {"application/problem+json"}
                codes |= dict.fromkeys(schema["allOf"][1]["properties"]["code"]["enum"], int(status))
        assert {"not_authenticated", "rate_limited", "internal"} <= codes.keys(), name
        assert ("idempotency_key_reused" in codes) == (method != "get"), name
        assert all(known[code] == status for code, status in codes.items()), name


def test_every_write_takes_an_idempotency_key(described):
    for name, (_, method, contract) in described.items():
        headers = {parameter["name"] for parameter in contract["parameters"] if parameter["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (method != "get"), name


def _shapes(shape=base.Shape):
    for heir in shape.__subclasses__():
        yield heir
        yield from _shapes(heir)


def test_examples_are_what_they_are_examples_of(document):
    for shape in {shape for shape in _shapes() if shape.EXAMPLE}:
        fields = base.shared(shape).fields
        assert shape.EXAMPLE.keys() <= fields.keys() or shape.__name__ == "Problem"
        if not any("." in str(field.source) for field in fields.values()) and shape.__name__ != "Problem":
            base.read(shape, shape.EXAMPLE)


def test_a_problem_is_as_described(document):
    described = document["components"]["schemas"]["Problem"]
    made = problem(refusals()[0](), "request")
    assert set(described["required"]) <= made.keys()


def test_the_page_works_offline_and_under_the_policy(client):
    page = client.get("/api/v1/docs")
    policy = page["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    text = page.content.decode()
    assert re.findall(r"<style|<script>|style=|\son\w+=|https?://", text) == []
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/"))
        else:
            script = client.get(address)
            assert script["Content-Type"] == "application/javascript"
            assert "/api/v1/openapi.json" in script.content.decode()


# What the document says is what happens


@pytest.fixture
def contract(backend, room, media):
    """The operations, called by the backend about a conference that there is."""
    room.publish("bob")
    backend.room = room
    return backend


schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())


@pytest.mark.slow
@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_document_is_true(case, contract):
    if "confrId" in case.path_parameters:
        case.path_parameters["confrId"] = contract.room.id
    case.headers["Authorization"] = f"Bearer {contract.credential}"
    response = case.call()
    case.validate_response(response, checks=CHECKS)
