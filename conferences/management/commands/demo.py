"""The main job, played against a running server with real publishers and players."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from conferences.management.demo import Backend, Json, Member, NotAsPromised, Refused, Report
from conferences.media import ffmpeg
from conferences.models import ConferenceType, Role

SILENCE_SECONDS = 1.0  # what a kick promises
FILES_SECONDS = 90.0
MIX_SECONDS = 30.0
MIXED_PICTURES = 60
NAMES = ("anna", "ben", "chen", "dora")


class Command(BaseCommand):
    help = (
        "Play the main job against the running server: create, enter, publish, play, promote, mute, kick, "
        "every door that the kicked one tries, a mix, and the recordings. The last line is JSON; exits with 1 when a "
        "promise is broken."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        report = Report(self.stdout.write)
        failure = ""
        try:
            with ExitStack() as stack:
                Play(report, stack).run()
        except (NotAsPromised, Refused, ffmpeg.FfmpegFailed, requests.ConnectionError, OSError) as error:
            failure = f"{type(error).__name__}: {error}"
        self.stdout.write(json.dumps({"ok": not failure, **report.measured, **({"error": failure} if failure else {})}))
        if failure:
            raise CommandError(failure)


class Play:
    """One conference from its creation to its end. Everything started is in `stack` and ends with it."""

    def __init__(self, report: Report, stack: ExitStack) -> None:
        self.report, self.stack = report, stack
        path = settings.VAR_DIR / "demo.json"
        if not path.exists():
            raise NotAsPromised(f"there is no {path}: start the server first, with the same CONFR_VAR")
        demo: Json = json.loads(path.read_text())
        self.url: str = demo["url"]
        self.backend = Backend(self.url, demo["api_key"])
        self.players: dict[str, ffmpeg.Player] = {}
        self.members: dict[str, Member] = {}
        self.ticket: dict[str, Json] = {}

    def run(self) -> None:
        self.create()
        self.enter()
        self.publish()
        self.mix()
        self.promote_and_mute()
        self.kick()
        self.try_every_door()
        self.destroy()
        self.play_recordings()

    def create(self) -> None:
        created = self.backend.call(
            "POST", "/conferences", confrType=ConferenceType.LIVE, creator="anna", name="", rec=True, recMerge=True
        )
        self.confr_id: str = created["confrId"]
        self.room = f"/conferences/{self.confr_id}"
        self.ticket["anna"] = created
        self.report.step(f"created {self.confr_id}, type LIVE, recorded, password {created['password']}")
        for name, role in (("ben", Role.TALKER), ("chen", Role.AUDIENCE), ("dora", Role.TALKER)):
            self.ticket[name] = self.backend.call("POST", f"{self.room}/tickets", memName=name, role=role)
        self.report.step("issued tickets to ben (talker), chen (audience) and dora (talker)")

    def enter(self) -> None:
        for name in NAMES:
            ticket = self.ticket[name]
            member = self.stack.enter_context(Member(name, ticket["url"], ticket["ticket"]))
            self.members[name] = member
            self.report.step(f"{name} entered with role {member.snapshot['role']}")
        self.members["anna"].expect("onMemberJoined", memName="dora")
        self.report.step("anna was told of dora")

    def publish(self) -> None:
        """Ben publishes, dora and anna play; what the others are told comes from the media server's hook."""
        started = time.monotonic()
        self.push = self.members["ben"].ask("pubStream", rtcId="camera", kind="video")
        self.publisher = self.stack.enter_context(ffmpeg.publish(self.push["rtmp"]))
        told = self.members["anna"].expect("onStreamAdded", streamId=self.push["streamId"])
        self.measure("publish_to_told_ms", told - started)
        self.report.step(f"ben publishes {self.push['streamId']}; anna was told")
        for name in ("anna", "dora"):
            urls = self.members[name].ask("subStream", streamId=self.push["streamId"])
            player = self.stack.enter_context(ffmpeg.play(urls["rtmp"]))
            self.players[name] = player
            seen = player.wait_for_packets(20, kind="video", timeout=15)
            self.report.require(seen, f"{name} plays ben's stream: {player.count('video')} pictures so far")
        self.urls_of_dora = urls

    def mix(self) -> None:
        """What is live becomes one stream, at a steady rate."""
        wish = {"layout": "grid", "width": 320, "height": 320, "fps": 15, "bitrate": 300_000}
        mix = self.backend.call("POST", f"{self.room}/mixes", **wish)
        self.members["anna"].expect("onStreamAdded", streamId=mix["streamId"], timeout=MIX_SECONDS)
        with ffmpeg.play(mix["play"]["rtmp"]) as player:
            seen = player.wait_for_packets(MIXED_PICTURES, kind="video", timeout=MIX_SECONDS)
            self.report.require(seen, f"{mix['streamId']} plays: {player.count('video')} pictures so far")
            self.report.measured["mix_fps"] = _rate(player, MIXED_PICTURES)
        self.backend.call("DELETE", f"{self.room}/mixes/{mix['mixId']}")
        self.members["anna"].expect("onStreamRemoved", streamId=mix["streamId"])
        self.report.step("the mix was stopped, and its stream left the room")

    def promote_and_mute(self) -> None:
        self.backend.call("POST", f"{self.room}/roles", memNames=["chen"], role=Role.TALKER)
        self.members["ben"].expect("onMemberJoined", memName="chen")
        self.report.step("chen was promoted to talker; only now ben hears of chen, since LIVE hides its audience")
        sound = self.members["chen"].ask("pubStream", rtcId="microphone", kind="audio")
        talker = self.stack.enter_context(ffmpeg.publish(sound["rtmp"], video=False))
        self.members["anna"].expect("onStreamAdded", streamId=sound["streamId"])
        self.report.step("chen publishes sound")
        muted_at = time.monotonic()
        self.backend.call("POST", f"{self.room}/mute", memNames=["chen"], kinds=["audio"], muted=True)
        self.members["anna"].expect("onStreamRemoved", streamId=sound["streamId"])
        self.wait_for_end(talker, "chen's microphone")
        self.measure("mute_to_cut_ms", time.monotonic() - muted_at)
        self.report.step("chen was muted, and the media server cut the stream")
        self.report.refused(
            "chen wants to publish sound again", lambda: self.members["chen"].ask("pubStream", rtcId="m2", kind="audio")
        )

    def kick(self) -> None:
        """Ben publishes and dora plays; both are kicked. Silence is measured where it counts: at the players."""
        called = time.monotonic()
        answer = self.backend.call("POST", f"{self.room}/kick", memNames=["ben", "dora"], reason="demo")
        self.measure("kick_call_ms", time.monotonic() - called)
        self.report.require(all(row["kicked"] for row in answer["members"]), "ben and dora were kicked")
        for name in ("ben", "dora"):
            self.report.require(self.members[name].expect_close() == 4412, f"{name}'s socket was closed with 4412")
        self.wait_for_end(self.publisher, "ben's publisher")
        silence = 0.0
        for name in ("anna", "dora"):
            player = self.players[name]
            self.wait_for_end(player, f"{name}'s player")
            silence = max(silence, (player.last_at or called) - called)
        self.measure("kick_to_silence_ms", silence)
        self.report.require(silence < SILENCE_SECONDS, f"silence {silence * 1000:.0f} ms after the call")
        self.members["anna"].expect("onMemberExited", memName="ben", reason=12)
        self.report.step("anna was told: ben exited, reason 12")

    def try_every_door(self) -> None:
        ben = self.ticket["ben"]
        self.report.refused("ben's old ticket", lambda: Member("ben", ben["url"], ben["ticket"]))
        self.report.refused(
            "a new ticket for ben", lambda: self.backend.call("POST", f"{self.room}/tickets", memName="ben")
        )
        as_ben = Backend(self.url, ben["roleToken"])
        self.report.refused(
            "ben's role token", lambda: as_ben.call("POST", f"{self.room}/attributes", attrs={"a": "b"})
        )
        with ffmpeg.publish(self.push["rtmp"]) as again:
            self.wait_for_end(again, "ben's second publisher")
        self.report.step("refused: ben's old push address")
        for protocol, url in self.urls_of_dora.items():
            if protocol in {"rtmp", "hls", "flv"}:
                self.require_dead(protocol, url)

    def require_dead(self, protocol: str, url: str) -> None:
        try:
            ffmpeg.probe(url, seconds=0.5, timeout=6)
        except ffmpeg.FfmpegFailed:
            self.report.step(f"refused: dora's old {protocol} address")
        else:
            raise NotAsPromised(f"dora's {protocol} address still plays")

    def destroy(self) -> None:
        self.destroyed = time.monotonic()
        self.backend.call("DELETE", self.room)
        for name in ("anna", "chen"):
            self.report.require(self.members[name].expect_close() == 4410, f"{name} was told that it is over (4410)")

    def play_recordings(self) -> None:
        """A file of each stream, and one of all together, which is made when the others are there."""
        merged = self.wait_for_merged("processing", "ready")
        began = time.monotonic()
        merged = self.wait_for_merged("ready")
        self.report.measured["recording_ready_s"] = round(time.monotonic() - self.destroyed, 1)
        seconds = merged["durationMillis"] / 1000
        self.report.measured["merged_duration_s"] = round(seconds, 1)
        self.report.measured["merge_speed_x"] = round(seconds / max(time.monotonic() - began, 0.1), 1)
        frames = ffmpeg.probe(merged["url"]).frames
        self.report.require(frames, f"the merged recording plays: {seconds:.1f} s, {merged['size']} bytes")

    def wait_for_merged(self, *states: str) -> Json:
        deadline = time.monotonic() + FILES_SECONDS
        while time.monotonic() < deadline:
            found: list[Json] = self.backend.call("GET", f"{self.room}/recordings")["items"]
            for recording in found:
                if recording["state"] == "failed":
                    raise NotAsPromised(f"recording {recording['recordingId']} failed: {recording['code']}")
                if recording["kind"] == "merged" and recording["state"] in states:
                    return recording
            time.sleep(0.1)
        raise NotAsPromised(f"the merged recording is not {states[0]} after {FILES_SECONDS:.0f} s")

    def wait_for_end(self, process: ffmpeg.Process, what: str) -> None:
        deadline = time.monotonic() + 5
        while process.running:
            if time.monotonic() > deadline:
                raise NotAsPromised(f"{what} still runs after 5 s")
            time.sleep(0.01)

    def measure(self, name: str, seconds: float) -> None:
        self.report.measured[name] = round(seconds * 1000)


def _rate(player: ffmpeg.Player, last: int) -> float:
    """Pictures in a second, of the last so many; those before came all at once."""
    pictures = [packet.at for packet in player.packets if player.tracks.get(packet.track) == "video"][-last // 2 :]
    return round((len(pictures) - 1) / (pictures[-1] - pictures[0]), 1)
