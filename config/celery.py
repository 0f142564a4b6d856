"""The Celery application and its beat table. What a job does lives in conferences/tasks.py."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("confr")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_serializer="json",
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # Who enqueues does not wait for a broker that is away or hangs: the job's next turn does the work.
    broker_transport_options={
        "visibility_timeout": 3600,
        "max_retries": 1,
        "interval_start": 0,
        "interval_max": 0.1,
        "socket_connect_timeout": 1,
        "socket_timeout": 3,
    },
    task_default_queue="control",
    task_soft_time_limit=600,
)
app.autodiscover_tasks()


def every(seconds: float, queue: str = "control") -> dict[str, object]:
    """A schedule entry's timing: late runs of a periodic job are dropped, the next one does the work."""
    return {"schedule": seconds, "options": {"expires": seconds, "queue": queue}}


app.conf.beat_schedule = {
    "reconcile_media": {"task": "conferences.tasks.reconcile_media", **every(3)},
    "sweep_members": {"task": "conferences.tasks.sweep_members", **every(2)},
    "end_conferences": {"task": "conferences.tasks.end_conferences", **every(3)},
    "drop_revoked_media": {"task": "conferences.tasks.drop_revoked_media", **every(3)},
    "do_bulk_acts": {"task": "conferences.tasks.do_bulk_acts", **every(3)},
    "expire_tickets": {"task": "conferences.tasks.expire_tickets", **every(15)},
    "take_samples": {"task": "conferences.tasks.take_samples", **every(10)},
    "seal_logs": {"task": "conferences.tasks.seal_logs", **every(60)},
    "guard_recordings": {"task": "conferences.tasks.guard_recordings", **every(5)},
    "process_recordings": {"task": "conferences.tasks.process_recordings", **every(5, queue="media")},
    "tidy_recordings": {"task": "conferences.tasks.tidy_recordings", **every(60)},
    "purge": {"task": "conferences.tasks.purge", **every(3600)},
}
