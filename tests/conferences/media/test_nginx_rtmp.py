"""Hooks as nginx-rtmp sends them, recorded; what nginx really does is in test_nginx_rtmp_live."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conferences.media import keys
from conferences.media.base import MediaHookInvalid, MediaServerAway
from conferences.media.nginx_conf import PULL_HEADER

HEADERS = {"X-Media-Secret": "new-secret", "X-Media-Boot": "abc-17"}
CLIENT = "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:19350/live&pageurl="
PUBLISH = f"{CLIENT}&addr=127.0.0.1&clientid=2&call=publish&name=s1&type=live"
RECORDED = {
    ("publish", "publish"): f"{PUBLISH}&key=abc&uid=u1",
    ("publish_done", "unpublish"): f"{CLIENT}&addr=127.0.0.1&clientid=2&call=publish_done&name=s1&key=abc",
    ("play", "play"): (
        f"{CLIENT}&addr=127.0.0.1&clientid=2&call=play&name=s1&start=4294965296&duration=0&reset=0&key=abc"
    ),
    ("play_done", "stop"): f"{CLIENT}&addr=127.0.0.1&clientid=2&call=play_done&name=s1&key=abc",
    ("update", "update"): (
        f"{CLIENT}&addr=127.0.0.1&clientid=2&call=update_publish&time=10&timestamp=9956&name=s1&key=abc"
    ),
}


def parse(adapter, call: str, body: str | bytes, *, address: str = "127.0.0.1", headers=HEADERS):
    request = RequestFactory().post(
        f"/hooks/nginx/{call}", body, "application/x-www-form-urlencoded", REMOTE_ADDR=address, headers=headers
    )
    return adapter.parse_hook(call, request)


@pytest.mark.parametrize(("call", "kind"), RECORDED)
def test_each_hook_is_read(adapter, call, kind):
    event = parse(adapter, call, RECORDED[call, kind])

    assert (event.kind, event.app, event.name, event.client_id) == (kind, "live", "s1", "2")
    assert (event.address, event.key, event.boot_id) == ("127.0.0.1", "abc", "abc-17")


VIEWER = {**HEADERS, "X-Media-Key": "abc", "X-Media-Name": "s1", "X-Media-Address": "192.0.2.1"}


@pytest.mark.parametrize("call", ["hls", "flv"])
def test_a_viewer_over_http_is_read_from_headers(adapter, call):
    event = parse(adapter, call, "", headers=VIEWER)

    assert (event.kind, event.name, event.key, event.client_id) == ("watch", "s1", "abc", "")
    assert event.address == "192.0.2.1"


def test_a_yes_to_the_gateway_holds_the_key_to_pull_with(adapter):
    hls, flv = (parse(adapter, call, "", headers=VIEWER) for call in ("hls", "flv"))
    yes, no = adapter.hook_reply(flv, allow=True), adapter.hook_reply(flv, allow=False)

    key = keys.read(yes[PULL_HEADER], "play", "s1", time.time())
    assert (yes.status_code, key.holder_id) == (204, keys.CONFR)
    assert (no.status_code, PULL_HEADER in no) == (403, False)
    assert PULL_HEADER not in adapter.hook_reply(hls, allow=True)


def test_a_key_behind_the_application_is_found_in_the_connection(adapter):
    body = PUBLISH.replace("19350/live", "19350/live%3Fx=1%26key=abc")

    assert parse(adapter, "publish", body).key == "abc"


def test_a_key_behind_the_name_wins_over_the_connection(adapter):
    body = PUBLISH.replace("19350/live", "19350/live%3Fkey=other") + "&key=abc"

    assert parse(adapter, "publish", body).key == "abc"


def test_no_key_is_no_fault_of_the_hook(adapter):
    assert parse(adapter, "publish", PUBLISH).key == ""


@pytest.mark.parametrize("field", ["app", "tcurl", "addr", "clientid", "call", "name", "key"])
def test_a_repeated_field_is_refused(adapter, field):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, "publish", f"{PUBLISH}&key=abc&{field}=evil")


def test_a_field_repeated_by_way_of_the_connection_is_refused(adapter):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, "publish", PUBLISH.replace("19350/live", "19350/live&name=evil"))


@pytest.mark.parametrize("secret", ["", "wrong", "new-secre", "nëw-secret"])
def test_a_wrong_secret_is_refused(adapter, secret):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, "publish", PUBLISH, headers={**HEADERS, "X-Media-Secret": secret})


def test_the_secret_of_before_a_rotation_still_counts(adapter):
    assert parse(adapter, "publish", PUBLISH, headers={**HEADERS, "X-Media-Secret": "old-secret"}).name == "s1"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3"])
def test_a_call_from_this_machine_is_read(adapter, settings, address):
    settings.BIND = "10.1.2.3"

    assert parse(adapter, "publish", PUBLISH, address=address).name == "s1"


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "", "localhost"])
def test_a_call_from_elsewhere_is_refused_in_spite_of_the_secret(adapter, address):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, "publish", PUBLISH, address=address)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("publish", ""),
        ("publish", PUBLISH.replace("app=live", "app=other")),
        ("publish", PUBLISH.replace("name=s1", "name=")),
        ("publish", PUBLISH.replace("name=s1", "name=..%2Fs1")),
        ("publish", PUBLISH.replace("name=s1", f"name={'s' * 65}")),
        ("publish", PUBLISH.replace("clientid=2", "clientid=-2")),
        ("publish", PUBLISH.replace("clientid=2", f"clientid={quote('٢')}")),
        ("publish", PUBLISH.replace("call=publish", "call=play")),
        ("publish", PUBLISH + "&a" * 500),
        ("play", PUBLISH),
        ("connect", PUBLISH),
        ("hls", ""),
        ("flv", ""),
    ],
)
def test_what_our_media_server_would_not_send_is_refused(adapter, call, body):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, call, body)


def test_a_hook_without_a_boot_id_is_refused(adapter):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, "publish", PUBLISH, headers={"X-Media-Secret": "new-secret"})


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["publish", "play", "update"]), st.binary())
def test_any_bytes_are_refused(adapter, call, body):
    with pytest.raises(MediaHookInvalid):
        parse(adapter, call, body)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_no_query_of_a_client_changes_what_the_server_said(adapter, query):
    try:
        event = parse(adapter, "publish", PUBLISH.encode() + b"&" + query)
    except MediaHookInvalid:
        return
    assert (event.name, event.client_id, event.app, event.address) == ("s1", "2", "live", "127.0.0.1")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_any_connection_address_is_read_or_refused(adapter, tcurl):
    body = PUBLISH.replace("rtmp://127.0.0.1:19350/live", quote(tcurl, safe=":/", errors="replace"))

    assert parse(adapter, "publish", body).name == "s1"


def test_addresses_for_publishing_and_playing(adapter, settings):
    settings.PUBLIC_RTMP_URL, settings.PUBLIC_MEDIA_URL = "rtmp://m.example:1935", "https://m.example"

    assert adapter.push_url("A-1", "k.e.y") == "rtmp://m.example:1935/live/A-1?key=k.e.y"
    assert adapter.play_urls("A-1", "k.e.y") == {
        "rtmp": "rtmp://m.example:1935/live/A-1?key=k.e.y",
        "hls": "https://m.example/hls/k.e.y/A-1/index.m3u8",
    }
    settings.FLV = True
    assert adapter.play_urls("A-1", "k.e.y")["flv"] == "https://m.example/flv/k.e.y/A-1.flv"


def test_a_media_server_that_is_not_there_is_away(adapter):
    for ask in (adapter.list_streams, lambda: adapter.drop_client("1", "s1"), lambda: adapter.drop_publisher("s1")):
        with pytest.raises(MediaServerAway):
            ask()
    health = adapter.health()
    assert not health.ok
    assert "refused" in health.detail
