"""What a mix shows, and what comes out of it. Apart from the mixer, whose numerics nobody else need load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from conferences.media.layouts import Rectangle

Fit = Literal["fit", "fill"]


@dataclass(frozen=True, slots=True)
class Output:
    """What comes out of a mix. It stays as it is for as long as the mix runs. `bitrate` is the picture's, in bit/s."""

    width: int
    height: int
    fps: int
    bitrate: int


@dataclass(frozen=True, slots=True)
class Tile:
    """Where an input is seen. A greater layer lies above; "fit" shows all of a picture, "fill" all of the place."""

    rectangle: Rectangle
    layer: int = 0
    fit: Fit = "fit"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be seen: the inputs with their places, and the colour of the background (`0xRRGGBB`)."""

    tiles: Mapping[str, Tile]
    background: int = 0
