"""The console's state in the browser follows the server's: its own tests, and facts of a real room replayed in it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from accounts.errors import DomainError
from conferences.dashboard import frames
from conferences.dashboard.texts import EVENTS
from conferences.events import CATALOGUE, staff_viewer, view
from conferences.models import Kind, Member, Role, Stream
from conferences.services import members, messages, moderation, roles, streams
from conferences.services.admission import release_client
from conferences.services.conferences import destroy_conference, update_conference
from conferences.services.oversight import take_whole
from conferences.services.snapshots import facts_after
from tests import node
from tests.factories import Room, fake

SCRIPTS = Path(__file__).parent / "scripts"
STEPS, EVERY = 120, 12


def test_what_each_fact_makes_of_the_room() -> None:
    node.run("--test", str(SCRIPTS / "console.test.mjs"))


def test_every_fact_has_its_sentence() -> None:
    assert set(CATALOGUE) - {"role.answered"} <= set(EVENTS)  # that is told as granted or declined


class Story:
    """Things that may happen in a room, in any order; what is refused has not happened."""

    def __init__(self, room: Room, seed: int) -> None:
        self.room, self.random = room, random.Random(seed)
        self.known = ["alice", "bob", "carol"]
        self.publishing: list[Any] = []

    def step(self) -> None:
        act = self.random.choice([name for name in dir(self) if name.startswith("do_")])
        try:
            getattr(self, act)()
        except (DomainError, Member.DoesNotExist):
            return

    def someone(self) -> str:
        return self.random.choice(self.known)

    def kinds(self) -> list[Kind]:
        return self.random.sample(list(Kind), self.random.randint(1, 3))

    def do_enter(self) -> None:
        name = self.random.choice([f"user{number}" for number in range(12)])
        address = f"192.0.2.{self.random.randint(1, 9)}"
        self.room.enter(name, self.random.choice(list(Role)), nick_name=name.title(), device="phone", address=address)
        self.known.append(name)

    do_return = do_enter

    def do_lose(self) -> None:
        self.room.lose(self.someone())

    def do_leave(self) -> None:
        name = self.someone()
        user_id = self.room.member(name).user_id
        members.leave(actor=self.room.actor(name), confr_id=self.room.id, user_id=user_id)

    def do_mute(self) -> None:
        muted = self.random.random() < 0.6
        names = {self.someone(), self.someone()}
        moderation.mute_members(
            actor=self.room.backend, confr_id=self.room.id, names=names, kinds=self.kinds(), muted=muted
        )

    def do_mute_all(self) -> None:
        muted, newcomers = self.random.random() < 0.5, self.random.random() < 0.5
        moderation.mute_all(
            actor=self.room.backend, confr_id=self.room.id, kinds=self.kinds(), muted=muted, newcomers=newcomers
        )

    def do_kick(self) -> None:
        moderation.kick_members(
            actor=self.room.backend, confr_id=self.room.id, names=[self.someone()], allow_rejoin=True
        )

    def do_grant(self) -> None:
        role = self.random.choice(list(Role))
        roles.grant_role(actor=self.room.backend, confr_id=self.room.id, names=[self.someone()], role=role)

    def do_ask(self) -> None:
        roles.request_role(actor=self.room.actor(self.someone()), confr_id=self.room.id, role=Role.TALKER, ref="r")

    def do_answer(self) -> None:
        number = self.room.member(self.someone()).number
        roles.answer_request(
            actor=self.room.backend, confr_id=self.room.id, member=number, role=Role.TALKER, granted=False
        )

    def do_publish(self) -> None:
        self.publishing.append(self.room.publish(self.someone(), self.random.choice("abc")))

    do_publish_too = do_publish

    def do_unpublish(self) -> None:
        if self.publishing:
            release_client(fake().leave(self.publishing.pop().event))

    def do_switch(self) -> None:
        stream = Stream.objects.live().select_related("member__user").order_by("?").first()
        if stream is not None and stream.member is not None:
            streams.switch_stream(
                actor=self.room.backend,
                confr_id=self.room.id,
                user_id=stream.member.user_id,
                stream_id=stream.stream_id,
                audio_off=self.random.random() < 0.5,
            )

    def do_stop(self) -> None:
        stream = Stream.objects.live().select_related("member").order_by("?").first()
        if stream is not None:
            streams.stop_stream(actor=self.room.backend, confr_id=self.room.id, stream_id=stream.stream_id)

    def do_change(self) -> None:
        changes = {"locked": False, "max_talkers": self.random.randint(5, 12)}
        update_conference(actor=self.room.backend, confr_id=self.room.id, changes=changes)

    def do_write(self) -> None:
        values = {self.random.choice("xyz"): str(self.random.random())}
        messages.set_attributes(actor=self.room.backend, confr_id=self.room.id, values=values, delete=["z"])

    def do_say(self) -> None:
        messages.broadcast(actor=self.room.backend, confr_id=self.room.id, content="hello")


def snapshot(room: Room) -> dict[str, Any]:
    frame = orjson.loads(frames.snapshot(take_whole(room.conference.pk)))
    return {**frame["data"], "seq": frame["seq"]}


def facts_of(room: Room, seq: int) -> list[dict[str, Any]]:
    seen = [view(fact, staff_viewer()) for fact in facts_after(room.conference.pk, seq)]
    return [frames.push(each) for each in seen if each is not None]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["room", "live_room"])
def test_facts_on_a_stale_snapshot_make_a_fresh_one(request, media, kind: str, seed: int) -> None:
    room: Room = request.getfixturevalue(kind)
    story = Story(room, seed)
    stale, stories = [snapshot(room)], []
    for number in range(STEPS):
        story.step()
        if number % EVERY == 0:
            fresh = snapshot(room)
            stories += [{"stale": old, "facts": facts_of(room, old["seq"]), "fresh": fresh} for old in stale]
            stale = [*stale[-2:], fresh]
    destroy_conference(actor=room.backend, confr_id=room.id)
    stories.append({"stale": stale[-1], "facts": facts_of(room, stale[-1]["seq"]), "fresh": snapshot(room)})

    assert len(room.types()) > STEPS // 2
    assert node.run(str(SCRIPTS / "replay.mjs"), given=json.dumps({"stories": stories}))


def test_the_times_of_a_snapshot_are_cut_as_those_of_facts_are(room: Room) -> None:
    at = datetime(2026, 11, 21, 1, 2, 3, 999_700, tzinfo=UTC)
    Member.objects.filter(conference=room.conference).update(entered_at=at)
    cut = int(datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC).timestamp()) * 1000 + 999
    assert {member["entered_at"] for member in take_whole(room.conference.pk).members} == {cut}
