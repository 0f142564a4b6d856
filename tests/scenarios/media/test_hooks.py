"""Bad input at the doors of the media plane: the public port, the private one, and the hooks behind both."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlencode

import pytest
import requests

from tests.scenarios.stage import Published, Room, Stage, eventually

pytestmark = [pytest.mark.media, pytest.mark.server]

HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def room(stage: Stage) -> Iterator[Room]:
    with stage.room("anna", "ben") as room:
        yield room


@pytest.fixture(scope="module")
def live(room: Room) -> Published:
    """ben's stream, published for real."""
    return room.publish("ben", kind="audio", video=False)


class Hooks:
    """Calls Django's hooks as nginx does, from this machine and with the secret."""

    def __init__(self, stage: Stage, boot_id: str) -> None:
        self.stage = stage
        self.headers = HEADERS | {"X-Media-Secret": stage.media_secret, "X-Media-Boot": boot_id}

    def __call__(self, call: str, stream: Published, client_id: object, *more: tuple[str, str], key: str = "") -> int:
        kind = {"update": "update_publish"}.get(call, call)
        fields = [("app", "live"), ("tcurl", "rtmp://x/live"), ("addr", "127.0.0.1"), ("clientid", str(client_id))]
        fields += [("call", kind), ("name", stream.media_name), *([("key", key)] if key else []), *more]
        return self.post(call, urlencode(fields))

    def post(self, call: str, body: str | bytes, **headers: str) -> int:
        url = f"{self.stage.server.url}/hooks/nginx/{call}"
        answer = requests.post(url, data=body, headers=self.headers | headers, timeout=10)
        return answer.status_code


@pytest.fixture
def hooks(stage: Stage) -> Hooks:
    return Hooks(stage, stage.listed().boot_id)


def state_of(room: Room, stream: Published) -> object:
    return stream.state, stream.open_sessions(), room.events(), room.counters()


PRIVATE = ("/hook/publish", "/hook/update", "/stat", "/control/drop/publisher?app=live", "/watch", "/", "/hls/")


@pytest.mark.parametrize("path", PRIVATE)
def test_the_public_port_serves_nothing_private(stage: Stage, live: Published, path: str):
    """Also not to a proxy on this machine that claims to know better."""
    told = {"X-Media-Secret": stage.media_secret, "X-Forwarded-For": "127.0.0.1", "Host": "127.0.0.1"}

    assert requests.get(stage.media_url + path, headers=told, timeout=5).status_code == 404
    assert requests.post(stage.media_url + path, headers=told, timeout=5).status_code == 404
    assert live.process.running


def test_the_private_port_wants_the_secret(stage: Stage, live: Published):
    drop = f"{stage.control_url}/control/drop/publisher?app=live&name={live.media_name}"

    for headers in ({}, {"X-Media-Secret": "guessed"}):
        assert requests.get(f"{stage.control_url}/stat", headers=headers, timeout=5).status_code == 403
        assert requests.get(drop, headers=headers, timeout=5).status_code == 403
    assert live.process.running
    assert live.stat is not None


def test_a_page_in_a_browser_on_this_machine_reaches_no_hook(stage: Stage, room: Room, live: Published):
    before = state_of(room, live)
    body = urlencode({"app": "live", "call": "publish_done", "clientid": "1", "name": live.media_name})

    answer = requests.post(f"{stage.control_url}/hook/publish_done", data=body, headers=HEADERS, timeout=5)

    assert answer.status_code == 403
    assert state_of(room, live) == before


@pytest.mark.parametrize("secret", ["", "guessed", "é"])
def test_a_hook_without_the_secret_is_refused(stage: Stage, room: Room, live: Published, hooks: Hooks, secret: str):
    before = state_of(room, live)
    hooks.headers["X-Media-Secret"] = secret.encode()  # type: ignore[assignment]  # bytes go as they are

    assert hooks("publish_done", live, live.open_sessions()[0][1]) == 403
    assert state_of(room, live) == before


def test_a_hook_without_a_boot_id_is_refused(room: Room, live: Published, hooks: Hooks):
    before = state_of(room, live)
    del hooks.headers["X-Media-Boot"]

    assert hooks("publish_done", live, live.open_sessions()[0][1]) == 403
    assert state_of(room, live) == before


BODIES = {
    "nothing": b"",
    "no form": b'{"app": "live"}',
    "bytes": bytes(range(256)),
    "a broken escape": b"app=live&name=%zz%ff%00&call=publish&clientid=1",
    "a path for a name": b"app=live&name=..%2f..%2fetc&call=publish&clientid=1",
    "a name of 10000 characters": b"app=live&call=publish&clientid=1&name=" + b"A" * 10_000,
    "a client id that is none": b"app=live&call=publish&clientid=-1&name=A-1",
    "a client id of 30 digits": b"app=live&call=publish&clientid=" + b"1" * 30 + b"&name=A-1",
    "another call": b"app=live&call=play&clientid=1&name=A-1",
    "another application": b"app=other&call=publish&clientid=1&name=A-1",
    "fields without end": b"app=live&call=publish&clientid=1&name=A-1&" + b"&".join(b"f%d=1" % n for n in range(2000)),
    "a zero byte in the name": b"app=live&call=publish&clientid=1&name=A-1%00",
}


