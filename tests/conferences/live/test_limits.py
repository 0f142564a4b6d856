"""What a client must not do to a socket: too much, too large, too fast, nonsense, and reading too slowly."""

from __future__ import annotations

import asyncio
import re
import socket as sockets
import urllib.request

import orjson
import pytest
from channels.testing import WebsocketCommunicator

from accounts.threads import in_thread
from conferences.live import consumers
from conferences.services import messages
from config.asgi import application
from tests.conferences.live.conftest import Enter, state_of, ticket
from tests.factories import Room
from tests.live_client import LiveClient, Refused
from tests.web import Web

BAD_FRAMES = [
    "",
    "{",
    "[]",
    "null",
    "5",
    '"text"',
    "{}",
    '{"id": 1}',
    '{"id": null, "op": "ping"}',
    '{"id": [1], "op": "ping"}',
    '{"id": true, "op": "ping"}',
    '{"id": 1, "op": 5}',
    '{"id": 1, "op": "ping", "more": 1}',
    '{"id": "' + "x" * 65 + '", "op": "ping"}',
    '{"id": 1, "op": "ping", "data": {"a": NaN}}',
    "[" * 5000,
    '{"id": 1, "op": "\\ud800"}',
    b"\x00binary",
]


async def frame_error(client: LiveClient, frame: str | bytes) -> str:
    reply = client.expect(None)
    await client.send_text(frame)
    answer = await asyncio.wait_for(reply, 10)
    return str(answer["error"]["code"])


@pytest.mark.parametrize("frame", BAD_FRAMES, ids=lambda frame: repr(frame)[:30])
async def test_a_frame_that_cannot_be_read_is_refused_and_the_next_is_answered(
    frame: str | bytes, enter: Enter, room: Room
) -> None:
    alice = await enter(await ticket(room, "alice"))
    assert await frame_error(alice, frame) == "frame_malformed"
    assert "seq" in await alice.ask("ping")


async def test_data_that_is_no_object_is_refused(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    for data in ("null", "[]", '"x"', "5"):
        reply = alice.expect(77)
        await alice.send_text(f'{{"id": 77, "op": "sendBroadcast", "data": {data}}}')
        assert (await asyncio.wait_for(reply, 10))["error"]["code"] == "bad_parameters"


async def test_nothing_but_nonsense_is_closed(enter: Enter) -> None:
    client = await enter()
    for _ in range(consumers.MAX_BAD_FRAMES):
        await client.send_text("nonsense")
    assert await client.closed() == 4400


async def test_a_flood_of_frames_is_closed_and_the_seat_waits(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    for number in range(consumers.FRAME_BURST + 60):
        await alice.send_text(orjson.dumps({"id": f"f{number}", "op": "ping"}).decode())
    assert await alice.closed() == 4429
    await state_of(room, "alice", "reconnecting")


async def test_a_frame_that_is_too_big_closes_the_socket(enter: Enter, room: Room) -> None:
    alice = await enter(await ticket(room, "alice"))
    await alice.send_text(orjson.dumps({"id": 1, "op": "sendBroadcast", "data": {"content": "x" * 70_000}}).decode())
    assert await alice.closed() == 1009


async def test_who_does_not_read_is_closed_and_nobody_else_waits(web: Web, enter: Enter, room: Room) -> None:
    bob = await enter(await ticket(room, "bob"))
    slow = _deaf_socket(web.port, await ticket(room, "alice"))
    count = 450  # of 15 KB: what the kernel buffers for a client, and more than a megabyte beyond it
    await in_thread(_tell_much, room, count)
    await bob.until("onConfrAttrsUpdated", count)
    bob.assert_unbroken()
    await state_of(room, "alice", "reconnecting")
    assert _metric(web, "confr_slow_consumers_total") >= 1
    slow.close()


def _tell_much(room: Room, count: int) -> None:
    for number in range(count):
        messages.set_attributes(actor=room.backend, confr_id=room.id, values={"a": f"{number:05}" * 3000})


def _deaf_socket(port: int, ticket_text: str) -> sockets.socket:
    """A client that enters, and then never reads."""
    deaf = sockets.socket()
    deaf.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", port))
    deaf.sendall(
        b"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in deaf.recv(1024)
    payload = orjson.dumps({"id": 1, "op": "enter", "data": {"ticket": ticket_text}})
    assert len(payload) < 126
    deaf.sendall(bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload)
    return deaf


def _metric(web: Web, name: str) -> float:
    with urllib.request.urlopen(f"{web.url}/metrics", timeout=10) as response:  # noqa: S310 an address of ours
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", response.read().decode(), re.MULTILINE)
    return sum(map(float, found))


async def test_an_address_that_is_none_is_refused_before_it_is_accepted(web: Web) -> None:
    with pytest.raises(Exception, match="403"):
        await LiveClient.connect(f"ws://127.0.0.1:{web.port}/nowhere")


async def test_who_brings_no_ticket_in_time_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "ENTER_SECONDS", 0.05)
    idle = WebsocketCommunicator(application, "/live")
    idle.scope |= {"client": ["127.0.0.1", 1], "headers": []}
    assert (await idle.connect())[0]
    assert await idle.receive_output(5) == {"type": "websocket.close", "code": 4401, "reason": "too late"}
    await idle.disconnect()


async def test_without_uvicorns_transport_messages_go_through_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = WebsocketCommunicator(application, "/live")
    plain.scope |= {"client": ["127.0.0.1", 1], "headers": []}
    assert (await plain.connect())[0]
    await plain.send_to('{"id": 1, "op": "ping"}')
    assert orjson.loads(await plain.receive_from())["error"]["code"] == "not_entered"
    await plain.disconnect()


async def test_a_refused_reply_comes_before_the_close(enter: Enter, committed: None) -> None:
    client = await enter()
    with pytest.raises(Refused, match="ticket_invalid"):
        await client.ask("enter", ticket="x")
    assert await client.closed() == 4401
