"""What every request passes: ids, addresses, the log line, other origins, headers."""

from __future__ import annotations

import logging
import re

import orjson
import pytest
from django.test import Client

from tests.api_client import Api, answered, key_of

ORIGIN = {"Origin": "https://mini.example"}


@pytest.fixture
def lines(caplog):
    """The lines of the access log."""
    caplog.set_level(logging.INFO, logger="confr.access")

    def read():
        return [orjson.loads(record.getMessage()) for record in caplog.records if record.name == "confr.access"]

    return read


def test_the_log_says_who_asked_what_and_no_secret(application, lines):
    secret = key_of(application)
    response = Api(secret).get("/conferences?name=alice", X_Request_ID="call-1")
    answered(response)
    (line,) = lines()
    assert re.fullmatch(r"application:\d+", line.pop("actor"))
    assert line.pop("ms") > 0
    assert line == {
        "method": "GET",
        "path": "/api/v1/conferences",
        "status": 200,
        "request_id": "call-1",
        "address": "127.0.0.1",
    }
    assert secret not in str(line)


def test_nothing_that_is_sent_begins_another_line(client, caplog):
    caplog.set_level(logging.INFO, logger="confr.access")
    client.get("/api/v1/a%0Ab%0D%22", headers={"X-Request-ID": "x\ny"})
    (record,) = (record for record in caplog.records if record.name == "confr.access")
    assert "\n" not in record.getMessage()
    assert orjson.loads(record.getMessage())["path"] == '/api/v1/a\nb\r"'


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ([], "203.0.113.9", "127.0.0.1"),
        (["127.0.0.1"], "203.0.113.9", "203.0.113.9"),
        (["127.0.0.1"], "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (["127.0.0.1"], "nonsense", "127.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_where_one_comes_from(client, lines, settings, trusted, forwarded, address):
    settings.TRUSTED_PROXIES = trusted
    client.get("/healthz", headers={"X-Forwarded-For": forwarded})
    assert lines()[0]["address"] == address


def test_pages_of_any_origin_may_call_the_api_without_credentials(client):
    preflight = client.options("/api/v1/conferences", headers=ORIGIN | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert preflight["Access-Control-Allow-Origin"] == "*"
    assert {"Authorization", "Idempotency-Key"} <= set(preflight["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in preflight
    refusal = client.get("/api/v1/conferences", headers=ORIGIN)
    assert refusal["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in refusal["Access-Control-Expose-Headers"]
    assert "Origin" in refusal["Vary"]


@pytest.mark.parametrize("path", ["/admin/login/", "/healthz", "/metrics", "/hooks/nothing", "/dashboard/", "/"])
def test_other_origins_get_nothing_else(client, db, path):
    asks = ORIGIN | {"Access-Control-Request-Method": "POST"}
    for response in (client.get(path, headers=ORIGIN), client.options(path, headers=asks)):
        assert not [name for name in response.headers if name.startswith("Access-Control")]


def test_a_cookie_proves_nothing_from_another_origin(application):
    """A page elsewhere cannot send the header that names the application: the preflight does not allow it."""
    preflight = Client().options("/api/v1/conferences", headers=ORIGIN | {"Access-Control-Request-Method": "POST"})
    allowed = preflight["Access-Control-Allow-Headers"].lower()
    assert "x-confr-application" not in allowed
    assert "x-csrftoken" not in allowed


def test_every_answer_carries_the_headers_of_safety(client, db):
    for path in ("/api/v1/conferences", "/api/v1/docs", "/admin/login/", "/healthz"):
        response = client.get(path)
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["X-Frame-Options"] == "DENY"
        assert response["Referrer-Policy"] == "same-origin"
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert re.fullmatch(r"[0-9a-f]{16}", response["X-Request-ID"])
