"""The picture of a mix: places with layers on a background, painted anew for every frame.

Pictures are planar YUV 4:2:0, the form in which ffmpeg takes and gives them; all sides are even.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from conferences.media.scene import Tile

Plane = npt.NDArray[np.uint8]


class Frame:
    """One picture as a flat buffer, and its three planes as views into it."""

    def __init__(self, width: int, height: int, buffer: Plane | None = None) -> None:
        pixels = width * height
        self.buffer: Plane = np.zeros(frame_bytes(width, height), np.uint8) if buffer is None else buffer
        luma, blue, red = np.split(self.buffer, (pixels, pixels + pixels // 4))
        self.planes = (
            luma.reshape(height, width),
            blue.reshape(height // 2, width // 2),
            red.reshape(height // 2, width // 2),
        )


def frame_bytes(width: int, height: int) -> int:
    return width * height * 3 // 2


class Canvas:
    """Paints pictures on a background of one colour (`0xRRGGBB`)."""

    def __init__(self, width: int, height: int, background: int) -> None:
        self._width, self._height = width, height
        self._empty = Frame(width, height)
        for plane, value in zip(self._empty.planes, _yuv(background), strict=True):
            plane.fill(value)

    def paint(self, pictures: Iterable[tuple[Tile, Frame]]) -> Frame:
        """A new frame with these pictures in their places, the lower layers first."""
        frame = Frame(self._width, self._height, self._empty.buffer.copy())
        for tile, picture in sorted(pictures, key=lambda pair: pair[0].layer):
            place = tile.rectangle
            for plane, (target, source) in enumerate(zip(frame.planes, picture.planes, strict=True)):
                x, y, width, height = (side >> bool(plane) for side in (place.x, place.y, place.width, place.height))
                target[y : y + height, x : x + width] = _resized(source, width, height)
        return frame


def _resized(plane: Plane, width: int, height: int) -> Plane:
    """By nearest neighbours: only while a place has a new size and its decoder does not know yet."""
    if plane.shape == (height, width):
        return plane
    rows = np.arange(height) * plane.shape[0] // height
    columns = np.arange(width) * plane.shape[1] // width
    resized: Plane = plane[rows[:, None], columns]
    return resized


def _yuv(rgb: int) -> tuple[int, int, int]:
    """A colour as television (BT.601, limited range) stores it."""
    red, green, blue = rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255
    luma = 16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256
    chroma_blue = 128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256
    chroma_red = 128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256
    return round(luma), round(chroma_blue), round(chroma_red)
