"""Refusals as they go out: bad input of every kind, languages, faults of ours."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import translation

from accounts.errors import RateLimited
from conferences.api.exceptions import as_refusal, problem
from conferences.management.commands.error_table import refusals
from tests.api_client import problem as told
from tests.api_client import refused
from tests.database import together


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"nonsense",
        b"{'name': 'x'}",
        b'{"name": NaN}',
        b'{"name": "\xff\xfe"}',
        b'{"name": "\\ud800"}',
        b'{"name": "x"} {"name": "y"}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"\x00",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_is_refused(backend, body):
    if not body:
        refused(lambda: backend("POST", "/rooms/join", body), 400, "bad_parameters")
        return
    refused(lambda: backend("POST", "/conferences", body), 400, "body_malformed")


@pytest.mark.parametrize("body", [b"[]", b'"name"', b"7", b"null", b"true", b'[{"name": "x"}]'])
def test_a_body_is_an_object(backend, body):
    document = refused(lambda: backend("POST", "/conferences", body), 400, "bad_parameters")
    assert document["errors"][0]["pointer"] == "#"


@pytest.mark.parametrize("depth", [50, 500])
def test_a_deep_body_is_a_wrong_type(backend, depth):
    deep = b'{"name":' + b"[" * depth + b"]" * depth + b"}"
    refused(lambda: backend("POST", "/conferences", deep), 400, "bad_parameters")


def test_a_huge_body_is_refused(backend):
    refused(lambda: backend.post("/conferences", {"ext": "x" * (1 << 20)}), 413, "body_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(backend, kind):
    refused(lambda: backend("POST", "/conferences", b"name=x", **{"Content-Type": kind}), 415, "media_type_unsupported")


def test_an_unknown_address_and_an_unknown_method_are_problems_too(backend, stranger):
    for path in ("/nothing", "/conferences/lower-case", "/conferences/", "/conferences/ABC%00", "/conferences/../x"):
        refused(partial(backend.get, path), 404, "not_found")
    refused(lambda: stranger.get("/nothing"), 404, "not_found")
    response = backend.put("/conferences", {})
    told(response, 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) >= {"GET", "POST"}


def test_every_unknown_field_is_named_up_to_an_end(backend):
    document = refused(lambda: backend.post("/conferences", {f"f{n:03}": 1 for n in range(500)}), 400, "bad_parameters")
    assert [error["pointer"] for error in document["errors"]] == [f"#/f{n:03}" for n in range(20)]
    assert {error["code"] for error in document["errors"]} == {"unknown"}


def test_a_wrong_item_of_a_list_is_named(backend, room):
    body = {"memNames": ["bob", 7, None], "role": 3}
    document = refused(lambda: backend.post(f"/conferences/{room.id}/roles", body), 400, "bad_parameters")
    assert [error["pointer"] for error in document["errors"]] == ["#/memNames/1", "#/memNames/2"]


@pytest.mark.parametrize(
    ("language", "detail"),
    [
        ("en", "There is no such conference; check its id."),
        ("zh-Hans", "没有这个会议；请检查会议标识。"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "没有这个会议；请检查会议标识。"),
        ("zh", "没有这个会议；请检查会议标识。"),
        ("fr", "There is no such conference; check its id."),
        ("", "There is no such conference; check its id."),
        ("\x7f;;q=9, *", "There is no such conference; check its id."),
    ],
)
def test_details_are_in_the_callers_language(backend, language, detail):
    response = backend.get("/conferences/ABC", Accept_Language=language)
    document = told(response, 404, "conference_not_found")
    assert (document["detail"], document["title"]) == (detail, "Conference not found")


def test_field_errors_are_in_the_callers_language(backend):
    body = {"maxTalkerCount": 0, "name": 7, "ext": "x" * 4097, "nmae": 1}
    for language, is_chinese in (("en", False), ("zh-Hans", True), ("en", False)):
        for given in (body, {name: value for name, value in body.items() if name != "nmae"}):
            response = backend.post("/conferences", given, Accept_Language=language)
            details = [error["detail"] for error in told(response, 400, "bad_parameters")["errors"]]
            assert {detail.isascii() for detail in details} == {not is_chinese}


def test_every_refusal_is_said_in_chinese():
    with translation.override("zh-hans"):
        untranslated = [row.code for row in refusals() if str(row.message).isascii()]
    assert untranslated == []


def test_codes_are_unique_and_so_are_their_problem_types():
    codes = [row.code for row in refusals()]
    assert len(codes) == len(set(codes))


def test_a_refusals_facts_stand_beside_its_code():
    document = problem(RateLimited(retry_after=7, fields={"first_name": ["Too long."]}), "request-1")
    assert (document["retryAfter"], document["requestId"]) == (7, "request-1")
    assert document["errors"] == [{"pointer": "#/firstName", "detail": "Too long."}]


def test_a_fault_of_ours_is_a_problem_that_tells_nothing(backend, room, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conferences_member RENAME TO gone")
    try:
        response = backend.get(f"/conferences/{room.id}/members")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO conferences_member")
    document = told(response, 500, "internal")
    assert "conferences_member" not in str(document)
    assert document["requestId"] in caplog.text


def test_a_database_that_goes_away_is_a_moments_trouble(backend, room):
    with psycopg.connect(**connection.get_connection_params()) as other, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        other.execute("SELECT pg_terminate_backend(%s)", cursor.fetchone())
    response = backend.get(f"/conferences/{room.id}")
    connection.close()
    told(response, 503, "unavailable")
    assert response["Retry-After"] == "1"
    assert backend.get(f"/conferences/{room.id}").status_code == 200


def test_a_fault_of_ours_is_no_refusal():
    assert as_refusal(ZeroDivisionError()) is None


def test_a_conference_that_stays_locked_is_busy(backend, room):
    def hold():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM conferences_conference WHERE confr_id = %s FOR UPDATE", [room.id])
            cursor.execute("SELECT pg_sleep(2.6)")

    def ask():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.2)")
        return backend.patch(f"/conferences/{room.id}", {"locked": True})

    response: Any
    _, response = together(hold, ask)
    document = told(response, 503, "busy")
    assert (response["Retry-After"], document["retryAfter"]) == ("1", 1)