@pytest.mark.parametrize("what", BODIES)
def test_a_hook_is_refused_that_holds(room: Room, live: Published, hooks: Hooks, what: str):
    before = state_of(room, live)

    assert hooks.post("publish", BODIES[what]) == 403
    assert state_of(room, live) == before


@pytest.mark.parametrize("path", ["record", "hls/../publish", "", "publish/", "on_publish"])
def test_a_call_that_is_none_is_refused(room: Room, live: Published, hooks: Hooks, path: str):
    before = state_of(room, live)

    assert hooks.post(path, b"app=live&call=publish&clientid=1&name=A-1") in {403, 404}
    assert state_of(room, live) == before


@pytest.mark.parametrize("field", ["name", "clientid", "call", "app", "addr", "key"])
def test_a_field_that_comes_twice_is_refused(room: Room, live: Published, hooks: Hooks, field: str):
    stream = room.offer("ben", "second", kind="audio")
    before = state_of(room, stream)

    assert hooks("publish", stream, 900_001, ("key", "x"), (field, "evil"), key=_key(stream)) == 403
    assert state_of(room, stream) == before


def _key(stream: Published) -> str:
    return stream.url.partition("key=")[2]


def test_an_address_that_is_none_harms_nobody(room: Room, hooks: Hooks):
    stream = room.offer("ben", "second", kind="audio")
    before = state_of(room, stream)
    fields = {"app": "live", "call": "publish", "clientid": "900002", "name": stream.media_name, "key": _key(stream)}

    assert hooks.post("publish", urlencode(fields | {"addr": "no address"})) == 403
    assert state_of(room, stream) == before


def test_a_hook_that_comes_twice_counts_once(room: Room, hooks: Hooks):
    stream = room.offer("ben", "twice", kind="audio")
    for _ in range(2):
        assert hooks("publish", stream, 910_001, key=_key(stream)) == 204
    assert stream.open_sessions() == [("publish", "910001")]
    assert room.events("stream.added", "stream.removed")[-1] == "stream.added"
    added = room.events("stream.added")

    for _ in range(2):
        assert hooks("publish_done", stream, 910_001) == 204
    assert stream.open_sessions() == []
    assert room.events("stream.added") == added
    assert room.events("stream.added", "stream.removed")[-2:] == ["stream.added", "stream.removed"]


def test_a_goodbye_of_somebody_unknown_or_of_another_run_means_nothing(
    stage: Stage, room: Room, live: Published, hooks: Hooks
):
    [(_, client_id)] = live.open_sessions()
    before = state_of(room, live)

    assert hooks("publish_done", live, 999_999) == 204
    assert hooks("play_done", live, 999_999) == 204
    assert Hooks(stage, "another-run")("publish_done", live, client_id) == 204
    assert hooks("publish_done", room.offer("anna", "other"), client_id) == 204
    assert state_of(room, live) == before


def test_a_goodbye_that_overtakes_its_greeting_leaves_no_ghost(stage: Stage, room: Room, hooks: Hooks):
    stream = room.offer("ben", "reordered", kind="audio")

    assert hooks("publish_done", stream, 920_001) == 204
    assert hooks("publish", stream, 920_001, key=_key(stream)) == 204
    assert stream.state == "live"

    eventually(lambda: stream.state == "offered", seconds=15, what="the reconciler finds nobody there")
    assert stream.open_sessions() == []
    assert room.events("media.repaired")


def test_a_late_goodbye_of_the_former_publisher_does_not_end_its_successor(stage: Stage, room: Room, live: Published):
    [(_, first)] = live.open_sessions()
    live.process.stop()
    eventually(lambda: live.open_sessions() == [])
    live.start(video=False)
    live.until_live()
    before = state_of(room, live)

    assert Hooks(stage, stage.listed().boot_id)("publish_done", live, first) == 204
    assert state_of(room, live) == before
    assert live.process.running


def test_an_update_of_somebody_unknown_is_left_alone(room: Room, live: Published, hooks: Hooks):
    before = state_of(room, live)

    assert hooks("update", live, 999_999) == 204
    assert state_of(room, live) == before


def test_nonsense_on_the_rtmp_port_hurts_nobody(stage: Stage, live: Published):
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x03" + b"\xff" * 4000, b"\x00"):
        with closing(socket.create_connection(("127.0.0.1", stage.server.rtmp_port), 5)) as client:
            client.sendall(nonsense)

    assert live.process.running
    stat = live.stat
    assert stat is not None
    received = stat.bytes_in
    eventually(lambda: (now := live.stat) and now.bytes_in > received)
