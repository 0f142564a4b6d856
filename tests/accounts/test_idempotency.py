"""A write that is sent twice is done once, also when both come at the same time."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts import services
from accounts.actors import Actor, ActorKind, system
from accounts.errors import BadParameters, Busy, IdempotencyKeyReused, NotAllowed
from accounts.idempotency import Answer, once
from accounts.models import Application, IdempotentAnswer, User
from tests.database import together

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def application(committed: None) -> Application:
    return services.create_application(actor=system(), org="acme", app="live")


@pytest.fixture
def robot(application: Application) -> Actor:
    return Actor(ActorKind.APPLICATION, application_id=application.pk, id="1")


class Writer:
    """An act that leaves a row each time it is done."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.done = 0

    def __call__(self) -> Answer:
        self.done += 1
        User.objects.create(application=self._application, name=f"user{self.done}")
        return Answer(201, f'{{"n": {self.done}, "name": "小明"}}'.encode())


@pytest.fixture
def write(application: Application) -> Writer:
    return Writer(application)


def test_the_second_call_gets_the_first_answer_and_does_nothing(robot, write):
    first = once(robot, "createConference", "key-1", b"{}", write)
    assert once(robot, "createConference", "key-1", b"{}", write) == first
    assert first == Answer(201, '{"n": 1, "name": "小明"}'.encode())
    assert (write.done, User.objects.count()) == (1, 1)


def test_another_key_of_the_application_shares_its_idempotency_keys(robot, write):
    rotated = Actor(ActorKind.APPLICATION, application_id=robot.application_id, id="2")
    assert once(robot, "op", "key-1", b"", write) == once(rotated, "op", "key-1", b"", write)


@pytest.mark.parametrize("change", ["operation", "key", "user", "application"])
def test_another_operation_key_caller_or_application_is_another_call(robot, write, change):
    once(robot, "op", "key-1", b"", write)
    other = services.create_application(actor=system(), org="other", app="live")
    calls: dict[str, tuple[Actor, str, str]] = {
        "operation": (robot, "other-op", "key-1"),
        "key": (robot, "op", "key-2"),
        "user": (Actor(ActorKind.USER, application_id=robot.application_id, id="1"), "op", "key-1"),
        "application": (Actor(ActorKind.APPLICATION, application_id=other.pk, id="1"), "op", "key-1"),
    }
    actor, operation, key = calls[change]
    once(actor, operation, key, b"", write)
    assert write.done == 2


def test_the_same_key_with_another_body_is_refused_and_nothing_is_done(robot, write):
    once(robot, "op", "key-1", b'{"a": 1}', write)
    with pytest.raises(IdempotencyKeyReused):
        once(robot, "op", "key-1", b'{"a": 2}', write)
    assert (write.done, User.objects.count()) == (1, 1)


def test_a_refusal_is_not_stored_and_takes_its_writes_along(robot, write, application):
    def refuse() -> Answer:
        write()
        raise NotAllowed

    with pytest.raises(NotAllowed):
        once(robot, "op", "key-1", b"", refuse)
    assert not IdempotentAnswer.objects.exists()
    assert not User.objects.exists()
    assert once(robot, "op", "key-1", b"other body", write).status == 201


def test_after_a_day_the_key_is_free_again(robot, write):
    once(robot, "op", "key-1", b"1", write)
    assert IdempotentAnswer.objects.get().expires_at > timezone.now() + timedelta(hours=23)
    IdempotentAnswer.objects.update(expires_at=timezone.now())
    once(robot, "op", "key-1", b"2", write)
    assert write.done == 2
    assert IdempotentAnswer.objects.get().expires_at > timezone.now()


def test_the_stored_answer_is_unreadable_in_the_database(robot, write):
    once(robot, "op", "key-1", b"", write)
    with connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM accounts_idempotentanswer")
        (stored,) = cursor.fetchone()
    assert "小明" not in stored


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "键"])
def test_a_bad_key_is_refused(robot, write, key):
    with pytest.raises(BadParameters):
        once(robot, "op", key, b"", write)
    assert write.done == 0


def test_of_twelve_twins_at_once_one_acts_and_all_get_its_answer(robot, write):
    answers = together(*[lambda: once(robot, "op", "key-1", b"", write)] * 12)
    assert set(answers) == {Answer(201, '{"n": 1, "name": "小明"}'.encode())}
    assert (write.done, User.objects.count(), IdempotentAnswer.objects.count()) == (1, 1, 1)


def test_when_the_first_twin_is_refused_the_second_acts(robot, write):
    started = threading.Event()

    def refuse_late() -> Answer:
        started.set()
        waiting = time.monotonic() + 5
        while time.monotonic() < waiting and not someone_waits():
            pass
        raise NotAllowed

    def second() -> Answer:
        started.wait()
        return once(robot, "op", "key-1", b"", write)

    refused, answered = together(lambda: once(robot, "op", "key-1", b"", refuse_late), second)
    assert isinstance(refused, NotAllowed)
    assert answered == Answer(201, '{"n": 1, "name": "小明"}'.encode())
    assert User.objects.count() == 1


def test_a_twin_that_waits_two_seconds_is_told_to_come_back(robot, write):
    started, finished = threading.Event(), threading.Event()

    def slow():
        started.set()
        finished.wait()
        return write()

    def second() -> Answer:
        started.wait()
        try:
            return once(robot, "op", "key-1", b"", write)
        finally:
            finished.set()

    answered, busy = together(lambda: once(robot, "op", "key-1", b"", slow), second)
    assert isinstance(busy, Busy)
    assert busy.retry_after == 1
    assert isinstance(answered, Answer)
    assert write.done == 1


def someone_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        (waiting,) = cursor.fetchone()
    return bool(waiting)
