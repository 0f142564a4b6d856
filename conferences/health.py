"""Whether Confr can do its work, part by part. What is fatal takes this process out of service; the rest degrades."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext
from redis.exceptions import RedisError

from accounts.redis import client, key
from conferences.media.base import media_server

logger = logging.getLogger(__name__)

BEAT_SECONDS = 15
_SILENT = {"seconds": BEAT_SECONDS}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the whole; `detail` says what is wrong, and is for operators only."""

    name: str
    ok: bool
    fatal: bool
    detail: str = ""


def beat(worker: str = "worker") -> None:
    """A worker says that it lives: one of Celery's, or "media_worker"."""
    try:
        client().set(key(worker), b"", ex=BEAT_SECONDS)
    except RedisError as error:
        logger.warning("no heartbeat: %s", type(error).__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A periodic job: when it last ran through and how long that took, and what is known of its failures."""

    name: str
    done_at: float | None
    seconds: float
    failures: int
    failed_at: float | None
    error: str

    @property
    def is_failing(self) -> bool:
        """Whether its last run failed."""
        return self.failed_at is not None and self.failed_at > (self.done_at or 0)


def job_done(name: str, seconds: float) -> None:
    """A job ran through."""
    _note(name, {"done_at": time.time(), "seconds": seconds})


def job_failed(name: str, error: Exception) -> None:
    """A job failed. What the error says stays in the log: it may hold names."""
    _note(name, {"failed_at": time.time(), "error": type(error).__name__}, failed=1)


def _note(name: str, facts: dict[str, str | float], failed: int = 0) -> None:
    try:
        with client().pipeline(transaction=False) as pipeline:
            pipeline.sadd(key("jobs"), name)
            pipeline.hset(key("job", name), mapping=facts)
            pipeline.hincrby(key("job", name), "failures", failed)
            pipeline.execute()
    except RedisError as error:
        logger.warning("job %s not noted: %s", name, type(error).__name__)


def jobs() -> list[Job]:
    """All jobs that ever ran here, by name; none while Redis is away."""
    try:
        names = sorted(name.decode() for name in cast(set[bytes], client().smembers(key("jobs"))))
        with client().pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hgetall(key("job", name))
            found = cast(list[dict[bytes, bytes]], pipeline.execute())
    except RedisError as error:
        logger.warning("nothing is known of the jobs: %s", type(error).__name__)
        return []
    return [
        _job(name, {field.decode(): value.decode() for field, value in facts.items()})
        for name, facts in zip(names, found, strict=True)
    ]


def _job(name: str, facts: dict[str, str]) -> Job:
    return Job(
        name,
        done_at=float(facts["done_at"]) if "done_at" in facts else None,
        seconds=float(facts.get("seconds", 0)),
        failures=int(facts.get("failures", 0)),
        failed_at=float(facts["failed_at"]) if "failed_at" in facts else None,
        error=facts.get("error", ""),
    )


def parts() -> list[Part]:
    """Every part, looked at now. What depends on a part that is away is not asked for."""
    database = _part("database", True, _database)
    migrations = _part("migrations", True, _migrations) if database.ok else Part("migrations", False, True)
    redis = _part("redis", False, _redis)
    worker = _part("worker", False, _worker) if redis.ok else Part("worker", False, False)
    media_worker = _part("media worker", False, _media_worker) if redis.ok else Part("media worker", False, False)
    media = media_server().health()
    return [database, migrations, redis, worker, media_worker, Part("media server", media.ok, False, media.detail)]


def _part(name: str, fatal: bool, look: Callable[[], str]) -> Part:
    """`look` answers what is wrong, "" when nothing is."""
    try:
        detail = look()
    except (DatabaseError, RedisError) as error:
        detail = f"{type(error).__name__}: {error}"
    return Part(name, not detail, fatal, detail)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return gettext("%(count)d to be applied; run `manage.py migrate`") % {"count": len(missing)} if missing else ""


def _redis() -> str:
    client().ping()
    return ""


def _worker() -> str:
    return "" if client().exists(key("worker")) else gettext("no job has begun for %(seconds)d s") % _SILENT


def _media_worker() -> str:
    if client().exists(key("media_worker")):
        return ""
    return gettext("silent for %(seconds)d s: nothing is recorded or mixed") % _SILENT
