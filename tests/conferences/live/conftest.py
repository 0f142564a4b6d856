"""Clients of the socket, which are gone after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from accounts.threads import in_thread
from conferences.models import Member, Role
from tests.factories import Room, until
from tests.live_client import LiveClient
from tests.web import Web

Enter = Callable[..., Awaitable[LiveClient]]


@pytest.fixture
async def enter(web: Web) -> AsyncIterator[Enter]:
    """`await enter(ticket, lastSeq=…)`: a client inside; `await enter()`: one before the door."""
    clients = []

    async def open_socket(ticket: str | None = None, url: str = web.live, **wish: Any) -> LiveClient:
        client = await LiveClient.connect(url)
        clients.append(client)
        if ticket is not None:
            client.entered = await client.ask("enter", ticket=ticket, **wish)
        return client

    yield open_socket
    for client in clients:
        await client.close()


async def ticket(room: Room, name: str, role: Role | None = None) -> str:
    """A ticket of the conference for this user."""
    return (await in_thread(room.ticket, name, role)).text


async def state_of(room: Room, name: str, state: str) -> Member:
    """Wait until the seat of this user is in this state."""
    await in_thread(until, lambda: room.member(name).state == state, 10)
    return await in_thread(room.member, name)
