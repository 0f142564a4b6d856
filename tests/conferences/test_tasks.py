"""Celery's entry points: one of a kind at a time, and how each went is there to be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.db import connection

from conferences import health, tasks
from conferences.metrics import JOB_FAILURES
from tests import factories

pytestmark = pytest.mark.usefixtures("committed")

MakeJob = Callable[[Callable[[], None]], Callable[[], None]]


@pytest.fixture
def job() -> Iterator[MakeJob]:
    """Makes a job of a function, and lets Celery forget it."""
    made = []

    def make(work: Callable[[], None]) -> Callable[[], None]:
        made.append(task := tasks.job(work))
        return task  # type: ignore[no-any-return]

    yield make
    for task in made:
        current_app.tasks.pop(task.name)


def noted(name: str) -> health.Job | None:
    return next((job for job in health.jobs() if job.name == name), None)


def test_a_job_that_runs_through_is_noted(job: MakeJob) -> None:
    ran = []

    def count_sheep() -> None:
        ran.append(1)

    job(count_sheep)()
    run = factories.some(noted("count_sheep"))
    assert ran
    assert run.done_at
    assert not run.is_failing


def test_a_job_that_fails_is_noted_and_counted_and_raises(job: MakeJob) -> None:
    def fall_over() -> None:
        raise ZeroDivisionError("a secret")

    before = JOB_FAILURES.labels("fall_over")._value.get()
    with pytest.raises(ZeroDivisionError):
        job(fall_over)()
    run = factories.some(noted("fall_over"))
    assert (run.failures, run.error, run.is_failing) == (1, "ZeroDivisionError", True)
    assert JOB_FAILURES.labels("fall_over")._value.get() == before + 1


def test_a_job_leaves_its_lock_when_it_fails(job: MakeJob) -> None:
    turns = iter([ZeroDivisionError, None])

    def stumble() -> None:
        if error := next(turns):
            raise error

    task = job(stumble)
    with pytest.raises(ZeroDivisionError):
        task()
    task()
    assert factories.some(noted("stumble")).done_at


def test_a_job_does_not_run_beside_itself(job: MakeJob) -> None:
    inside, go, ran = threading.Event(), threading.Event(), []

    def dawdle() -> None:
        ran.append(1)
        inside.set()
        assert go.wait(10)

    task = job(dawdle)
    thread = threading.Thread(target=task)
    thread.start()
    try:
        assert inside.wait(10)
        task()
        assert len(ran) == 1
    finally:
        go.set()
        thread.join()


def test_what_finds_nothing_to_do_is_no_run() -> None:
    before = noted("process_recordings")
    tasks.process_recordings()
    assert noted("process_recordings") == before


def test_what_makes_recordings_shows_that_it_failed() -> None:
    """The database is in the way here: nobody may claim a recording."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conferences_recording RENAME TO out_of_reach")
    try:
        with pytest.raises(Exception, match="does not exist"):
            tasks.process_recordings()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE out_of_reach RENAME TO conferences_recording")
    assert factories.some(noted("process_recordings")).is_failing
