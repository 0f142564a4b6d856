from __future__ import annotations

import os
from pathlib import Path

import pytest

from conferences.media import files, finisher
from conferences.media.finisher import Gap, NothingToFinish, Piece
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.films import BLACK, BLUE, RED, film, looks, starts_with_its_index, tones

pytestmark = pytest.mark.media


@pytest.fixture(autouse=True)
def _programs() -> None:
    require_programs()


def test_pieces_of_a_run_are_copied_into_one_file(tmp_path: Path):
    pieces = [
        Piece(film(tmp_path / f"{n}.ts", tone=tone, seconds=2, offset=2 * n), at=2 * n, seconds=2, run="1")
        for n, tone in enumerate((440, 880, 1320))
    ]
    heard: list[float] = []

    made = finisher.finish(pieces, tmp_path / "whole.mp4", on_progress=heard.append)

    assert made.seconds == pytest.approx(6, abs=0.15)
    assert (made.width, made.height, made.gaps, made.skipped) == (160, 120, (), ())
    assert starts_with_its_index(tmp_path / "whole.mp4")
    assert [tones(tmp_path / "whole.mp4", at, 440, 880, 1320) for at in (1, 3, 5)] == [{440}, {880}, {1320}]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.ts", "1.ts", "2.ts", "whole.mp4"]


def test_a_gap_keeps_what_follows_at_its_time_and_is_silent(tmp_path: Path):
    first, second = film(tmp_path / "1.ts", tone=440), film(tmp_path / "2.ts", tone=880)
    pieces = [Piece(first, at=0, seconds=3, run="1"), Piece(second, at=5, seconds=3, run="2")]

    made = finisher.finish(pieces, target := tmp_path / "whole.mp4")

    assert made.gaps == (Gap(3, 5),)
    assert made.seconds == pytest.approx(8, abs=0.2)
    assert [tones(target, at, 440, 880) for at in (2.5, 3.9, 5.3, 7.5)] == [{440}, set(), {880}, {880}]
    assert looks(target, 5.5, 80, 60, RED)


def test_a_picture_that_changes_its_size_is_put_on_one_canvas(tmp_path: Path):
    upright = film(tmp_path / "1.ts", size="120x160")
    turned = film(tmp_path / "2.ts", size="160x120", colour=BLUE, tone=880)
    pieces = [Piece(upright, at=0, seconds=3, run="1"), Piece(turned, at=3, seconds=3, run="2")]

    made = finisher.finish(pieces, target := tmp_path / "whole.mp4")

    assert (made.width, made.height) == (160, 160)
    assert made.seconds == pytest.approx(6, abs=0.2)
    assert looks(target, 1, 80, 10, RED)
    assert looks(target, 1, 5, 80, BLACK)
    assert looks(target, 4.5, 80, 10, BLACK)
    assert looks(target, 4.5, 5, 80, BLUE)
    assert [tones(target, at, 440, 880) for at in (1, 4.5)] == [{440}, {880}]


def test_a_phone_that_is_turned_within_a_run_is_put_on_one_canvas(tmp_path: Path):
    film(tmp_path / "1.ts", size="120x160")
    film(tmp_path / "2.ts", size="160x120", colour=BLUE, offset=3)
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())

    made = finisher.finish([Piece(both, at=0, seconds=6, run="1")], target := tmp_path / "whole.mp4")

    assert (made.width, made.height) == (160, 160)
    assert looks(target, 1, 80, 10, RED)
    assert looks(target, 4.5, 80, 10, BLACK)
    assert looks(target, 4.5, 5, 80, BLUE)


def test_sound_alone_has_no_picture(tmp_path: Path):
    pieces = [
        Piece(film(tmp_path / "1.ts", colour=None), at=0, seconds=3, run="1"),
        Piece(film(tmp_path / "2.ts", colour=None, tone=880), at=4, seconds=3, run="2"),
    ]

    made = finisher.finish(pieces, target := tmp_path / "whole.m4a")

    content = files.look(target)
    assert content is not None
    assert (content.video, content.sound) == ("", "aac")
    assert (made.width, made.height) == (0, 0)
    assert [tones(target, at, 440, 880) for at in (1, 3.5, 5)] == [{440}, set(), {880}]


def test_a_picture_that_comes_late_comes_late(tmp_path: Path):
    pieces = [
        Piece(film(tmp_path / "1.ts", colour=None), at=0, seconds=3, run="1"),
        Piece(film(tmp_path / "2.ts", tone=880), at=3, seconds=3, run="2"),
    ]

    made = finisher.finish(pieces, target := tmp_path / "whole.mp4")

    assert made.seconds == pytest.approx(6, abs=0.2)
    assert (made.width, made.height, made.gaps) == (160, 120, ())
    assert looks(target, 4, 80, 60, RED)
    assert [tones(target, at, 440, 880) for at in (1, 4)] == [{440}, {880}]


def test_what_cannot_be_played_is_left_out(tmp_path: Path):
    whole = film(tmp_path / "1.ts")
    cut = tmp_path / "2.ts"
    cut.write_bytes(film(tmp_path / "full.ts", tone=880).read_bytes()[:-777])
    empty, noise = tmp_path / "3.ts", tmp_path / "4.ts"
    empty.touch()
    noise.write_bytes(os.urandom(5000))
    pieces = [Piece(path, at=3.0 * n, seconds=3, run=str(n)) for n, path in enumerate((whole, cut, empty, noise))]

    made = finisher.finish(pieces, target := tmp_path / "whole.mp4")

    assert made.skipped == (empty, noise)
    assert made.seconds == pytest.approx(6, abs=0.3)
    assert tones(target, 4.5, 440, 880) == {880}
    with pytest.raises(NothingToFinish):
        finisher.finish(pieces[2:], tmp_path / "nothing.mp4")
    assert not list(tmp_path.glob("nothing*"))
