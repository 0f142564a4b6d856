"""Parts of Confr die in the middle of joins, messages and a publish. Afterwards nobody has missed anything.

`storm` checks at its end that every client heard every event of its view exactly once and in order, and that the
counters are right.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import ExitStack

import pytest

from conferences.media import ffmpeg
from tests.scenarios.faults.conftest import GRACE_SECONDS
from tests.scenarios.faults.processes import Processes
from tests.scenarios.faults.storm import storm
from tests.scenarios.stage import Stage, eventually, fails, measured

pytestmark = [pytest.mark.media, pytest.mark.server, pytest.mark.slow]

GHOST_SECONDS = GRACE_SECONDS + 15
GHOST_STREAM_SECONDS = 15
# What a player notices of a fault that is not the media server's: nothing.
HICCUP_SECONDS = 2


async def test_nothing_is_lost_when_a_web_process_is_killed(house: Stage, processes: Processes):
    async with storm(house) as raging:
        await raging.enter_goners(processes=2)
        await raging.rage(1)

        os.kill(processes.web_workers()[0], signal.SIGKILL)
        raging.strike()
        await raging.rage(3)

        out = await raging.until_goners_are_out(seconds=GHOST_SECONDS)
        measured(ghost_members_out_after=out, longest_silence=raging.longest_silence())
        assert raging.reconnects > 0
        assert raging.publisher.running
        assert raging.longest_silence() < HICCUP_SECONDS
        await asyncio.to_thread(eventually, lambda: len(processes.web_workers()) == 2)


async def test_nothing_is_lost_when_the_whole_web_server_is_killed(patient_house: Stage, processes: Processes):
    async with storm(patient_house) as raging:
        await raging.rage(1)

        gone = processes.kill("web")
        raging.strike()
        await asyncio.to_thread(processes.until_back, "web", gone)
        back = time.monotonic() - raging.struck_at
        await raging.rage(1)

        measured(back_after=back, longest_silence=raging.longest_silence())
        assert raging.reconnects >= 3
        assert raging.publisher.running
        assert raging.longest_silence() < HICCUP_SECONDS


async def test_nothing_is_lost_when_the_workers_are_killed(house: Stage, processes: Processes):
    async with storm(house) as raging:
        await raging.enter_goners()
        await raging.rage(1)

        gone = [(name, processes.kill(name)) for name in ("control", "media")]
        raging.strike()
        await raging.rage(2)
        for name, pid in gone:
            await asyncio.to_thread(processes.until_back, name, pid)

        out = await raging.until_goners_are_out(seconds=GHOST_SECONDS)
        measured(ghost_members_out_after=out)
        assert raging.reconnects == 0
        assert raging.longest_silence() < HICCUP_SECONDS


async def test_nothing_is_lost_when_redis_is_killed_and_a_kick_holds_meanwhile(house: Stage, processes: Processes):
    async with storm(house) as raging:
        await raging.enter_goners()
        stranger = await asyncio.to_thread(raging.room.offer_by_backend, "chen", "camera", "audio")
        await asyncio.to_thread(stranger.start, video=False)
        await asyncio.to_thread(stranger.until_live)
        await raging.rage(1)

        gone = processes.kill("redis")
        raging.strike()
        stopped = raging.room.call("DELETE", f"/streams/{stranger.stream_id}")
        answered = time.monotonic() - raging.struck_at
        assert stopped["state"] == "ended"
        assert fails(stranger.process, seconds=5)
        cut = time.monotonic() - raging.struck_at
        await raging.rage(2)
        await asyncio.to_thread(processes.until_back, "redis", gone)

        out = await raging.until_goners_are_out(seconds=GHOST_SECONDS)
        measured(stop_answered_after=answered, cut_after=cut, ghost_members_out_after=out)
        assert raging.reconnects == 0
        assert cut < 1
        assert raging.longest_silence() < HICCUP_SECONDS


async def test_nothing_is_lost_when_postgresql_is_restarted(house: Stage, processes: Processes):
    async with storm(house) as raging:
        await raging.enter_goners()
        await raging.rage(1)

        gone = processes.restart_postgres()
        raging.strike()
        await asyncio.to_thread(processes.until_back, "postgres", gone)
        await raging.rage(2)

        out = await raging.until_goners_are_out(seconds=GHOST_SECONDS)
        measured(ghost_members_out_after=out, longest_silence=raging.longest_silence())
        assert raging.reconnects == 0
        assert raging.publisher.running
        assert raging.longest_silence() < HICCUP_SECONDS


async def test_no_ghost_stream_stays_when_the_media_servers_worker_is_killed(
    patient_house: Stage, processes: Processes
):
    async with storm(patient_house) as raging:
        await raging.enter("dora")
        gone = await asyncio.to_thread(raging.room.offer_by_backend, "dora", "camera", "audio")
        await asyncio.to_thread(gone.start, video=False)
        await asyncio.to_thread(gone.until_live)
        await raging.rage(1)
        victim = processes.nginx_worker()

        os.kill(victim, signal.SIGKILL)
        raging.strike()
        assert fails(raging.publisher)
        assert fails(gone.process)
        await asyncio.to_thread(eventually, lambda: processes.nginx_worker() not in {0, victim})
        raging.stream.start(video=False)  # ben's app comes back with its address, dora's does not
        await asyncio.to_thread(raging.stream.until_live)
        back = time.monotonic() - raging.struck_at

        await asyncio.to_thread(eventually, lambda: not patient_house.ghosts(), seconds=GHOST_STREAM_SECONDS)
        ghostless = time.monotonic() - raging.struck_at
        measured(published_again_after=back, no_ghost_stream_after=ghostless)
        assert ghostless < GHOST_STREAM_SECONDS
        assert gone.state == "offered"
        assert raging.stream.state == "live"
        # Taken over without a fact, unless the reconciler was there first.
        added, removed = (raging.room.count(kind, raging.stream) for kind in ("stream.added", "stream.removed"))
        assert added == removed + 1
        await raging.rage(0.5)


@pytest.mark.parametrize("how", ["held_down", "hung"])
async def test_live_streams_outlast_seven_seconds_without_the_web_server(
    patient_house: Stage, processes: Processes, how: str
):
    async with storm(patient_house) as raging:
        offered = await asyncio.to_thread(raging.room.offer_by_backend, "chen", "camera", "audio")
        gone = await asyncio.to_thread(raging.room.offer_by_backend, "anna", "camera", "audio")
        await asyncio.to_thread(gone.start, video=False)
        await asyncio.to_thread(gone.until_live)
        await raging.rage(1)

        def seven_seconds() -> None:
            with getattr(processes, how)("web"):
                until = time.monotonic() + 7
                gone.process.stop()  # its goodbye is lost
                with ffmpeg.publish(offered.url, video=False) as refused:
                    assert fails(refused)
                assert offered.stat is None
                heard = raging.player.count("audio")
                while time.monotonic() < until:
                    assert raging.player.wait_for_packets(heard + 47, kind="audio", timeout=5)
                    heard = raging.player.count("audio")
                raging.strike()

        await asyncio.to_thread(seven_seconds)
        await asyncio.to_thread(eventually, patient_house.server.is_ready)
        await asyncio.to_thread(eventually, lambda: not patient_house.ghosts(), seconds=GHOST_STREAM_SECONDS)
        reconciled = time.monotonic() - raging.struck_at
        await raging.rage(1)

        measured(longest_silence=raging.longest_silence(), reconciled_after=reconciled)
        assert raging.publisher.running
        assert raging.player.running
        assert raging.longest_silence() < HICCUP_SECONDS
        assert gone.state == "offered"
        await asyncio.to_thread(offered.start, video=False)
        await asyncio.to_thread(offered.until_live)


async def test_a_kick_that_was_ordered_just_before_the_web_server_died_holds(
    patient_house: Stage, processes: Processes
):
    async with storm(patient_house) as raging:
        await raging.enter("dora")
        stream = await asyncio.to_thread(raging.room.offer_by_backend, "dora", "camera", "audio")
        await asyncio.to_thread(stream.start, video=False)
        await asyncio.to_thread(stream.until_live)
        await raging.rage(0.5)

        def kick_and_die() -> float:
            with ExitStack() as held:
                with processes.hung("nginx"):  # so that the process that is about to die can drop nobody
                    raging.room.call("POST", "/kick", memNames=["dora"])
                    held.enter_context(processes.held_down("web"))
                resumed = time.monotonic()
                assert fails(stream.process)
                return time.monotonic() - resumed

        cut = await asyncio.to_thread(kick_and_die)
        measured(cut_by_the_worker_after=cut)
        assert stream.stat is None
        with ffmpeg.publish(stream.url, video=False) as again:
            assert fails(again)
        dora = raging.followers.pop("dora")
        await dora.until_over()
        assert dora.refused == "ticket_revoked" or dora.closed_with == 4412
        await raging.rage(0.5)


def test_a_kick_whose_process_died_right_after_its_commit_is_finished_by_the_worker(
    patient_house: Stage, processes: Processes
):
    with patient_house.room("anna", "ben") as room:
        stream = room.publish("ben", kind="audio", video=False)
        with processes.held_down("web"):
            # All that such a kick leaves behind: an order that nobody has carried out.
            patient_house.rows(
                "UPDATE conferences_mediasession SET revoked_at = now() WHERE id = %s",
                patient_house.value("SELECT max(id) FROM conferences_mediasession"),
            )
            ordered = time.monotonic()
            assert fails(stream.process)
            measured(cut_by_the_worker_after=time.monotonic() - ordered)
            assert time.monotonic() - ordered < 5


def test_the_audit_is_clean_after_all_of_it(house: Stage):
    done = house.manage("verify_audit")

    assert done.returncode == 0, done.stdout + done.stderr
