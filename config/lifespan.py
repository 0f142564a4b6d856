"""What belongs to the server and to no request: its end, and sockets that nobody answers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

from django.http.response import HttpResponseBase
from django.urls import re_path

from conferences.hub import hub

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def lifespan(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The hub starts with the first socket, so that the server is up while the database is away."""
    await receive()
    _spare_the_collector()
    _share_the_interpreter()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})


def _spare_the_collector() -> None:
    """What the process is made of never becomes garbage; looking through it cost a fifth of every join (measured)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _share_the_interpreter() -> None:
    """A thread that holds a conference's lock must not wait 5 ms for its turn at every answer of the database."""
    sys.setswitchinterval(0.0005)


async def nowhere(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """A WebSocket at an address that is none: refused before it is accepted (HTTP 403)."""
    await receive()
    await send({"type": "websocket.close"})


# Channels takes Django's routes, whose type knows only views.
elsewhere = [re_path("", cast(Callable[..., HttpResponseBase], nowhere))]
