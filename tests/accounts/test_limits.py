"""Token buckets on a real Redis, and what holds without one."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from redis import Redis

from accounts import limits, redis
from accounts.actors import Actor, ActorKind
from accounts.errors import RateLimited, Unavailable
from accounts.models import Application
from tests.accounts.waiting import until


def application(each: int, total: int = 60_000) -> Application:
    return Application(pk=7, requests_per_minute=each, total_requests_per_minute=total)


def key_of(number: int) -> Actor:
    return Actor(ActorKind.APPLICATION, application_id=7, id=str(number))


@pytest.fixture
def redis_away(settings) -> Iterator[None]:
    """A port at which nobody listens, instead of Redis."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        _connect_anew()
        yield
    _connect_anew()


def _connect_anew() -> None:
    redis.client.cache_clear()
    limits._script.cache_clear()
    limits._outage = limits.Outage()


def test_a_caller_is_let_through_until_its_minute_is_spent(redis_names):
    allowances = [limits.request(key_of(1), application(each=5)) for _ in range(6)]
    assert [allowance.allowed for allowance in allowances] == [True] * 5 + [False]
    assert [allowance.remaining for allowance in allowances] == [4, 3, 2, 1, 0, 0]
    assert {allowance.limit for allowance in allowances} == {5}
    assert allowances[0].retry_after == 0
    assert 11 <= allowances[5].retry_after <= 12
    assert 59 <= allowances[5].reset <= 60


def test_a_bucket_fills_again_with_time(redis_names):
    app = application(each=600)
    while limits.request(key_of(1), app).allowed:
        pass
    assert until(lambda: limits.request(key_of(1), app).allowed) < 0.5


def test_one_key_does_not_spend_anothers_minute_but_they_share_the_applications(redis_names):
    app = application(each=5, total=8)
    allowed = [limits.request(key_of(number), app).allowed for number in (1, 2) for _ in range(5)]
    assert allowed == [True] * 8 + [False] * 2


def test_a_refused_request_spends_nothing(redis_names):
    app = application(each=2, total=60)
    for _ in range(20):
        limits.request(key_of(1), app)
    assert limits.request(key_of(2), application(each=1000, total=60)).remaining == 57


def test_many_at_once_never_pass_the_limit(redis_names):
    app = application(each=20)
    with ThreadPoolExecutor(8) as pool:
        allowances = list(pool.map(lambda _: limits.request(key_of(1), app), range(80)))
    assert sum(allowance.allowed for allowance in allowances) == 20


def test_staff_have_a_limit_of_their_own(redis_names):
    staff = Actor(ActorKind.STAFF, id="3")
    assert limits.request(staff, None).limit == limits.STAFF_PER_MINUTE


def test_buckets_go_away_by_themselves(redis_names):
    limits.request(key_of(1), application(each=5))
    names = list(redis.client().scan_iter(f"{redis_names}:*"))
    assert len(names) == 2
    assert all(0 < cast(int, redis.client().ttl(name)) <= 60 for name in names)


def test_guesses_at_a_password_run_out(redis_names):
    for _ in range(limits.GUESSES_PER_USER):
        limits.guess(1, 2, "bob", "192.0.2.1")
    with pytest.raises(RateLimited) as refusal:
        limits.guess(1, 2, "bob", "192.0.2.1")
    assert refusal.value.retry_after in range(1, 7)
    limits.guess(1, 3, "bob", "192.0.2.1")
    limits.guess(1, 2, "carol", "192.0.2.1")


def test_guesses_in_many_names_from_one_address_run_out_too(redis_names):
    for number in range(limits.GUESSES_PER_ADDRESS):
        limits.guess(1, 2, f"user{number}", "192.0.2.1")
    with pytest.raises(RateLimited):
        limits.guess(1, 2, "another", "192.0.2.1")
    limits.guess(1, 2, "another", "192.0.2.2")


def test_right_guesses_cost_nothing(redis_names):
    for _ in range(3 * limits.GUESSES_PER_ADDRESS):
        limits.guess(1, 2, "bob", "192.0.2.1")
        limits.forgive(1, 2, "bob", "192.0.2.1")


def test_forgiving_never_gives_more_than_a_full_bucket(redis_names):
    for _ in range(5):
        limits.forgive(1, 2, "bob", None)
    for _ in range(limits.GUESSES_PER_USER):
        limits.guess(1, 2, "bob", None)
    with pytest.raises(RateLimited):
        limits.guess(1, 2, "bob", None)


@pytest.mark.usefixtures("redis_away")
def test_without_redis_requests_pass_quickly_and_the_log_says_so_once(caplog):
    start = time.monotonic()
    with caplog.at_level(logging.WARNING, "accounts.limits"):
        assert all(limits.request(key_of(1), application(each=5)).allowed for _ in range(200))
    assert time.monotonic() - start < 1
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("redis_away")
def test_without_redis_no_password_can_be_searched():
    with pytest.raises(Unavailable):
        limits.guess(1, 2, "bob", None)


def test_a_lost_connection_is_made_again_without_an_error(redis_names, settings):
    assert limits.request(key_of(1), application(each=5)).allowed
    ours = cast(int, redis.client().client_id())
    Redis.from_url(settings.REDIS_URL).client_kill_filter(_id=str(ours))
    assert limits.request(key_of(1), application(each=5)).remaining == 3
