"""The cast of a lively server: rooms with a history, and rooms where something happens. Over the public wire only."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from conferences.management.demo import Backend, Json, Member, NotAsPromised, Refused, Report
from conferences.media import ffmpeg
from conferences.models import ConferenceType, Role

PEOPLE = (
    "anna", "ben", "chen", "dora", "emil", "fatima", "gao", "hana", "ivan", "jun", "karl", "lin", "mei", "nora",
    "otto", "ping", "qiang", "rosa", "shan", "tao", "ute", "vera", "wang", "xiu", "yan", "zoe",
)  # fmt: skip
PAST = ("Monday stand-up", "英语口语 第三课", "Product review", "家长会")
LIVE = (
    ("三年级数学 第 12 课", ConferenceType.COMMUNICATION_MIX),
    ("Design critique", ConferenceType.COMMUNICATION_MIX),
    ("新品发布直播", ConferenceType.LIVE),
    ("Support desk", ConferenceType.COMMUNICATION),
    ("钢琴公开课", ConferenceType.LIVE),
    ("Weekly planning", ConferenceType.COMMUNICATION),
)
PICTURES = ("testsrc2", "smptehdbars", "gradients", "yuvtestsrc", "testsrc", "rgbtestsrc")
CHAT = (
    "Good morning!",
    "能听到吗？",
    "The slide is a bit small.",
    "好的，谢谢老师",
    "One moment, please.",
    "👍",
    "下节课几点？",
)
SILENT_PEOPLE = 2  # of each room: they talk, and do not publish
SIZE, FPS = "320x180", 10
PAUSE_SECONDS = 1.5


@dataclass
class Scene:
    """A live room: its members inside, and the tickets by which others may enter."""

    confr_id: str
    type: ConferenceType
    inside: dict[str, Member] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/conferences/{self.confr_id}"


class Seed:
    """Makes rooms and keeps them lively. The same `seed` does the same; everything started ends with `stack`."""

    def __init__(self, backend: Backend, report: Report, stack: ExitStack, *, seed: int = 1) -> None:
        self._backend, self._report, self._stack = backend, report, stack
        self._random = random.Random(seed)  # noqa: S311 nothing secret
        self.scenes: list[Scene] = []

    def past(self) -> None:
        """Rooms that are over: people came, talked, went and came back; somebody was kicked, somebody banned."""
        for name in PAST:
            scene = self._open(name, ConferenceType.COMMUNICATION_MIX)
            people = self._people(5)
            for person in people:
                self._enter(scene, person)
            for _ in range(6):
                self._chat(scene)
            self._leave(scene, people[-1])
            self._enter(scene, people[-1])
            self._backend.call("POST", f"{scene.path}/kick", memNames=[people[2]], reason="advertising")
            self._backend.call("DELETE", scene.path)
            for member in scene.inside.values():
                member.close()
            self._report.step(f"{name}: {len(people)} people, over")
        with suppress(Refused):  # banned already by an earlier run
            self._backend.call("POST", "/bans", memNames=["spammer"], reason="spam", note="Seen in three rooms.")
            self._backend.call("POST", "/bans", network="203.0.113.0/24", reason="a farm of bots")

    def present(self, rooms: int, streams: int) -> None:
        """Rooms with members inside, `streams` of whom publish; the first room is recorded."""
        for number in range(rooms):
            name, kind = LIVE[number % len(LIVE)]
            scene = self._open(name, kind, rec=number == 0, recMerge=number == 0)
            self.scenes.append(scene)
            for person in self._people(4 + number % 4):
                self._enter(scene, person)
            self._report.step(f"{name}: {len(scene.inside)} people inside")
        for number in range(streams):
            self._publish(self.scenes[number % rooms], PICTURES[number % len(PICTURES)])

    def live(self, seconds: float) -> None:
        """Let something happen every moment, for so long."""
        acts: list[Callable[[Scene], None]] = [self._chat, self._chat, self._come, self._go, self._raise_hand]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            act, scene = self._random.choice(acts), self._random.choice(self.scenes)
            # Whoever looks on may have kicked, locked or ended what we act in: that is what it is for.
            with suppress(Refused, NotAsPromised, OSError):
                act(scene)
            time.sleep(PAUSE_SECONDS)

    def _people(self, count: int) -> list[str]:
        return self._random.sample(PEOPLE, count)

    def _open(self, name: str, kind: ConferenceType, **wishes: bool) -> Scene:
        """A name that is taken, as by an earlier run, gets a number."""
        for number in range(1, 100):
            title = name if number == 1 else f"{name} ({number})"
            with suppress(Refused):
                created = self._backend.call("POST", "/conferences", name=title, confrType=kind, **wishes)
                return Scene(created["confrId"], kind)
        raise NotAsPromised(f"no conference with the name {name} could be made")

    def _enter(self, scene: Scene, person: str) -> None:
        role = Role.TALKER if scene.inside else Role.ADMIN
        if scene.type == ConferenceType.LIVE and len(scene.inside) > SILENT_PEOPLE:
            role = Role.AUDIENCE
        ticket: Json = self._backend.call("POST", f"{scene.path}/tickets", memName=person, role=role)
        member = self._stack.enter_context(Member(person, ticket["url"], ticket["ticket"]))
        scene.inside[person] = member

    def _leave(self, scene: Scene, person: str) -> None:
        scene.inside.pop(person).ask("exit")

    def _publish(self, scene: Scene, picture: str) -> None:
        talkers = [person for person in scene.inside.values() if person.snapshot["role"] >= Role.TALKER]
        member = self._random.choice(talkers)
        push = member.ask("pubStream", rtcId=picture, kind="video")
        self._stack.enter_context(ffmpeg.publish(push["rtmp"], size=SIZE, fps=FPS, picture=picture))
        self._report.step(f"{member.name} publishes {picture}")

    def _chat(self, scene: Scene) -> None:
        member = self._random.choice(list(scene.inside.values()))
        member.ask("sendBroadcast", content=self._random.choice(CHAT))

    def _come(self, scene: Scene) -> None:
        self._enter(scene, self._random.choice([person for person in PEOPLE if person not in scene.inside]))

    def _go(self, scene: Scene) -> None:
        """Never the first ones, so that no room ends."""
        later = list(scene.inside)[4:]
        if later:
            self._leave(scene, self._random.choice(later))

    def _raise_hand(self, scene: Scene) -> None:
        member = list(scene.inside.values())[-1]
        higher = Role.ADMIN if member.snapshot["role"] >= Role.TALKER else Role.TALKER
        member.ask("requestRole", role=higher)
