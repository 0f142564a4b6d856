"""For operators and their machines: /healthz, /readyz and /metrics. No part of the API's contract."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from accounts.redis import client
from conferences import health
from conferences.api.rendering import encode

QUEUES = ("control", "media")


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse(b"ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether to send traffic here, part by part: 503 when a fatal part is away, "degraded" when another is."""
    parts = health.parts()
    down = [part for part in parts if not part.ok]
    is_fatal = any(part.fatal for part in down)
    details = _is_operator(request)
    body = {
        "status": "down" if is_fatal else "degraded" if down else "ok",
        "parts": [
            {"name": part.name, "ok": part.ok, "fatal": part.fatal} | ({"detail": part.detail} if details else {})
            for part in parts
        ],
    }
    return HttpResponse(encode(body), status=503 if is_fatal else 200, content_type="application/json")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus, all processes merged; for this machine, or with CONFR_METRICS_TOKEN."""
    if not _is_operator(request):
        return HttpResponseForbidden(b"Send CONFR_METRICS_TOKEN as a Bearer token.\n", content_type="text/plain")
    merged = generate_latest(_registry()) + generate_latest(_queues())
    return HttpResponse(merged, content_type=CONTENT_TYPE_LATEST)


def _is_operator(request: HttpRequest) -> bool:
    """Whoever asks from this machine without a proxy in between, or holds the token."""
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    return "X-Forwarded-For" not in request.headers and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _registry() -> CollectorRegistry:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return REGISTRY
    for pid in _dead(Path(folder)):
        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


def _dead(folder: Path) -> Iterator[int]:
    """Processes that left gauges behind: what they held is gone with them."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            yield pid


class QueueDepth(Collector):
    """How many jobs wait, asked at the scrape."""

    def collect(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("confr_queue_depth", "Jobs that wait", labels=["queue"])
        for queue in QUEUES:
            try:
                depth.add_metric([queue], cast(int, client().llen(queue)))
            except RedisError:
                return  # a queue that cannot be asked has no depth: the series is absent
        yield depth


def _queues() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(QueueDepth())
    return registry
