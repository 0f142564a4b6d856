"""Users with tokens, and sockets that are gone after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from accounts import services
from accounts.actors import Actor
from accounts.models import Application
from accounts.threads import in_thread
from conferences.models import Conference
from tests.emedia_client import Calls, EmediaClient, Json
from tests.factories import Room
from tests.web import Web

User = Callable[[str], Calls]
Enter = Callable[..., Awaitable[EmediaClient]]

# What the mini-program's SDK sends to create a conference, but for who it is.
CREATE: Json = {
    "supportWechatMiniProgram": True,
    "role": 9,
    "confrType": 10,
    "password": "pw",
    "terminal": {},
    "rec": "",
    "recMerge": "",
}


@pytest.fixture
def user(web: Web, application: Application, robot: Actor) -> User:
    """`user("alice")`: the calls of alice's SDK."""

    def make(name: str) -> Calls:
        issued = services.issue_user_token(actor=robot, application=application, user=name)
        return Calls(web.url, f"{application.app_key}_{name}@easemob.com", issued.text)

    return make


@pytest.fixture
async def enter(web: Web) -> AsyncIterator[Enter]:
    """`await enter(answer)`: a socket inside, with the ticket in the answer of req/ticket."""
    clients = []

    async def open_socket(answer: Json, **frame: Any) -> EmediaClient:
        client = await EmediaClient.enter(answer["ticket"], **frame)
        clients.append(client)
        return client

    yield open_socket
    for client in clients:
        await client.close()


@dataclass
class Inside:
    """A user with its SDK's calls, what req/ticket answered, and its socket."""

    calls: Calls
    answer: Json
    socket: EmediaClient

    @property
    def mem_id(self) -> str:
        found: str = self.socket.entered["memId"]
        return found

    @property
    def role_token(self) -> str:
        found: str = self.answer["roleToken"]
        return found

    async def rtc(self, path: str, **body: Any) -> Json:
        """A call with one's role token."""
        return await in_thread(self.calls.rtc, path, self.role_token, **body)

    async def media(self, **body: Any) -> Json:
        """A call of one's own media address."""
        return await in_thread(self.calls, self.socket.entered["useUrl"], **body)


@dataclass
class Meeting:
    """A conference that alice created, and who is inside."""

    user: User
    enter: Enter
    room: Room
    created: Json
    members: dict[str, Inside]

    @property
    def id(self) -> str:
        return self.room.id

    def __getattr__(self, name: str) -> Inside:
        return self.members[name]

    async def join(self, name: str, role: int = 9, **frame: Any) -> Inside:
        calls = await in_thread(self.user, name)
        answer = await in_thread(calls.ticket, confrId=self.id, password="pw", role=role)
        assert answer["error"] == 0, answer
        self.members[name] = Inside(calls, answer, await self.enter(answer, **frame))
        return self.members[name]


Meet = Callable[..., Awaitable[Meeting]]


@pytest.fixture
def meet(user: User, enter: Enter, robot: Actor) -> Meet:
    """`await meet("bob", "carol")`: alice's conference with these inside too, all as talkers if they may."""

    async def make(*names: str, **wishes: Any) -> Meeting:
        alice = await in_thread(user, "alice")
        created = await in_thread(alice.ticket, **CREATE | wishes)
        conference = await in_thread(Conference.objects.get, confr_id=created["confrId"])
        meeting = Meeting(user, enter, Room(robot, conference), created, {})
        meeting.members["alice"] = Inside(alice, created, await enter(created))
        for name in names:
            await meeting.join(name)
        for name in names:
            await meeting.alice.socket.until(300, count=1 + list(names).index(name))
        return meeting

    return make
