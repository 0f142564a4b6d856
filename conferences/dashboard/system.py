"""What the installation is made of and how each part does: looked at when somebody looks."""

from __future__ import annotations

import platform
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from accounts.redis import client
from conferences import health
from conferences.media.base import MediaServerAway, media_server
from conferences.models import Lease, Member, Stream

Found = TypeVar("Found")

PARTS = {
    "database": _("database"),
    "migrations": _("migrations"),
    "redis": _("Redis"),
    "worker": _("background jobs"),
    "media worker": _("media worker"),
    "media server": _("media server"),
}
QUEUES = ("control", "media")
CONFR = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
LIBRARIES = ("Django", "uvicorn", "channels", "celery", "psycopg", "redis")


@dataclass(frozen=True, slots=True)
class Media:
    """A media server as it says itself; `bitrate` is what comes in, in bits per second."""

    address: str
    kind: str
    clients: int
    streams: int
    bitrate: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """A web process and the members whose sockets it holds."""

    name: str
    members: int
    silent_seconds: float
    misses: int


def overview() -> dict[str, Any]:
    """Everything; what cannot be had is None."""
    return {
        "parts": [(PARTS.get(part.name, part.name), part) for part in health.parts()],
        "media": media(),
        "jobs": [(job, _moment(job.done_at), _moment(job.failed_at)) for job in health.jobs()],
        "queues": _unless_away(queues),
        "processes": _unless_away(processes),
        "database": _unless_away(database),
        "redis": _unless_away(redis),
        "disk": disk(),
        "versions": versions(),
    }


def media() -> Media:
    server = media_server()
    where, kind = settings.MEDIA_CONTROL_URL, type(server).__name__
    try:
        found = server.list_streams()
    except MediaServerAway as error:
        return Media(where, kind, 0, 0, 0, str(error.__cause__ or error))
    live = Stream.objects.live().filter(media_name__in=[stream.name for stream in found.streams])
    return Media(where, kind, len(found.clients), len(found.streams), sum(live.values_list("bitrate", flat=True)))


def queues() -> list[tuple[str, int]]:
    """How many jobs wait in each queue."""
    return [(name, cast(int, client().llen(name))) for name in QUEUES]


def processes() -> list[Process]:
    """Those that hold sockets, the newest sign of life first."""
    held = dict(Member.objects.filter(state=Member.State.PRESENT).values_list("process").annotate(number=Count("pk")))
    now = timezone.now()
    return [
        Process(lease.process, held.get(lease.process, 0), (now - lease.renewed_at).total_seconds(), lease.misses)
        for lease in Lease.objects.order_by("-renewed_at")
    ]


def database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), pg_database_size(current_database()), "
            "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()), "
            "current_setting('max_connections')::int"
        )
        names = ("version", "size", "connections", "most_connections")
        return dict(zip(names, cursor.fetchone(), strict=True))


def redis() -> dict[str, Any]:
    found = cast(dict[str, Any], client().info())
    return {
        "version": found["redis_version"],
        "memory": found["used_memory"],
        "most_memory": found["maxmemory"],
        "clients": found["connected_clients"],
    }


def disk() -> dict[str, Any]:
    """Where recordings, keys and pictures lie."""
    used = shutil.disk_usage(settings.VAR_DIR)
    return {
        "path": settings.VAR_DIR,
        "free": used.free,
        "total": used.total,
        "percent": 100 - used.free * 100 // used.total,
    }


def versions() -> list[tuple[str, str]]:
    """Of Confr itself, and of what it stands on."""
    return [("Confr", CONFR), ("Python", platform.python_version()), *((name, version(name)) for name in LIBRARIES)]


def _unless_away(look: Callable[[], Found]) -> Found | None:
    """What depends on a part that is away is not known; that it is away, `parts` says."""
    try:
        return look()
    except (DatabaseError, RedisError):
        return None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
