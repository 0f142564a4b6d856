"""The one bridge from async code to sync code: a fixed set of threads, and a database connection for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from select import POLLIN, poll
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection

P = ParamSpec("P")
R = TypeVar("R")

DB_POOL = ThreadPoolExecutor(max_workers=settings.DB_THREADS, thread_name_prefix="db")
_APART = ThreadPoolExecutor(max_workers=1, thread_name_prefix="db-apart")


async def in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a sync function (a service, a query) in one of the threads.

    Not thread-sensitive: one call that waits for a row lock must not stall the others.
    """
    return await _run(DB_POOL, partial(function, *args, **kwargs))


async def out_of_turn(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """The same for the little that must not queue behind a thousand requests."""
    return await _run(_APART, partial(function, *args, **kwargs))


async def _run(threads: ThreadPoolExecutor, function: Callable[[], R]) -> R:
    """What `database_sync_to_async` does, at half its cost: in a copy of our context, with a good connection."""
    return await asyncio.wrap_future(threads.submit(copy_context().run, _connected, function))


def _connected(function: Callable[[], R]) -> R:
    _part_from_the_dead()
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()


def _part_from_the_dead() -> None:
    """A connection that says something unasked was ended, as by a restart: the next call must not find out."""
    kept = connection.connection
    if kept is not None and (kept.closed or _speaks(kept.fileno())):
        connection.close()


def _speaks(socket: int) -> bool:
    asked = poll()
    asked.register(socket, POLLIN)
    return bool(asked.poll(0))
