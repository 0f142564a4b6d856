"""After commit: wake the hubs, hand work to the jobs. What is lost here is found again by a sweep."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.redis import client

logger = logging.getLogger(__name__)

CHANNEL = f"{settings.REDIS_PREFIX}:events"
# No conference has this number: what is told under it concerns whoever watches.
EVERYBODY = 0

# Upward wires are names: a test checks that each resolves.
JOBS = {
    "do_bulk_acts": "conferences.tasks.do_bulk_acts",
    "drop_revoked_media": "conferences.tasks.drop_revoked_media",
    "process_recordings": "conferences.tasks.process_recordings",
    "tidy_recordings": "conferences.tasks.tidy_recordings",
}


def publish(conference_id: int, facts: list[dict[str, Any]]) -> None:
    """Wake the hubs with what was committed. Redis may lose it: they catch up from the table within a second."""
    try:
        client().publish(CHANNEL, orjson.dumps([conference_id, facts]))
    except RedisError as error:
        logger.warning("hubs not woken for conference %s: %s", conference_id, type(error).__name__)


def notify(conference_id: int, note: dict[str, Any]) -> None:
    """Tell members something that is not a fact: no number, no row, no replay."""
    publish(conference_id, [{"seq": 0, **note}])


def enqueue(job: str, *, queue: str = "control") -> None:
    """Have a job run now and not only at its next turn. Where the broker is away, that turn does the work."""
    try:
        current_app.send_task(JOBS[job], queue=queue, retry=False)
    except OperationalError as error:
        logger.warning("job %s not enqueued: %s", job, type(error).__name__)
