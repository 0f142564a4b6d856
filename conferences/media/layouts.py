"""Where pictures lie on a canvas. All sides are even: that is how the pictures' colours are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place on a canvas, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    def fits(self, width: int, height: int) -> bool:
        """Whether it lies within a canvas and can be seen."""
        within = self.x >= 0 and self.y >= 0 and self.x + self.width <= width and self.y + self.height <= height
        return within and self.width >= 2 and self.height >= 2


def grid(count: int, width: int, height: int) -> list[Rectangle]:
    """Equal places in rows, in the numbers of columns that leaves them the largest squares."""
    columns = max(range(1, count + 1), key=lambda n: min(width / n, height / ceil(count / n)), default=1)
    return _rows(count, columns, Rectangle(0, 0, width, height))


def speaker(count: int, width: int, height: int) -> list[Rectangle]:
    """A large place for the first, and a strip at the lower or right edge for the others."""
    if count < 2:
        return grid(count, width, height)
    if width >= height:
        strip = _even(width / 4)
        large = Rectangle(0, 0, width - strip, height)
        others = _rows(count - 1, 1, Rectangle(width - strip, 0, strip, height))
    else:
        strip = _even(height / 4)
        large = Rectangle(0, 0, width, height - strip)
        others = _rows(count - 1, count - 1, Rectangle(0, height - strip, width, strip))
    return [large, *others]


LAYOUTS = {"grid": grid, "speaker": speaker}


def place(owners: Sequence[str], layout: str, width: int, height: int) -> dict[str, Rectangle]:
    """The place of each owner in a layout of `LAYOUTS`."""
    return dict(zip(owners, LAYOUTS[layout](len(owners), width, height), strict=True))


def _rows(count: int, columns: int, area: Rectangle) -> list[Rectangle]:
    rows = max(1, ceil(count / columns))
    width, height = _even(area.width / columns), _even(area.height / rows)
    return [
        Rectangle(area.x + number % columns * width, area.y + number // columns * height, width, height)
        for number in range(count)
    ]


def _even(length: float) -> int:
    return int(length) // 2 * 2
