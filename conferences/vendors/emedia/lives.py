"""emedia's "lives" are our mixes: many streams become one. The vendor pushes it to a CDN, Confr does not."""

from __future__ import annotations

import re

from conferences.errors import MixNotFound
from conferences.models import Mix
from conferences.services import mixes
from conferences.services.mixes import BITRATES, FPS, Input, Picture
from conferences.vendors.base import Json
from conferences.vendors.emedia.views import Call, call
from conferences.vendors.fields import Fields

NO_RELAY = -530
COLOUR = re.compile(r"(?:#|0[xX])?([0-9A-Fa-f]{6})")
STYLES = ("fill", "AspectFit")
LARGEST = 10_000


@call("POST")
def add_live(call: Call) -> Json:
    """Begin a mix. GRID shows everybody who is live; CUSTOM what its regions say."""
    here, wish = call.moderator(), call.body.nested("liveCfg") or Fields({})
    if wish.text("cdn", 1000):
        return {"error": NO_RELAY, "errorMessage": "Confr pushes to no CDN: leave `cdn` out, and play the stream."}
    custom = wish.text("layoutStyle") == "CUSTOM"
    mix = mixes.start_mix(
        **here,
        picture=_picture(wish.nested("canvas") or Fields({})),
        layout="" if custom else Mix.Layout.GRID.value,
        inputs=_inputs(wish) if custom else (),
        background=_background(wish.nested("canvas") or Fields({})),
    )
    play = mixes.play_urls(mix)
    return {"liveId": str(mix.pk), "streamId": mix.stream.stream_id, **play}


@call("POST")
def change_layout(call: Call) -> Json:
    """Give a mix regions; from then on it is CUSTOM."""
    here = call.moderator()
    mixes.update_mix(**here, mix_id=_live_id(call), layout=Mix.Layout.CUSTOM.value, inputs=_inputs(call.body))
    return {}


@call("DELETE", "POST")
def delete_live(call: Call) -> Json:
    here = call.moderator()
    mixes.stop_mix(**here, mix_id=_live_id(call))
    return {}


def _live_id(call: Call) -> int:
    text = call.body.needed("liveId")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise MixNotFound()
    return int(text)


def _picture(canvas: Fields) -> Picture:
    usual = Picture()
    return Picture(
        width=canvas.whole("w", 0, LARGEST) or usual.width,
        height=canvas.whole("h", 0, LARGEST) or usual.height,
        fps=canvas.whole("fps", *FPS) or usual.fps,
        bitrate=canvas.whole("bps", *BITRATES) or usual.bitrate,
    )


def _background(canvas: Fields) -> int:
    """A colour as a number, or as `#rrggbb`."""
    text = canvas.text_if_any("bgclr")
    if not text:
        return canvas.whole("bgclr", 0, 0xFFFFFF) or 0
    colour = COLOUR.fullmatch(text)
    if colour is None:
        raise canvas.wrong("bgclr")
    return int(colour[1], 16)


def _inputs(body: Fields) -> list[Input]:
    return [
        Input(
            stream=region.needed("sid"),
            x=region.whole("x", 0, LARGEST) or 0,
            y=region.whole("y", 0, LARGEST) or 0,
            width=region.whole("w", 0, LARGEST) or 0,
            height=region.whole("h", 0, LARGEST) or 0,
            layer=region.whole("zorder", 0, 100) or 0,
            fit="fill" if region.one_of("style", STYLES) == "fill" else "fit",
        )
        for region in body.list_of("regions")
    ]
