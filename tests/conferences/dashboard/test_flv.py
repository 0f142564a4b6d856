"""Watching over FLV: a Confr with the gateway, real streams, real Chromium."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator

import psutil
import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser import StaffPage, Team
from tests.conferences.dashboard.test_console import PLAYING, console, shows_a_picture
from tests.conferences.media.conftest import require_programs
from tests.scenarios.stage import Room, Stage, demo_stage, eventually
from tests.server import Confr, running_confr

pytestmark = [pytest.mark.server, pytest.mark.media, pytest.mark.slow, pytest.mark.timeout(180)]
GATEWAY_AWAY = [502]


@pytest.fixture(scope="module")
def confr() -> Iterator[Confr]:
    require_programs()
    with running_confr(CONFR_FLV="1") as server:
        yield server


@pytest.fixture(scope="module")
def team(confr: Confr) -> Team:
    return Team(confr)


@pytest.fixture(scope="module")
def stage(confr: Confr) -> Stage:
    return demo_stage(confr)


@pytest.fixture
def meeting(stage: Stage) -> Iterator[Room]:
    with stage.room("alice", confr_type=11) as room:
        yield room


def gateway(confr: Confr) -> int:
    """The gateway's process; 0 while there is none."""
    path = confr.var / "run" / "flv.pid"
    return int(json.loads(path.read_text())["pid"]) if path.exists() else 0


def pullers(confr: Confr) -> list[psutil.Process]:
    return psutil.Process(gateway(confr)).children()


def source(page: Page) -> str:
    """What the video plays: another one for each connection."""
    return str(page.locator("video").evaluate("video => video.src"))


def watch(page: Page, protocol: str) -> None:
    page.locator(".stream [data-do=watch]").click()
    expect(page.locator(".player")).to_have_attribute("data-state", "playing", timeout=PLAYING)
    expect(page.locator(".player")).to_have_attribute("data-protocol", protocol)


def test_staff_see_and_hear_over_flv_until_it_is_over(staff_page: StaffPage, team: Team, meeting: Room, confr: Confr):
    page, other = (console(staff_page("moderator", refusals=[403]), team, meeting) for _ in range(2))
    meeting.enter("bob")
    stream = meeting.publish("bob")
    watch(page, "flv")
    watch(other, "flv")
    eventually(lambda: shows_a_picture(page), what="a picture")
    assert len(pullers(confr)) == 1

    stream.process.stop()
    for each in (page, other):
        expect(each.locator(".player")).to_have_attribute("data-state", "ended")
    eventually(lambda: pullers(confr) == [], what="nobody pulls")


def test_of_sound_alone_the_loudness_is_shown(staff_page: StaffPage, team: Team, meeting: Room):
    page = console(staff_page("moderator", refusals=[403]), team, meeting)
    meeting.enter("bob")
    with meeting.publish("bob", "mic", "audio", video=False).process:
        watch(page, "flv")
        meter = page.locator("meter")
        eventually(lambda: meter.evaluate("meter => meter.value") > 30, what="a tone is heard")


def test_a_killed_gateway_comes_back_and_so_does_the_picture(
    staff_page: StaffPage, team: Team, meeting: Room, confr: Confr
):
    page = console(staff_page("moderator", refusals=GATEWAY_AWAY), team, meeting)
    meeting.enter("bob")
    with meeting.publish("bob").process:
        watch(page, "flv")
        before, killed, ffmpeg = source(page), gateway(confr), pullers(confr)
        os.kill(killed, signal.SIGKILL)

        assert psutil.wait_procs(ffmpeg, 10)[1] == []
        eventually(lambda: gateway(confr) not in {0, killed}, what="the supervisor starts it again")
        eventually(lambda: source(page) != before and shows_a_picture(page), seconds=PLAYING / 1000, what="a picture")
        expect(page.locator(".player")).to_have_attribute("data-state", "playing")


def test_where_flv_brings_nothing_hls_does(staff_page: StaffPage, team: Team, meeting: Room):
    page = console(staff_page("moderator", refusals=[*GATEWAY_AWAY, 404]), team, meeting)
    page.route(re.compile(r"/flv/"), lambda route: route.fulfill(status=502))
    meeting.enter("bob")
    with meeting.publish("bob").process:
        watch(page, "hls")
        eventually(lambda: shows_a_picture(page), what="a picture")


def test_a_kicked_member_loses_the_stream_within_a_second_or_so(meeting: Room, stage: Stage):
    meeting.enter("bob")
    meeting.enter("carol")
    stream = meeting.publish("bob")
    with stream.process:
        url = meeting.play_url("carol", stream, "flv")
        with requests.get(url, stream=True, timeout=15) as answer:
            assert answer.status_code == 200
            assert answer.raw.read(1000)
            meeting.call("POST", "/kick", memNames=["carol"])
            while answer.raw.read1(65536):
                pass
        assert requests.get(url, timeout=15).status_code == 403
