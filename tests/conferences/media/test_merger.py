from __future__ import annotations

import os
from pathlib import Path

import pytest

from conferences.media import layouts, merger
from conferences.media.finisher import NothingToFinish
from conferences.media.layouts import Rectangle
from conferences.media.merger import Canvas, Clip
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.films import BLACK, BLUE, GREEN, RED, film, looks, starts_with_its_index, tones

pytestmark = pytest.mark.media

SMALL = Canvas(width=320, height=240, fps=10)


@pytest.fixture(autouse=True)
def _programs() -> None:
    require_programs()


def test_members_come_and_go_at_their_times(tmp_path: Path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(os.urandom(5000))
    clips = [
        Clip(film(tmp_path / "anna.mp4", seconds=6), at=0, owner="anna"),
        Clip(film(tmp_path / "ben.mp4", colour=GREEN, tone=880, seconds=3), at=2, owner="ben"),
        Clip(film(tmp_path / "chen.mp4", colour=None, tone=1320, seconds=2), at=5, owner="chen"),
        Clip(broken, at=0, owner="dora"),
        Clip(film(tmp_path / "emma.flv", colour=BLUE, tone=None, seconds=2), at=1, owner="emma"),
    ]
    heard: list[float] = []

    made = merger.merge(clips, target := tmp_path / "merged.mp4", canvas=SMALL, on_progress=heard.append)

    assert made.skipped == (broken,)
    assert made.seconds == pytest.approx(7, abs=0.2)
    assert (made.width, made.height) == (320, 240)
    assert starts_with_its_index(target)
    assert heard == sorted(heard)
    # Three are seen: two places in the first row, one in the second.
    anna, ben, emma = (80, 60), (240, 60), (80, 180)
    assert looks(target, 0.5, *anna, RED)
    assert looks(target, 0.5, *ben, BLACK)
    assert looks(target, 3.5, *anna, RED)
    assert looks(target, 3.5, *ben, GREEN)
    assert looks(target, 5.5, *ben, BLACK)
    assert [looks(target, at, *emma, BLUE) for at in (0.5, 2, 4)] == [False, True, False]
    found = [tones(target, at, 440, 880, 1320) for at in (1, 3.5, 5.4, 6.5)]
    assert found == [{440}, {440, 880}, {440, 1320}, {1320}]


def test_a_turned_phone_keeps_its_place(tmp_path: Path):
    film(tmp_path / "1.ts", size="120x160", seconds=2)
    film(tmp_path / "2.ts", size="160x120", seconds=2, offset=2, colour=BLUE)
    turned = tmp_path / "turned.ts"
    turned.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())
    clips = [Clip(turned, at=0, owner="anna"), Clip(film(tmp_path / "ben.mp4", colour=GREEN), at=0, owner="ben")]
    places = {"anna": Rectangle(0, 0, 160, 160), "ben": Rectangle(160, 80, 160, 120)}

    made = merger.merge(clips, target := tmp_path / "merged.mp4", canvas=Canvas(320, 240, 10, places))

    assert made.seconds == pytest.approx(4, abs=0.2)
    assert looks(target, 1, 80, 10, RED)
    assert looks(target, 1, 6, 80, BLACK)
    assert looks(target, 3, 80, 10, BLACK)
    assert looks(target, 3, 6, 80, BLUE)
    assert looks(target, 2, 240, 140, GREEN)
    assert looks(target, 2, 240, 40, BLACK)


def test_who_came_back_has_one_place_and_the_speaker_the_largest(tmp_path: Path):
    once = film(tmp_path / "anna.mp4", seconds=1)
    again = film(tmp_path / "again.mp4", seconds=1, colour=BLUE)
    clips = [Clip(once, 0, "anna"), Clip(film(tmp_path / "b.mp4", colour=GREEN), 0, "ben"), Clip(again, 2, "anna")]

    merger.merge(clips, target := tmp_path / "merged.mp4", canvas=Canvas(320, 240, 10, "speaker"))

    assert looks(target, 0.5, 120, 120, RED)
    assert looks(target, 1.5, 120, 120, BLACK)
    assert looks(target, 2.5, 120, 120, BLUE)
    assert looks(target, 0.5, 280, 120, GREEN)


def test_nothing_to_merge_and_a_cancelled_merge_leave_nothing(tmp_path: Path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(NothingToFinish):
        merger.merge([Clip(empty, 0, "anna")], tmp_path / "merged.mp4")

    def cancel(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        merger.merge(
            [Clip(film(tmp_path / "a.mp4", seconds=30), 0, "anna")], tmp_path / "merged.mp4", on_progress=cancel
        )

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "empty.mp4"]


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (200, 200)])
def test_places_lie_on_the_canvas_and_none_on_another(layout: str, width: int, height: int):
    for count in range(1, 18):
        places = list(layouts.place([str(number) for number in range(count)], layout, width, height).values())
        assert len(places) == count
        assert all(place.fits(width, height) for place in places)
        assert all(place.width % 2 == place.height % 2 == 0 for place in places)
        assert not any(_overlap(one, other) for one in places for other in places if one is not other)
    assert layouts.place([], layout, width, height) == {}


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not (beside or one.y + one.height <= other.y or other.y + other.height <= one.y)
