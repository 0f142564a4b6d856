"""Celery's entry points: what happens though nobody asks. Each may run twice or late, and not beside itself."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from celery import shared_task
from django.db import close_old_connections, connection

from accounts import retention
from conferences import delivery, health, metrics
from conferences.media.base import MediaServerAway
from conferences.services import (
    audit,
    bans,
    bulk,
    conferences,
    drops,
    members,
    processing,
    reconcile,
    recordings,
    samples,
    tickets,
    watching,
)

logger = logging.getLogger(__name__)


def job(work: Callable[[], object]) -> Any:
    """A periodic job: one at a time in the whole installation."""
    name = work.__name__

    @functools.wraps(work)
    def run() -> None:
        health.beat()
        _attempt(name, lambda: _alone(name, work))

    return shared_task(name=f"conferences.tasks.{name}")(run)


def _attempt(name: str, work: Callable[[], bool]) -> bool:
    """Run a job, which answers whether there was anything to do. How it went shows in `/metrics` and on the System
    page."""
    began = time.monotonic()
    close_old_connections()
    try:
        worked = work()
    except Exception as error:
        metrics.JOB_FAILURES.labels(name).inc()
        health.job_failed(name, error)
        raise  # Celery logs it with its traceback
    finally:
        close_old_connections()
    if worked:
        seconds = time.monotonic() - began
        metrics.JOBS.labels(name).observe(seconds)
        health.job_done(name, seconds)
    return worked


def _alone(name: str, work: Callable[[], object]) -> bool:
    """Do it unless it is being done. The lock is the database's and goes with the connection, so a killed worker
    leaves none behind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [f"confr:{name}"])
        if not cursor.fetchone()[0]:
            return False
        try:
            work()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [f"confr:{name}"])
    return True


@job
def reconcile_media() -> None:
    """What the media server has against what we believe."""
    try:
        reconcile.reconcile()
    except MediaServerAway:
        logger.warning("the media server is away: nothing reconciled")


@job
def drop_revoked_media() -> None:
    """Cut who should have been cut by now: the process that ordered it may have died."""
    drops.drop_revoked(patience=2.0)


@job
def sweep_members() -> None:
    """End the seats of who did not come back or is banned everywhere, find processes that died with sockets, and
    drop who watches without a right to it any more."""
    members.sweep_leases()
    members.sweep_lost()
    bans.remove_banned()
    watching.end_watches()


@job
def end_conferences() -> None:
    """End what nobody entered, what is too long, and what has had no admin for too long."""
    conferences.end_due_conferences()


@job
def expire_tickets() -> None:
    """Note which tickets have expired unused."""
    while tickets.expire_tickets():
        pass


@job
def do_bulk_acts() -> None:
    """Do to many conferences, one by one, what staff ordered."""
    bulk.do_bulk_acts()


@shared_task(name="conferences.tasks.process_recordings", soft_time_limit=12 * 3600)
def process_recordings() -> None:
    """Make the file of one recording that is due. As many run at once as there are workers at the queue, and what is
    left over follows."""
    if _attempt("process_recordings", processing.process_next):
        delivery.enqueue("process_recordings", queue="media")


@job
def guard_recordings() -> None:
    """Stop to record where space runs out."""
    recordings.guard_space()


@job
def tidy_recordings() -> None:
    """Delete recordings that have been kept long enough, and remove the files of deleted ones."""
    recordings.expire_recordings()
    recordings.remove_recordings()
    recordings.remove_leftovers()


@job
def seal_logs() -> None:
    """Sign the heads of the logs that grew, so that a cut tail shows."""
    audit.seal_logs()


@job
def take_samples() -> None:
    """Note how every application is, for the charts."""
    samples.take_samples()


@job
def purge() -> None:
    """Delete what has outlived its retention, whole conferences with a signed tombstone."""
    audit.purge()
    samples.purge()
    bulk.purge()
    retention.purge()
