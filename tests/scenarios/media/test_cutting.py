"""What ends a stream ends it at the media server too, within a second, and its addresses open nothing any more."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import requests

from conferences.media import ffmpeg
from conferences.models import Role
from tests.live_client import LiveClient
from tests.scenarios.stage import Published, Room, Stage, eventually, fails, measured

pytestmark = [pytest.mark.media, pytest.mark.server]

PROMISE_SECONDS = 1.0


def end_of(process: ffmpeg.Process) -> float:
    """When a process ended, on the monotonic clock. It is waited for closely."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        pytest.fail(f"still runs after 5 s: {process.log}")
    return time.monotonic()


def silence_of(player: ffmpeg.Player) -> float:
    """When the last packet came to a player that was told of the end."""
    end_of(player)
    assert player.last_at is not None
    return player.last_at


def test_a_kick_is_silence_within_a_second_and_holds(stage: Stage):
    with stage.room("anna", "ben", "chen", "dora") as room:
        stream = room.publish("ben")
        players = [room.play("chen", stream), room.play("dora", stream)]
        told_before = len(room.events("member.exited"))

        called = time.monotonic()
        room.call("POST", "/kick", memNames=["ben"], reason="noise")
        publisher_ended = end_of(stream.process) - called
        silence = max(silence_of(player) for player in players) - called
        told = room["anna"].expect("onMemberExited", memName="ben", reason=12) - called

        measured(kick_to_publishers_end=publisher_ended, kick_to_silence=silence)
        assert publisher_ended < PROMISE_SECONDS
        assert silence < PROMISE_SECONDS
        assert told < PROMISE_SECONDS
        assert room["ben"].expect_close() == 4412
        assert stream.stat is None
        room["anna"].expect("onStreamRemoved", streamId=stream.stream_id)
        assert len(room.events("member.exited")) == told_before + 1

        with ffmpeg.publish(stream.url) as again:
            assert fails(again)
        assert stream.stat is None
        assert stream.state == "ended"
        eventually(lambda: stream.open_sessions() == [])
        assert room.counters()["videos"] == 0


def test_a_kicked_player_hears_nothing_more_and_the_others_do(stage: Stage):
    with stage.room("anna", "ben", "chen") as room:
        stream = room.publish("ben")
        kicked, other = room.play("chen", stream), room.play("anna", stream)
        urls = room["chen"].ask("subStream", streamId=stream.stream_id)
        eventually(lambda: requests.get(urls["hls"], timeout=5).status_code == 200, what="HLS begins")

        called = time.monotonic()
        room.call("POST", "/kick", memNames=["chen"])
        silence = silence_of(kicked) - called
        eventually(lambda: requests.get(urls["hls"], timeout=5).status_code == 403, seconds=3)
        hls = time.monotonic() - called

        measured(kick_to_a_players_silence=silence, kick_to_a_refused_hls_viewer=hls)
        assert silence < PROMISE_SECONDS
        assert hls < 3
        with ffmpeg.play(urls["rtmp"]) as again:
            assert fails(again)
        heard = other.count("audio")
        assert other.wait_for_packets(heard + 47, kind="audio", timeout=5)
        assert stream.process.running


def test_an_hls_viewer_who_is_kicked_in_the_middle_fails(stage: Stage):
    with stage.room("anna", "ben", "chen") as room:
        stream = room.publish("ben")
        url = room.play_url("chen", stream, "hls")
        eventually(lambda: ".ts" in requests.get(url, timeout=5).text, what="HLS begins")
        assert ffmpeg.probe(url, seconds=1).frames > 0
        segment = re.findall(r"\S+\.ts", requests.get(url, timeout=5).text)[-1]
        segment_url = url.replace("index.m3u8", segment)
        assert requests.get(segment_url, timeout=5).status_code == 200

        room.call("POST", "/kick", memNames=["chen"])

        eventually(lambda: requests.get(segment_url, timeout=5).status_code == 403, seconds=3)
        with pytest.raises(ffmpeg.FfmpegFailed):
            ffmpeg.probe(url, seconds=1)


CUTS: dict[str, Callable[[Room, Published], object]] = {
    "a demotion": lambda room, stream: room.call("POST", "/roles", memNames=["ben"], role=Role.AUDIENCE),
    "a mute of what it carries": lambda room, stream: room.call(
        "POST", "/mute", memNames=["ben"], kinds=["audio", "video"], muted=True
    ),
    "stopStream": lambda room, stream: room["anna"].ask("stopStream", streamId=stream.stream_id),
    "a ban": lambda room, stream: room.call("POST", "/bans", memNames=["ben"]),
    "the owner's exit": lambda room, stream: room["ben"].ask("exit"),
    "the conference's end": lambda room, stream: room.call("DELETE", ""),
}


