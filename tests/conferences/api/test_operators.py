"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection

from accounts.redis import client as redis
from accounts.redis import key
from conferences import health, metrics
from tests.api_client import answered

OUTSIDE = {"REMOTE_ADDR": "198.51.100.7"}


@pytest.fixture
def beating(committed):
    """Both workers live."""
    health.beat()
    health.beat("media_worker")
    yield
    redis().delete(key("worker"), key("media_worker"))


def parts(document):
    return {part["name"]: part["ok"] for part in document["parts"]}


def test_this_process_answers(client):
    assert client.get("/healthz").content == b"ok\n"
    assert client.post("/healthz").status_code == 405


def test_everything_is_ready(client, beating, media):
    document = answered(client.get("/readyz"))
    assert document["status"] == "ok"
    assert parts(document) == {
        "database": True,
        "migrations": True,
        "redis": True,
        "worker": True,
        "media worker": True,
        "media server": True,
    }


def test_without_a_worker_or_a_media_server_it_is_degraded(client, committed, media):
    redis().delete(key("worker"))
    media.away = True
    document = answered(client.get("/readyz"))
    assert document["status"] == "degraded"
    assert (parts(document)["worker"], parts(document)["media server"]) == (False, False)


def test_without_a_migration_it_is_down(client, beating, media):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET app = 'gone' WHERE app = 'conferences'")
    try:
        document = answered(client.get("/readyz"), 503)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET app = 'conferences' WHERE app = 'gone'")
    assert (document["status"], parts(document)["migrations"]) == ("down", False)


def test_details_are_for_operators(client, committed, media, settings):
    settings.METRICS_TOKEN = "s3cret"
    media.away = True
    outside = answered(client.get("/readyz", **OUTSIDE))
    assert "detail" not in str(outside)
    inside = answered(client.get("/readyz", headers={"Authorization": "Bearer s3cret"}, **OUTSIDE))
    assert all("detail" in part for part in inside["parts"])
    chinese = answered(client.get("/readyz", headers={"Accept-Language": "zh-CN", "Authorization": "Bearer s3cret"}))
    assert {part["name"]: part["detail"] for part in chinese["parts"]}["worker"] == "15 秒内没有任务开始执行"


@pytest.mark.parametrize(
    ("remote", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("198.51.100.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "198.51.100.7"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("198.51.100.7", {"Authorization": "Bearer s3cret"}, 200),
        ("198.51.100.7", {"Authorization": "Bearer wrong"}, 403),
        ("198.51.100.7", {"Authorization": "Bearer "}, 403),
        ("198.51.100.7", {"Authorization": "Bearer ä"}, 403),
        ("", {}, 403),
    ],
)
def test_metrics_are_for_this_machine_and_for_the_token(client, settings, remote, headers, status):
    settings.METRICS_TOKEN = "s3cret"
    assert client.get("/metrics", REMOTE_ADDR=remote, headers=headers).status_code == status


def test_without_a_token_no_token_opens_the_metrics(client, settings):
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}, **OUTSIDE).status_code == 403


def test_metrics_tell_what_happened(client, backend, room):
    before = _value(client, 'confr_refusals_total{code="conference_not_found",transport="api"}')
    backend.get("/conferences/ABC")
    assert _value(client, 'confr_refusals_total{code="conference_not_found",transport="api"}') == before + 1
    assert _value(client, 'confr_http_requests_total{operation="getConference",status="404"}') >= 1
    assert _value(client, 'confr_http_request_seconds_count{operation="getConference"}') >= 1


def test_queues_are_measured_at_the_scrape(client, committed):
    before = _value(client, 'confr_queue_depth{queue="media"}')
    redis().rpush("media", b"a job that nobody takes")
    try:
        assert _value(client, 'confr_queue_depth{queue="media"}') == before + 1
    finally:
        redis().rpop("media")


def test_processes_are_merged_and_the_dead_hold_no_sockets(client, tmp_path, monkeypatch):
    folder = str(tmp_path)
    script = "from conferences import metrics; metrics.SOCKETS.inc(3); metrics.JOINS.labels('entered').inc(2)"
    for _ in range(2):
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", folder)
    assert _value(client, 'confr_joins_total{outcome="entered"}') == 4
    assert _value(client, "confr_sockets") == 0
    assert metrics.SOCKETS is not None


def _value(client, series):
    """A sample of the scrape; 0 where there is none yet."""
    for line in client.get("/metrics").content.decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name == series:
            return float(value)
    return 0.0
