"""Pictures: every bar is within its picture, and lanes say what the attendance says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from conferences.dashboard.attendance import Fact, Replay, attendance
from conferences.dashboard.drawing import LABELS, MOST_TICKS, WIDTH, columns, lanes
from conferences.dashboard.history import Day

BEGIN = datetime(2026, 11, 20, 9, 7, 3, tzinfo=UTC)


def facts(stays: list[tuple[int, int]]) -> list[Fact]:
    told = []
    for number, (begin, length) in enumerate(stays, start=1):
        told.append((begin, "member.joined", {"member": number, "role": 3}))
        told.append((begin + length, "member.exited", {"member": number}))
    told.sort(key=lambda each: each[0])
    return [Fact(seq, kind, BEGIN + timedelta(seconds=at), data) for seq, (at, kind, data) in enumerate(told)]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_lanes_are_within_the_picture_and_true_to_scale(stays):
    end = BEGIN + timedelta(seconds=max(begin + length for begin, length in stays))
    people = attendance(Replay().run(facts(stays)).finish(end), {n: f"user {n}" for n in range(1, 9)})
    picture = lanes(people, BEGIN, end)
    assert [lane.label for lane in picture.lanes] == [each.user for each in people]
    per_second = (WIDTH - LABELS) / (end - BEGIN).total_seconds()
    for lane, each in zip(picture.lanes, people, strict=True):
        for bar in lane.bars:
            assert LABELS <= bar.x < bar.x + bar.width <= WIDTH + 1
            assert 0 <= bar.y < bar.y + bar.height <= picture.height
        assert abs(sum(bar.width for bar in lane.bars) - each.total.total_seconds() * per_second) <= 2
    assert len(picture.ticks) <= MOST_TICKS + 1
    assert len({tick.label for tick in picture.ticks}) == len(picture.ticks)
    assert all(BEGIN <= tick.at <= end and LABELS <= tick.x <= WIDTH for tick in picture.ticks)


def test_a_moment_is_a_picture_too_and_long_names_are_cut():
    told = facts([(0, 0)])
    people = attendance(Replay().run(told).finish(BEGIN), {1: "x" * 100})
    picture = lanes(people, BEGIN, BEGIN)
    assert [bar.width for bar in picture.lanes[0].bars] == [1]
    assert picture.lanes[0].label == "x" * 23 + "…"


@given(st.dictionaries(st.integers(0, 365), st.integers(1, 10**6), max_size=30))
def test_a_column_per_day_is_as_tall_as_its_conferences_are_many(counts):
    days = [
        Day(date(2026, 1, 1) + timedelta(days=offset), count, 0, 0, timedelta(), timedelta())
        for offset, count in sorted(counts.items())
    ]
    drawn = columns(days, date(2026, 1, 1), date(2027, 1, 1))
    assert [column.day for column in drawn] == days
    for column in drawn:
        assert 0 <= column.x < column.x + column.width <= WIDTH
        assert column.y + column.height == 120
    by_count = sorted(drawn, key=lambda column: column.day.conferences)
    assert [column.height for column in by_count] == sorted(column.height for column in drawn)