@pytest.mark.parametrize("act", CUTS)
def test_a_stream_is_cut_for_good_by(stage: Stage, act: str):
    with stage.room("anna", "ben", "chen", confr_type=11) as room:
        stream = room.publish("ben")
        player = room.play("chen", stream)

        called = time.monotonic()
        CUTS[act](room, stream)
        publisher_ended = end_of(stream.process) - called
        silence = silence_of(player) - called

        measured(publishers_end=publisher_ended, silence=silence)
        assert publisher_ended < PROMISE_SECONDS
        assert silence < PROMISE_SECONDS
        with ffmpeg.publish(stream.url) as again:
            assert fails(again)
        assert stream.stat is None
        assert stream.state == "ended"


def test_a_muted_microphone_is_cut_and_a_desktop_is_not(stage: Stage):
    with stage.room("anna", "ben") as room:
        microphone = room.publish("ben", "microphone", "audio", video=False)
        desktop = room.publish("ben", "desktop", "desktop", audio=False)

        room.call("POST", "/mute", memNames=["ben"], kinds=["audio"], muted=True)

        assert end_of(microphone.process)
        assert desktop.process.running
        assert desktop.stat is not None
        assert room.counters()["desktops"] == 1


def test_a_publisher_that_was_let_in_a_moment_before_the_kick_is_found(stage: Stage):
    with stage.room("anna", *(f"guest{number}" for number in range(4))) as room:
        for number in range(4):
            stream = room.offer(f"guest{number}")
            stream.start()
            room["anna"].expect("onStreamAdded", streamId=stream.stream_id)  # the hook has said yes just now

            called = time.monotonic()
            room.call("POST", "/kick", memNames=[f"guest{number}"])

            assert end_of(stream.process) - called < PROMISE_SECONDS
            assert stream.stat is None


def test_many_kicks_at_once_are_all_silence_within_a_second(stage: Stage):
    """Sessions this young are looked for during five seconds: the next kick must not wait for that."""
    with ExitStack() as stack:
        rooms = [stack.enter_context(stage.room("anna", "ben")) for _ in range(5)]
        streams = [room.offer("ben", kind="audio") for room in rooms]
        for stream in streams:
            stream.start(video=False)
        for stream in streams:
            stream.until_live()

        delays = []
        for room, stream in zip(rooms, streams, strict=True):
            called = time.monotonic()
            room.call("POST", "/kick", memNames=["ben"])
            delays.append(end_of(stream.process) - called)

        measured(slowest_of_five_kicks=max(delays))
        assert max(delays) < PROMISE_SECONDS


def test_an_app_that_is_killed_without_a_goodbye_leaves_no_stream(stage: Stage):
    with stage.room("anna", "ben") as room:
        stream = room.publish("ben")

        os.kill(stream.process.pid, signal.SIGKILL)

        room["anna"].expect("onStreamRemoved", streamId=stream.stream_id, reason="unpublished")
        stream.until_gone(seconds=1)
        assert stream.open_sessions() == []
        assert stream.start().running  # the app is back, with the address that it had
        stream.until_live()
        assert stream.state == "live"


@pytest.mark.slow
def test_an_app_that_falls_silent_without_a_goodbye_leaves_no_stream_for_long(stage: Stage):
    with stage.room("anna", "ben") as room:
        stream = room.publish("ben", kind="audio", video=False)

        stream.process.freeze()
        silent = time.monotonic()
        room["anna"].expect("onStreamRemoved", streamId=stream.stream_id, reason="unpublished", timeout=15)

        measured(removed_after=time.monotonic() - silent)
        assert stream.stat is None
        assert stream.open_sessions() == []


async def test_a_banned_address_is_cut_from_the_media_though_its_member_sits_elsewhere(stage: Stage):
    with stage.room("anna") as room:
        ticket = room.ticket("ben")
        ben = await LiveClient.connect(ticket["url"], local_addr=("127.0.0.9", 0))
        await ben.ask("enter", ticket=ticket["ticket"])
        push = await ben.ask("pubStream", rtcId="camera", kind="audio")
        stream = Published(room, "ben", push)
        stream.start(video=False)
        stream.until_live()
        sits_at = stage.value("SELECT host(address) FROM conferences_member WHERE id = %s", room.member_id("ben"))
        assert sits_at == "127.0.0.9"
        # One that is long in: once it is not listed any more, it is closed at once.
        stage.rows("UPDATE conferences_mediasession SET opened_at = opened_at - interval '1 minute'")

        called = time.monotonic()
        room.call("POST", "/bans", network="127.0.0.1")

        assert end_of(stream.process) - called < PROMISE_SECONDS
        await ben.until("onStreamRemoved", streamId=stream.stream_id)
        with ffmpeg.publish(stream.url) as again:
            assert fails(again)
        assert stream.stat is None
        assert stream.state != "live"
        await ben.close()
