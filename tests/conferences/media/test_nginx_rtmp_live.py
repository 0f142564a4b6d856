"""The adapter against a real nginx-rtmp, with real ffmpeg publishers and players.

Only the edge stands in: a small backend takes Django's place behind the hooks.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from conferences.media import ffmpeg
from conferences.media.base import ClientStat, StreamStat
from tests.conferences.media.servers import Backend, Nginx, eventually

pytestmark = pytest.mark.media

KEY = "1a2b3c.4d.AAAAAAAAAAAAAAAAAAAAAA"


def stream(backend: Backend, name: str) -> StreamStat | None:
    return next((row for row in backend.adapter.list_streams().streams if row.name == name), None)


def get(url: str, **options) -> requests.Response:
    return requests.get(url, timeout=5, **options)


def post(url: str, **options) -> requests.Response:
    return requests.post(url, timeout=5, **options)


def players(backend: Backend, name: str) -> list[ClientStat]:
    row = stream(backend, name)
    return [client for client in row.clients if not client.publishing] if row else []


@contextmanager
def published(backend: Backend, name: str, **options) -> Iterator[ffmpeg.Process]:
    """A publisher whose stream the media server lists."""
    with ffmpeg.publish(backend.adapter.push_url(name, KEY), **options) as publisher:
        assert eventually(lambda: (row := stream(backend, name)) and row.bytes_in, 8), publisher.log
        yield publisher


@contextmanager
def played(backend: Backend, name: str, *, kind: str = "video") -> Iterator[ffmpeg.Player]:
    """A player to which media comes."""
    with ffmpeg.play(backend.adapter.play_urls(name, KEY)["rtmp"]) as player:
        assert player.wait_for_packets(1, kind=kind, timeout=8), player.log
        yield player


def test_a_publish_that_is_allowed_is_listed_and_played(nginx: Nginx, backend: Backend):
    with published(backend, "a-1"):
        assert eventually(lambda: (row := stream(backend, "a-1")) and row.width and row.audio_codec)
        row = stream(backend, "a-1")
        assert row is not None
        assert (row.width, row.height, row.fps) == (360, 640, 15.0)
        assert (row.video_codec, row.audio_codec) == ("H264", "AAC")
        assert row.publisher == row.clients[0]
        asked = backend.last("publish", "a-1")
        assert (asked.key, asked.address, asked.client_id) == (KEY, "127.0.0.1", row.publisher.id)

        seen = ffmpeg.probe(backend.adapter.play_urls("a-1", KEY)["rtmp"], seconds=3)
        assert (seen.video_codec, seen.audio_codec, seen.width, seen.height) == ("h264", "aac", 360, 640)
        assert seen.frames >= 20

    assert eventually(lambda: stream(backend, "a-1") is None)
    assert eventually(lambda: backend.kinds("a-1") == ["publish", "play", "stop", "unpublish"])
    assert backend.last("unpublish", "a-1").client_id == asked.client_id


def test_a_publish_that_is_refused_never_appears(nginx: Nginx, backend: Backend):
    backend.decide = lambda event: False
    publisher = ffmpeg.publish(backend.adapter.push_url("a-1", KEY))

    assert publisher.wait(8) != 0
    assert stream(backend, "a-1") is None
    assert backend.kinds("a-1") == ["publish"]


def test_a_play_that_is_refused_gets_nothing(nginx: Nginx, backend: Backend):
    backend.decide = lambda event: event.kind != "play"
    with published(backend, "a-1"):
        player = ffmpeg.play(backend.adapter.play_urls("a-1", KEY)["rtmp"])

        assert player.wait(8) != 0
        assert player.received == 0
        assert players(backend, "a-1") == []


def test_without_a_backend_nobody_publishes(nginx: Nginx, backend: Backend):
    backend.stop()
    publisher = ffmpeg.publish(backend.adapter.push_url("a-1", KEY))

    assert publisher.wait(8) != 0
    assert stream(backend, "a-1") is None


@pytest.mark.parametrize(
    "query",
    [f"key={KEY}&name=evil", f"key={KEY}&app=other&addr=192.0.2.6", f"key={KEY}&clientid=1", f"key={KEY}&key=other"],
)
def test_a_query_that_imitates_the_server_is_refused(nginx: Nginx, backend: Backend, query):
    publisher = ffmpeg.publish(f"{backend.adapter.push_url('a-1', KEY).partition('?')[0]}?{query}")

    assert publisher.wait(8) != 0
    assert backend.adapter.list_streams().streams == ()
    assert backend.events == []
    assert len(backend.refused) == 1


def test_a_query_of_500_characters_is_cut_and_its_key_is_not_found(nginx: Nginx, backend: Backend):
    backend.decide = lambda event: event.key == KEY
    url = f"{backend.adapter.push_url('a-1', '').partition('?')[0]}?x={'x' * 500}&key={KEY}"

    assert ffmpeg.publish(url).wait(8) != 0
    assert backend.last("publish", "a-1").key == ""
    assert stream(backend, "a-1") is None


def test_a_key_behind_the_application_is_found(nginx: Nginx, backend: Backend):
    with ffmpeg.publish(f"rtmp://127.0.0.1:{nginx.rtmp_port}/live?key={KEY}/a-1"):
        assert eventually(lambda: stream(backend, "a-1"), 8)
        assert backend.last("publish", "a-1").key == KEY


def test_dropping_a_publisher_silences_its_players_at_once(nginx: Nginx, backend: Backend):
    with published(backend, "a-1") as publisher, played(backend, "a-1") as player:
        row = stream(backend, "a-1")
        assert row is not None
        assert row.publisher is not None
        before = time.monotonic()

        assert backend.adapter.drop_client(row.publisher.id, "a-1") == 1
        player.wait(5)

        assert player.last_at is not None
        assert player.last_at - before < 0.5
        assert publisher.wait(5) != 0
        assert stream(backend, "a-1") is None
        assert backend.adapter.drop_client(row.publisher.id, "a-1") == 0


def test_dropping_a_player_hurts_nobody_else(nginx: Nginx, backend: Backend):
    with published(backend, "a-1"), played(backend, "a-1") as other, played(backend, "a-1") as player:
        victim = backend.last("play", "a-1").client_id
        before = time.monotonic()

        assert backend.adapter.drop_client(victim, "a-1") == 1
        player.wait(5)

        assert player.last_at is not None
        assert player.last_at - before < 0.5
        assert victim not in [client.id for client in players(backend, "a-1")]
        came = other.count("video")
        assert other.wait_for_packets(came + 15, kind="video", timeout=5)


def test_dropping_by_name_drops_whoever_publishes(nginx: Nginx, backend: Backend):
    with published(backend, "a-1") as publisher, published(backend, "b-1") as other:
        assert backend.adapter.drop_publisher("a-1") == 1

        assert publisher.wait(5) != 0
        assert backend.adapter.drop_publisher("a-1") == 0
        assert other.running
        assert stream(backend, "b-1") is not None


def test_a_publisher_without_video_is_heard(nginx: Nginx, backend: Backend):
    with published(backend, "a-1", video=False), played(backend, "a-1", kind="audio") as player:
        assert player.wait_for_packets(90, kind="audio", timeout=8)
        assert player.count("video") == 0


def test_a_publisher_whose_video_stops_stays_audible(nginx: Nginx, backend: Backend):
    with published(backend, "a-1", video_seconds=4), played(backend, "a-1") as player:
        pictures = -1
        while pictures != player.count("video"):  # a second without a picture
            pictures, heard = player.count("video"), player.count("audio")
            assert player.wait_for_packets(heard + 47, kind="audio", timeout=8)

        assert player.wait_for_packets(player.count("audio") + 90, kind="audio", timeout=8)
        assert player.count("video") == pictures


def test_hooks_and_statistics_agree_on_the_boot_id_which_a_killed_worker_changes(nginx: Nginx, backend: Backend):
    with published(backend, "a-1"):
        first = backend.adapter.list_streams().boot_id
        assert backend.last("publish", "a-1").boot_id == first
        killed = nginx.worker
        os.kill(killed, signal.SIGKILL)

        assert eventually(lambda: nginx.worker not in {0, killed})
        assert eventually(lambda: backend.adapter.health().ok)
    assert backend.adapter.list_streams().streams == ()
    assert backend.kinds("a-1") == ["publish"]

    with published(backend, "b-1"):
        second = backend.adapter.list_streams().boot_id
        assert backend.last("publish", "b-1").boot_id == second
        assert second != first


def test_the_public_port_serves_no_hook_no_statistics_and_no_control(nginx: Nginx, backend: Backend):
    public = f"http://127.0.0.1:{nginx.http_port}"
    headers = {"X-Media-Secret": "new-secret"}

    for path in (
        "/hook/publish",
        "/hook/update",
        "/stat",
        "/control/drop/client",
        "/watch",
        "/",
        "/hls/",
        "/nginx.conf",
    ):
        for answer in (get(public + path, headers=headers), post(public + path, headers=headers)):
            assert answer.status_code == 404, path
    assert backend.events == []
    assert backend.refused == []


def test_the_private_port_wants_the_secret_and_hooks_want_the_module(nginx: Nginx, backend: Backend):
    private = f"http://127.0.0.1:{nginx.control_port}"

    assert get(f"{private}/stat").status_code == 403
    assert get(f"{private}/control/drop/client").status_code == 403
    assert get(f"{private}/stat", headers={"X-Media-Secret": "old-secret"}).status_code == 403
    assert post(f"{private}/hook/publish", data="app=live").status_code == 403
    assert post(f"{private}/hook/update", data="app=live").status_code == 403
    assert backend.refused == []


@pytest.mark.slow
def test_live_streams_outlive_the_backend_and_end_when_it_says_so(nginx: Nginx, backend: Backend):
    with published(backend, "a-1") as publisher, played(backend, "a-1") as player:
        backend.stop()
        came = player.count("audio")
        assert player.wait_for_packets(came + 47 * 6, kind="audio", timeout=12)  # more than one round of updates
        assert publisher.running

        backend.status = 500
        backend.start()
        came = player.count("audio")
        assert player.wait_for_packets(came + 47 * 6, kind="audio", timeout=12)

        backend.status = None
        backend.decide = lambda event: event.kind != "update"
        assert publisher.wait(8) != 0
        assert player.wait(5) == 0
        assert backend.last("update", "a-1").client_id == backend.last("unpublish", "a-1").client_id


def test_hls_is_served_to_whom_the_backend_allows(nginx: Nginx, backend: Backend):
    backend.decide = lambda event: event.key != "refused"
    with published(backend, "a-1"):
        url = backend.adapter.play_urls("a-1", KEY)["hls"]
        assert eventually(lambda: get(url).status_code == 200, 8)

        playlist = get(url)
        segment = next(line for line in playlist.text.splitlines() if line.endswith(".ts"))
        picture = get(url.replace("index.m3u8", segment))
        refused = get(backend.adapter.play_urls("a-1", "refused")["hls"])

        assert playlist.headers["Access-Control-Allow-Origin"] == "*"
        assert playlist.headers["Cache-Control"] == "no-store"
        assert (picture.status_code, picture.headers["Content-Type"]) == (200, "video/mp2t")
        assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (403, "*")
        assert get(url.replace("index.m3u8", "../../nginx.conf")).status_code == 404
        assert get(url.replace("/a-1/", "/%2e%2e/")).status_code == 404
        asked = backend.last("watch", "a-1")
        assert {event.key for event in backend.events if event.kind == "watch"} == {KEY, "refused"}
        assert asked.boot_id == backend.adapter.list_streams().boot_id


def test_hls_asks_at_most_once_a_second_and_a_no_counts_within_two(nginx: Nginx, backend: Backend):
    with published(backend, "a-1"):
        url = backend.adapter.play_urls("a-1", KEY)["hls"]
        assert eventually(lambda: get(url).status_code == 200, 8)
        asked, began = backend.kinds("a-1").count("watch"), time.monotonic()
        while time.monotonic() - began < 3:
            assert get(url).status_code == 200
        assert backend.kinds("a-1").count("watch") - asked <= 3

        backend.decide = lambda event: False
        refused_at = time.monotonic()
        assert eventually(lambda: get(url).status_code == 403)
        assert time.monotonic() - refused_at < 2.1


def test_hls_is_not_served_from_memory_when_the_backend_is_away(nginx: Nginx, backend: Backend):
    with published(backend, "a-1"):
        url = backend.adapter.play_urls("a-1", KEY)["hls"]
        assert eventually(lambda: get(url).status_code == 200, 8)
        backend.stop()

        assert eventually(lambda: get(url).status_code == 500, 2.1)


def test_a_second_publisher_of_a_name_loses_and_the_first_stays(nginx: Nginx, backend: Backend):
    with published(backend, "a-1") as winner:
        holder = backend.last("publish", "a-1").client_id
        loser = ffmpeg.publish(backend.adapter.push_url("a-1", KEY))

        assert loser.wait(8) != 0
        row = stream(backend, "a-1")
        assert row is not None
        assert row.publisher is not None
        assert row.publisher.id == holder
        assert winner.running
        assert eventually(lambda: backend.kinds("a-1") == ["publish", "publish", "unpublish"])
        assert backend.last("unpublish", "a-1").client_id == backend.last("publish", "a-1").client_id != holder


def test_a_publisher_that_writes_nonsense_about_itself_does_not_blind_us(nginx: Nginx, backend: Backend):
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
    command += ["-c:a", "aac", "-rtmp_flashver", os.fsdecode(b"\x01\xff\xef\xbf\xbf<&]]>"), "-f", "flv"]
    with ffmpeg.Process([*command, backend.adapter.push_url("a-1", KEY)], limit=30):
        assert eventually(lambda: stream(backend, "a-1"), 8)


def test_nothing_that_nginx_writes_holds_a_key(nginx: Nginx, backend: Backend):
    with published(backend, "a-1"):
        url = backend.adapter.play_urls("a-1", KEY)["hls"]
        assert eventually(lambda: get(url).status_code == 200, 8)
        get(url.replace("index.m3u8", "999.ts"))
        ffmpeg.publish(backend.adapter.push_url("a-1", KEY)).wait(8)
        backend.stop()
        get(backend.adapter.play_urls("a-1", KEY + "x")["hls"])
        ffmpeg.publish(backend.adapter.push_url("b-1", KEY)).wait(8)
        ffmpeg.play(backend.adapter.play_urls("c-1", KEY)["rtmp"]).wait(8)

    assert "connect() failed" in nginx.written()
    assert KEY not in nginx.written()
    assert "new-secret" not in nginx.written()
