"""Attendance, told from facts alone, against a clerk who looks into the room every second."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from conferences.dashboard.attendance import TOLD, Attendance, Fact, Replay, Seat, attendance

BEGIN = datetime(2026, 11, 20, 9, tzinfo=UTC)
USERS = "abc"
STEPS = ("join", "exit", "lose", "return", "role", "publish", "unpublish", "wait", "mix", "other")
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.integers(0, 7)), max_size=60)


def at(second: int) -> datetime:
    return BEGIN + timedelta(seconds=second)


@dataclass
class Clerk:
    """Plays a history, writes down the facts, and counts by looking every second."""

    second: int = 0
    serial: int = 0
    inside: dict[str, int] = field(default_factory=dict)  # user → number
    roles: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    streams: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    users: dict[int, str] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    seen: Counter = field(default_factory=Counter)
    peak: int = 0

    def tell(self, kind: str, user: str = "", **data: object) -> None:
        number = {"member": self.inside[user]} if user else {}
        self.facts.append(Fact(len(self.facts) + 1, kind, at(self.second), number | data))

    def wait(self, seconds: int) -> None:
        for user in self.inside:
            self.seen[user, "total"] += seconds
            self.seen[user, "role", self.roles[user]] += seconds
            self.seen[user, "away"] += seconds * (user in self.lost)
            self.seen[user, "published"] += seconds * bool(self.streams[user])
        self.second += seconds

    def step(self, what: str, who: int, seconds: int) -> None:
        user = USERS[who % len(USERS)]
        if what == "join" and user not in self.inside:
            self.serial += 1
            self.inside[user], self.users[self.serial], self.roles[user] = self.serial, user, 3
            self.tell("member.joined", user, role=3)
            self.peak = max(self.peak, len(self.inside))
        elif what == "other":
            self.tell("conference.muted", kinds=["audio"])
        elif what == "mix":
            self.tell("stream.added", member=0, stream={"id": "mix"})
        elif user in self.inside:
            self.change(what, user, who)
        self.wait(seconds)

    def change(self, what: str, user: str, who: int) -> None:
        stream = f"s{who % 2}"
        match what:
            case "lose":
                self.lost.add(user)
                self.tell("member.lost", user)
            case "return":  # also without having been lost: a second device
                self.lost.discard(user)
                self.tell("member.returned", user)
            case "role":
                self.roles[user] = (1, 3, 7)[who % 3]
                self.tell("role.changed", user, role=self.roles[user])
            case "publish":
                self.streams[user].add(stream)
                self.tell("stream.added", user, stream={"id": stream})
            case "unpublish":
                self.streams[user].discard(stream)
                self.tell("stream.removed", user, stream={"id": stream})
            case "exit":
                self.tell("member.exited", user, reason=0)
                self.lost.discard(user)
                self.streams[user].clear()
                del self.inside[user]


def play(history: list[tuple[str, int, int]]) -> Clerk:
    clerk = Clerk()
    for step in history:
        clerk.step(*step)
    return clerk


def added_up(clerk: Clerk) -> tuple[Replay, dict[str, Attendance]]:
    replay = Replay().run(fact for fact in clerk.facts if fact.type in TOLD)
    seats = replay.finish(at(clerk.second))
    return replay, {each.user: each for each in attendance(seats, clerk.users)}


def seconds(length: timedelta) -> int:
    return int(length.total_seconds())


@given(steps, st.booleans())
@settings(max_examples=300, deadline=None)
def test_attendance_is_what_a_clerk_sees_second_by_second(history, closes):
    clerk = play(history)
    inside = set(clerk.inside)
    if closes:
        clerk.tell("conference.closed", reason="destroyed")
    replay, found = added_up(clerk)
    assert set(found) == set(clerk.users.values())
    assert replay.peak == clerk.peak
    for user, each in found.items():
        assert seconds(each.total) == clerk.seen[user, "total"]
        assert seconds(each.away) == clerk.seen[user, "away"]
        assert seconds(each.published) == clerk.seen[user, "published"]
        assert {role: seconds(time) for role, time in each.by_role.items() if time} == {
            role: clerk.seen[user, "role", role] for role in (1, 3, 7) if clerk.seen[user, "role", role]
        }
        assert len(each.seats) == list(clerk.users.values()).count(user)
        assert (each.last_out is None) == (user in inside and not closes)


@given(steps)
@settings(max_examples=200, deadline=None)
def test_spans_lie_within_their_seat_and_do_not_overlap(history):
    _, found = added_up(play(history))
    for seat in (seat for each in found.values() for seat in each.seats):
        assert seat.length == sum((span.length for _, span in seat.roles), timedelta())
        for spans in ([span for _, span in seat.roles], seat.away, seat.published):
            edges = [seat.entered_at, *(edge for span in spans for edge in span), seat.until]
            assert edges == sorted(edges)
    for each in found.values():
        edges = [edge for seat in each.seats for edge in (seat.entered_at, seat.until)]
        assert edges == sorted(edges)


@given(steps, st.data())
@settings(max_examples=200, deadline=None)
def test_a_replay_up_to_a_fact_shows_who_was_inside_then(history, data):
    clerk = play(history)
    upto = data.draw(st.integers(0, len(clerk.facts)))
    then = Replay().run(fact for fact in clerk.facts[:upto] if fact.type in TOLD)
    joined = {f.data["member"] for f in clerk.facts[:upto] if f.type == "member.joined"}
    gone = {f.data["member"] for f in clerk.facts[:upto] if f.type == "member.exited"}
    assert set(then.inside) == joined - gone
    for number, seat in then.inside.items():
        ours = [f for f in clerk.facts[:upto] if f.data.get("member") == number and f.type.startswith("stream.")]
        last = {f.data["stream"]["id"]: f.type for f in ours}
        assert set(seat.streams) == {stream for stream, kind in last.items() if kind == "stream.added"}


def test_a_clock_that_was_set_back_makes_no_negative_time():
    facts = [
        Fact(1, "member.joined", at(10), {"member": 1, "role": 3}),
        Fact(2, "member.lost", at(4), {"member": 1}),
        Fact(3, "member.exited", at(5), {"member": 1}),
    ]
    [seat] = Replay().run(facts).finish(at(0))
    assert isinstance(seat, Seat)
    assert (seat.length, seat.left_at) == (timedelta(), at(10))
