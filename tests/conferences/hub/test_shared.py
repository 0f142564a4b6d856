"""Calls for many at once: who asks while one runs shares the next, and hears its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from conferences.errors import MemberNotFound
from conferences.hub.shared import MOST_AT_ONCE, Shared
from tests import factories

pytestmark = pytest.mark.usefixtures("committed")  # the threads have connections


class Calls:
    """A call that waits until it is let go, and remembers what it was asked together."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[int]]] = []
        self.go = threading.Semaphore(0)
        self.error: Exception | None = None

    def __call__(self, conference_id: int, wishes: Sequence[int]) -> list[int]:
        self.asked.append((conference_id, list(wishes)))
        assert self.go.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        return [wish * 10 for wish in wishes]

    async def until_asked(self, times: int) -> None:
        await asyncio.to_thread(factories.until, lambda: len(self.asked) >= times)


async def test_who_asks_while_a_call_runs_shares_the_next() -> None:
    calls = Calls()
    shared = Shared[int, int](calls)
    first = asyncio.create_task(shared.ask(1, 1))
    await calls.until_asked(1)
    others = [asyncio.create_task(shared.ask(1, wish)) for wish in (2, 3, 4)]
    await asyncio.sleep(0)
    calls.go.release(2)
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40]
    assert calls.asked == [(1, [1]), (1, [2, 3, 4])]
    calls.go.release()
    assert await shared.ask(1, 5) == 50


async def test_another_conference_does_not_wait() -> None:
    calls = Calls()
    shared = Shared[int, int](calls)
    both = [asyncio.create_task(shared.ask(conference, 1)) for conference in (1, 2)]
    await calls.until_asked(2)
    calls.go.release(2)
    assert await asyncio.gather(*both) == [10, 10]


async def test_a_refusal_is_raised_to_who_is_refused_alone() -> None:
    shared = Shared[int, int](lambda _, wishes: [wish if wish > 1 else MemberNotFound() for wish in wishes])
    answers = await asyncio.gather(*[shared.ask(1, wish) for wish in (1, 2, 3)], return_exceptions=True)
    assert [type(answers[0]), *answers[1:]] == [MemberNotFound, 2, 3]


async def test_one_call_answers_only_so_many() -> None:
    calls = Calls()
    shared = Shared[int, int](calls)
    calls.go.release(10)
    wishes = list(range(2 * MOST_AT_ONCE + 1))
    assert await asyncio.gather(*(shared.ask(1, wish) for wish in wishes)) == [wish * 10 for wish in wishes]
    assert max(len(together) for _, together in calls.asked) <= MOST_AT_ONCE


async def test_an_error_is_everybodys_and_the_next_call_is_made() -> None:
    calls = Calls()
    shared = Shared[int, int](calls)
    calls.error = ZeroDivisionError()
    calls.go.release(2)
    answers = await asyncio.gather(*(shared.ask(1, wish) for wish in (1, 2)), return_exceptions=True)
    assert all(isinstance(answer, ZeroDivisionError) for answer in answers)
    calls.error = None
    calls.go.release()
    assert await shared.ask(1, 3) == 30


async def test_who_goes_away_costs_the_others_nothing() -> None:
    calls = Calls()
    shared = Shared[int, int](calls)
    asking = [asyncio.create_task(shared.ask(1, wish)) for wish in (1, 2)]
    await calls.until_asked(1)
    asking[0].cancel()
    calls.go.release()
    assert await asking[1] == 20
    with pytest.raises(asyncio.CancelledError):
        await asking[0]
