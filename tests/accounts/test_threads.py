"""The bridge to the threads: what crosses it, and which connections they keep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar

import pytest
from django.db import connection, connections

from accounts.threads import DB_POOL, in_thread, out_of_turn

SAID: ContextVar[str] = ContextVar("SAID", default="nothing")


@pytest.fixture
def kept(committed: None) -> Iterator[None]:
    """The threads keep their connections, as in a web process."""
    before = connection.settings_dict["CONN_MAX_AGE"]
    connection.settings_dict["CONN_MAX_AGE"] = None
    yield
    connection.settings_dict["CONN_MAX_AGE"] = before
    threads = DB_POOL._max_workers
    for done in [DB_POOL.submit(connections.close_all) for _ in range(threads * 4)]:
        done.result()


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def end(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_a_call_sees_our_context_and_leaves_nothing_in_it(kept):
    SAID.set("something")
    assert await in_thread(SAID.get) == "something"
    await in_thread(SAID.set, "something else")
    assert SAID.get() == "something"


async def test_an_error_comes_back(kept):
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


async def test_each_thread_keeps_its_connection(kept):
    assert await out_of_turn(backend) == await out_of_turn(backend)
    found = {await in_thread(backend) for _ in range(50)}
    assert len(found) <= DB_POOL._max_workers


async def test_a_connection_that_was_ended_meanwhile_fails_nobody(kept):
    before = await out_of_turn(backend)
    await in_thread(end, before)
    assert await out_of_turn(backend) != before


async def test_many_calls_wait_for_a_thread(kept):
    found = await asyncio.gather(*[in_thread(backend) for _ in range(100)])
    assert len(set(found)) <= DB_POOL._max_workers
