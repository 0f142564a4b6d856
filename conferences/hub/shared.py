"""Calls for many at once: whoever asks while one is running shares the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from accounts.errors import DomainError
from accounts.threads import in_thread

Wish = TypeVar("Wish")
Answer = TypeVar("Answer")

# A call for more would hold its conference's lock, or a thread, for too long.
MOST_AT_ONCE = 64


class Shared(Generic[Wish, Answer]):
    """Makes one call at a time for each conference. A thousand who ask at once cost a few dozen calls."""

    def __init__(self, call: Callable[[int, Sequence[Wish]], Sequence[Answer | DomainError]]) -> None:
        """`call` runs in a thread: it gets a conference's id and what is wished, and answers or refuses each wish."""
        self._call = call
        self._waiting: dict[int, list[tuple[Wish, asyncio.Future[Answer]]]] = {}
        self._callers: dict[int, asyncio.Task[None]] = {}

    async def ask(self, conference_id: int, wish: Wish) -> Answer:
        """The answer of a call that is begun after this one. Raises: the refusal, and whatever the call raises."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(conference_id, []).append((wish, answer))
        if conference_id not in self._callers:
            self._callers[conference_id] = asyncio.create_task(self._make_calls(conference_id))
        return await asyncio.shield(answer)

    async def _make_calls(self, conference_id: int) -> None:
        while waiting := self._waiting[conference_id]:
            now, self._waiting[conference_id] = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
            call = in_thread(self._call, conference_id, [wish for wish, _ in now])
            (found,) = await asyncio.gather(call, return_exceptions=True)
            for place, (_, answer) in enumerate(now):
                result = found if isinstance(found, BaseException) else found[place]
                if isinstance(result, BaseException):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)
        del self._waiting[conference_id], self._callers[conference_id]
