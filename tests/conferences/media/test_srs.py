"""The adapter for SRS on recorded hooks and answers; a small HTTP server stands in for its interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conferences.media.base import ClientStat, Health, MediaHookInvalid, MediaServerAway
from conferences.media.srs import Srs

PUBLISH = {
    "server_id": "vid-0xk989d",
    "service_id": "382k456r",
    "action": "on_publish",
    "client_id": "8170g36n",
    "ip": "127.0.0.1",
    "vhost": "__defaultVhost__",
    "app": "live",
    "tcUrl": "rtmp://127.0.0.1:19360/live",
    "stream": "s1",
    "param": "?key=abc&uid=u1",
    "stream_url": "/live/s1",
    "stream_id": "vid-124q9y3",
}
PLAY = {**PUBLISH, "action": "on_play", "pageUrl": ""}
WHEP = {**PLAY, "param": "app=live&stream=s1&key=abc"}
SERVER = {"code": 0, "server": "vid-0xk989d", "service": "382k456r", "pid": "4711"}
KBPS = {"recv_30s": 512, "send_30s": 0}
STREAM = {
    "id": "vid-124q9y3",
    "name": "s1",
    "vhost": "vid-28z53ky",
    "app": "live",
    "tcUrl": "rtmp://127.0.0.1:19360/live",
    "url": "/live/s1",
    "live_ms": 1795163998123,
    "clients": 2,
    "frames": 75,
    "send_bytes": 4096,
    "recv_bytes": 400123,
    "kbps": KBPS,
    "publish": {"active": True, "cid": "8170g36n"},
    "video": {"codec": "H264", "profile": "Main", "level": "3", "width": 360, "height": 640},
    "audio": {"codec": "AAC", "sample_rate": 44100, "channel": 2, "profile": "LC"},
}
ENDED = {
    **STREAM,
    "id": "vid-9",
    "name": "s9",
    "clients": 0,
    "publish": {"active": False},
    "video": None,
    "audio": None,
}
PUBLISHER = {
    "id": "8170g36n",
    "vhost": "vid-28z53ky",
    "stream": "vid-124q9y3",
    "ip": "192.0.2.1",
    "pageUrl": "",
    "swfUrl": "",
    "tcUrl": "rtmp://127.0.0.1:19360/live",
    "url": "/live/s1",
    "name": "s1",
    "type": "fmle-publish",
    "publish": True,
    "alive": 11.32,
    "send_bytes": 3000,
    "recv_bytes": 400123,
    "kbps": KBPS,
}
PLAYER = {**PUBLISHER, "id": "p0", "type": "rtmp-play", "publish": False, "alive": 2.5}


class SrsApi:
    """Answers as SRS does: pages, Basic authentication, an error code for an unknown client."""

    def __init__(self) -> None:
        self.streams = [STREAM, ENDED]
        self.clients = [PUBLISHER, PLAYER]
        self.asked: list[str] = []
        self.broken = False

    def answer(self, method: str, target: str, authorization: str) -> tuple[int, str]:
        self.asked.append(f"{method} {target}")
        if authorization != "Basic dTpw":
            return 401, "{}"
        if self.broken:
            return 200, "<html>"
        url = urlsplit(target)
        what = url.path.split("/")[3]
        if method == "DELETE":
            return 200, json.dumps(SERVER if self._drop(url.path.split("/")[4]) else {**SERVER, "code": 2049})
        query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
        rows = getattr(self, what)[query.get("start", 0) :][: max(query.get("count", 10), 10)]
        return 200, json.dumps({**SERVER, what: rows})

    def _drop(self, client_id: str) -> bool:
        left = [client for client in self.clients if client["id"] != client_id]
        found, self.clients = len(left) < len(self.clients), left
        return found


@pytest.fixture
def api(settings) -> Iterator[SrsApi]:
    api = SrsApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, text = api.answer(self.command, self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    settings.MEDIA_CONTROL_URL = f"http://127.0.0.1:{server.server_port}"
    settings.MEDIA_API_USER, settings.MEDIA_API_PASSWORD = "u", "p"
    yield api
    server.shutdown()
    server.server_close()


@pytest.fixture
def srs(settings, api) -> Srs:
    settings.KEYS = {**settings.KEYS, "media": ["new-secret", "old-secret"]}
    return Srs()


def parse(srs: Srs, call: str, body: object, *, secret: str = "new-secret", address: str = "127.0.0.1"):
    request = RequestFactory().post(
        f"/hooks/srs/{call}?secret={secret}",
        body if isinstance(body, bytes) else json.dumps(body),
        "application/json",
        REMOTE_ADDR=address,
    )
    return srs.parse_hook(call, request)


@pytest.mark.parametrize(
    ("call", "kind"),
    [("on_publish", "publish"), ("on_unpublish", "unpublish"), ("on_play", "play"), ("on_stop", "stop")],
)
def test_each_hook_is_read(srs, call, kind):
    event = parse(srs, call, {**PUBLISH, "action": call})

    assert (event.kind, event.app, event.name, event.client_id) == (kind, "live", "s1", "8170g36n")
    assert (event.address, event.key, event.boot_id) == ("127.0.0.1", "abc", "382k456r")


def test_a_whep_player_brings_its_key_without_a_question_mark(srs):
    event = parse(srs, "on_play", WHEP)

    assert (event.kind, event.name, event.key) == ("play", "s1", "abc")


def test_a_clients_query_cannot_overwrite_what_the_server_said(srs):
    event = parse(srs, "on_publish", {**PUBLISH, "param": "?key=abc&stream=evil&client_id=1&ip=192.0.2.6&key=other"})

    assert (event.name, event.client_id, event.address, event.key) == ("s1", "8170g36n", "127.0.0.1", "abc")


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("on_publish", PLAY),
        ("on_hls", {**PUBLISH, "action": "on_hls"}),
        ("on_publish", {**PUBLISH, "app": "other"}),
        ("on_publish", {**PUBLISH, "stream": "../s1"}),
        ("on_publish", {**PUBLISH, "param": None}),
        ("on_publish", {name: value for name, value in PUBLISH.items() if name != "client_id"}),
        ("on_publish", [PUBLISH]),
        ("on_publish", b"{"),
        ("on_publish", b"\xff"),
    ],
)
def test_what_srs_would_not_send_is_refused(srs, call, body):
    with pytest.raises(MediaHookInvalid):
        parse(srs, call, body)


def test_a_hook_needs_the_secret_and_this_machine(srs):
    for secret, address in [("wrong", "127.0.0.1"), ("", "127.0.0.1"), ("new-secret", "192.0.2.7")]:
        with pytest.raises(MediaHookInvalid):
            parse(srs, "on_publish", PUBLISH, secret=secret, address=address)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_body_is_refused(srs, body):
    with pytest.raises(MediaHookInvalid):
        parse(srs, "on_publish", body)


def test_yes_and_no_are_what_srs_understands(srs):
    event = parse(srs, "on_publish", PUBLISH)

    yes, no = srs.hook_reply(event, allow=True), srs.hook_reply(event, allow=False)
    assert (yes.status_code, json.loads(yes.content)) == (200, {"code": 0})
    assert (no.status_code, json.loads(no.content)) == (200, {"code": 1})


def test_streams_are_listed_with_their_clients_and_ended_ones_are_not(srs):
    snapshot = srs.list_streams()
    (stream,) = snapshot.streams

    assert snapshot.boot_id == "382k456r"
    assert stream.publisher == ClientStat("8170g36n", "192.0.2.1", publishing=True, since_ms=11320)
    assert stream.clients[1:] == (ClientStat("p0", "192.0.2.1", publishing=False, since_ms=2500),)
    assert (stream.name, stream.width, stream.height, stream.bytes_in) == ("s1", 360, 640, 400123)
    assert (stream.video_codec, stream.audio_codec, stream.since_ms) == ("H264", "AAC", 11320)


def test_more_clients_than_fit_a_page_are_all_listed(srs, api):
    api.clients = [PUBLISHER, *({**PLAYER, "id": f"p{number}"} for number in range(250))]

    (stream,) = srs.list_streams().streams
    assert len({client.id for client in stream.clients}) == 251


def test_a_client_is_dropped_once(srs, api):
    assert srs.drop_client("p0", "s1") == 1
    assert srs.drop_client("p0", "s1") == 0
    assert api.clients == [PUBLISHER]


def test_a_publisher_is_dropped_by_name(srs, api):
    assert srs.drop_publisher("s2") == 0
    assert srs.drop_publisher("s1") == 1
    assert srs.drop_publisher("s1") == 0
    assert api.clients == [PLAYER]


def test_a_client_id_cannot_leave_its_place_in_the_address(srs, api):
    srs.drop_client("../streams/x?y", "s1")

    assert api.asked == ["DELETE /api/v1/clients/..%2Fstreams%2Fx%3Fy"]


def test_srs_that_does_not_answer_well_is_away(srs, api, settings):
    api.broken = True
    with pytest.raises(MediaServerAway):
        srs.list_streams()
    assert not srs.health().ok

    api.broken = False
    assert srs.health() == Health(True)
    settings.MEDIA_API_PASSWORD = "wrong"
    assert "401" in Srs().health().detail


def test_addresses_for_publishing_and_playing(srs, settings):
    settings.PUBLIC_RTMP_URL, settings.PUBLIC_MEDIA_URL = "rtmp://m.example:1935", "https://m.example"

    assert srs.push_url("A-1", "k.e.y") == "rtmp://m.example:1935/live/A-1?key=k.e.y"
    assert srs.play_urls("A-1", "k.e.y") == {
        "rtmp": "rtmp://m.example:1935/live/A-1?key=k.e.y",
        "flv": "https://m.example/live/A-1.flv?key=k.e.y",
    }
