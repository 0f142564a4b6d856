"""Conferences that live random lives beside a model of one, and stay what they should be after every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.actors import Actor
from accounts.errors import DomainError
from conferences.models import Conference, Member
from conferences.models import Stream as StreamRow
from conferences.services import admission, conferences, members, messages, moderation, roles, tickets
from conferences.services.conferences import update_conference
from conferences.services.reconcile import reconcile
from tests import factories
from tests.invariants import assert_consistent
from tests.scenarios import model
from tests.scenarios.replica import Replica

NAMES = st.sampled_from(["alice", "bob", "carol", "dora", "erin", "fred"])
WHO = st.integers(0, 5)  # one of those who are inside
ROLES = st.sampled_from([1, 3, 7])
KINDS = st.sets(st.sampled_from(["audio", "video", "desktop"]), min_size=1)
LIMITS = {"talkers": 4, "videos": 2, "audience": 2, "desktops": 1}


class Life(RuleBasedStateMachine):
    """Every rule does one thing to both, and expects the same refusal or none."""

    kind: ClassVar[int]
    robot: ClassVar[Actor]
    clock: ClassVar[time_machine.Traveller]
    held = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        factories.fake().restart()
        self.room = factories.room(self.robot, self.kind, limits=LIMITS, delay_seconds=10**6)
        self.paper = model.Room(
            hides_audience=self.kind == 12,
            limits=LIMITS,
            default_role=1 if self.kind == 12 else 3,
            total=LIMITS["talkers"] if self.kind == 10 else LIMITS["talkers"] + LIMITS["audience"],
        )
        self.replicas: dict[int, Replica] = {}

    def teardown(self) -> None:
        if not self.paper.is_over:
            conferences.destroy_conference(actor=self.robot, confr_id=self.room.id)
            assert_consistent(self.room.conference)

    def both(self, on_paper: Any, for_real: Any) -> tuple[Any, Any] | None:
        """Do it twice: both answers, or None when both refuse for the same reason."""
        expected, refusal = _outcome(on_paper)
        found, refused = _outcome(for_real)
        assert refused == refusal
        return None if refusal else (expected, found)

    @initialize()
    def some_are_inside(self):
        for name, role in (("alice", 7), ("bob", 3), ("carol", 1), ("dora", 1)):
            self.come(name, role)
        self.publish(1, "one", "")

    def inside(self, who: int) -> str:
        """The name of somebody who is inside; of an outsider when nobody is."""
        return sorted(self.paper.seats)[who % len(self.paper.seats)] if self.paper.seats else "nobody"

    @rule(name=NAMES, role=ROLES)
    def come(self, name, role):
        self.enter(self.issue(name, role))

    @rule(target=held, name=NAMES, role=st.none() | ROLES)
    def issue(self, name, role):
        return self.both(lambda: self.paper.issue(name, role), lambda: self.room.ticket(name, role))

    @rule(pair=held)
    def enter(self, pair):
        if pair is None:
            return
        ticket, issued = pair
        door = factories.entrance()
        entered = self.both(
            lambda: self.paper.enter(ticket), lambda: members.enter(ticket_text=issued.text, entrance=door)
        )
        if entered is not None:
            returned, entry = entered
            assert (entry.returned, entry.member.number) == (returned, ticket.seat.number)
            if not returned:
                self.replicas[entry.member.number] = Replica(self.room.conference.pk, entry.member.number)

    @rule(who=WHO)
    def lose(self, who):
        name = self.inside(who)
        if name in self.paper.seats:
            self.paper.lose(name)
            self.room.lose(name)

    @rule(seconds=st.sampled_from([7, 37, 301]))
    def wait(self, seconds):
        self.clock.shift(seconds)
        self.paper.now += seconds
        self.paper.sweep()
        members.sweep_lost()
        tickets.expire_tickets()

    @rule(who=WHO)
    def leave(self, who):
        name = self.inside(who)
        if name in self.paper.seats:
            members.leave(actor=self.room.actor(name), confr_id=self.room.id, user_id=self.room.member(name).user_id)
            self.paper.end([name])

    @rule(name=NAMES, may_rejoin=st.booleans())
    def kick(self, name, may_rejoin):
        done = self.both(
            lambda: self.paper.kick(name, may_rejoin=may_rejoin),
            lambda: moderation.kick_members(
                actor=self.robot, confr_id=self.room.id, names=[name], allow_rejoin=may_rejoin
            ),
        )
        assert done is None or done[1] == {name: done[0]}

    @precondition(lambda self: not self.paper.is_over)
    @rule(name=NAMES)
    def unban(self, name):
        moderation.unban_members(actor=self.robot, confr_id=self.room.id, names=[name])
        self.paper.held.discard(name)

    @rule(who=WHO, role=ROLES)
    def grant(self, who, role):
        name = self.inside(who)
        self.both(
            lambda: self.paper.grant(name, role),
            lambda: roles.grant_role(actor=self.robot, confr_id=self.room.id, names=[name], role=role),
        )

    @rule(who=WHO, kinds=KINDS, muted=st.booleans())
    def mute(self, who, kinds, muted):
        name = self.inside(who)
        names = [name] if name in self.paper.seats else []
        self.both(
            lambda: self.paper.mute(names, kinds, muted),
            lambda: moderation.mute_members(
                actor=self.robot, confr_id=self.room.id, names=[name], kinds=kinds, muted=muted
            ),
        )

    @precondition(lambda self: not self.paper.is_over)
    @rule(kinds=KINDS, muted=st.booleans(), spared=NAMES)
    def mute_all(self, kinds, muted, spared):
        moderation.mute_all(actor=self.robot, confr_id=self.room.id, kinds=kinds, muted=muted, except_names=[spared])
        self.paper.newcomers = self.paper.newcomers | kinds if muted else self.paper.newcomers - kinds
        names = [seat.name for seat in self.paper.seats.values() if seat.role < 7 and seat.name != spared]
        self.paper.mute(names, kinds, muted)

    @precondition(lambda self: not self.paper.is_over)
    @rule(locked=st.booleans())
    def lock(self, locked):
        update_conference(actor=self.robot, confr_id=self.room.id, changes={"locked": locked})
        self.paper.is_locked = locked

    @precondition(lambda self: not self.paper.is_over)
    @rule(values=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")), gone=st.sets(st.sampled_from("abc")))
    def attributes(self, values, gone):
        messages.set_attributes(actor=self.robot, confr_id=self.room.id, values=values, delete=gone)
        kept = {name: value for name, value in self.paper.attributes.items() if name not in gone}
        self.paper.attributes = kept | values

    @precondition(lambda self: not self.paper.is_over)
    @rule(who=WHO, rtc_id=st.sampled_from(["one", "two"]), kind=st.sampled_from(["audio", "video", "desktop", ""]))
    def publish(self, who, rtc_id, kind):
        name = self.inside(who)
        offered = self.both(lambda: self.paper.offer(name, rtc_id, kind), lambda: self.room.offer(name, rtc_id, kind))
        if offered is None or offered[0].is_live:
            return
        stream, (row, key) = offered
        event = factories.fake().ask("publish", row.media_name, key)
        if self.both(lambda: self.paper.publish(stream), lambda: admission.admit_publisher(event)) is not None:
            factories.fake().admit(event)

    @rule(who=WHO)
    def unpublish(self, who):
        live = [(key, stream) for key, stream in self.paper.streams.items() if stream.is_live]
        if not live:
            return
        (name, rtc_id), stream = live[who % len(live)]
        self.paper.unpublish(stream)
        row = StreamRow.objects.live().get(conference=self.room.conference, member__user__name=name, rtc_id=rtc_id)
        session = row.sessions.get(action="publish", closed_at=None, revoked_at=None)
        event = factories.fake().ask("unpublish", row.media_name, "")
        admission.release_client(replace(event, client_id=session.client_id, boot_id=session.boot_id))

    @rule()
    def media_server_restarts(self):
        factories.fake().restart()
        self.clock.shift(7)
        self.paper.now += 7
        for stream in self.paper.streams.values():
            self.paper.unpublish(stream)
        reconcile()

    @invariant()
    def the_real_one_is_as_on_paper(self):
        row = self.room.row
        assert (row.state == "closed") == self.paper.is_over
        seated = Member.objects.seated().select_related("user").filter(conference=row)
        assert {
            (each.user.name, each.number, each.role, tuple(each.muted), each.state == "reconnecting") for each in seated
        } == {
            (seat.name, seat.number, seat.role, tuple(sorted(seat.muted)), seat.lost_at is not None)
            for seat in self.paper.seats.values()
        }
        streams = StreamRow.objects.open().select_related("member__user").filter(conference=row)
        assert {
            (factories.some(each.member).user.name, each.rtc_id, each.kind, each.state, each.seat) for each in streams
        } == {
            (name, rtc_id, stream.kind, "live" if stream.is_live else "offered", stream.seat)
            for (name, rtc_id), stream in self.paper.streams.items()
        }
        assert row.attributes == self.paper.attributes
        assert_consistent(row)

    @invariant()
    def whoever_follows_the_facts_believes_what_a_snapshot_says(self):
        seated = {seat.number for seat in self.paper.seats.values()}
        for number, replica in list(self.replicas.items()):
            replica.follow()
            if number in seated:
                assert replica.believes == replica.truth()
            else:
                del self.replicas[number]


def _outcome(act: Any) -> tuple[Any, str]:
    """What it answered, or the code of the refusal."""
    try:
        return act(), ""
    except model.Refusal as refusal:
        return None, str(refusal)
    except DomainError as error:
        return None, error.code


@pytest.mark.timeout(600)  # when it fails, it looks for the shortest way to fail
@pytest.mark.parametrize("kind", [10, 11, 12])
def test_a_conference_lives_as_on_paper(robot, media, clock, kind):
    machine = type("LifeOfType", (Life,), {"kind": kind, "robot": robot, "clock": clock})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert Conference.objects.exists()
