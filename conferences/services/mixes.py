"""Mixes: started, changed, stopped; and what the mixer asks and tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from accounts.actors import Actor, system
from conferences.errors import MixInputsMissing, MixLayoutInvalid, MixLimitReached, MixNotFound
from conferences.events import Change, changing, changing_id
from conferences.media import keys
from conferences.media.base import PlayUrls, media_server
from conferences.media.layouts import Rectangle, place
from conferences.media.scene import Fit, Scene, Tile
from conferences.models import Conference, Kind, Mix, Stream, StreamType, new_media_name
from conferences.permissions import Action
from conferences.services.access import authorise, find_readable
from conferences.services.streams import KEY_LIFE, describe, end_streams

MAX_INPUTS = 16
SIDES, FPS, BITRATES = (64, 1920), (5, 30), (100_000, 8_000_000)


@dataclass(frozen=True, slots=True)
class Input:
    """One input and its place; the place does not count where a layout says it."""

    stream: str
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    layer: int = 0
    fit: Fit = "fit"


@dataclass(frozen=True, slots=True)
class Picture:
    """What the output looks like: fixed for the life of a mix. `bitrate` in bit/s."""

    width: int = 720
    height: int = 1280
    fps: int = 15
    bitrate: int = 800_000


def start_mix(
    *,
    actor: Actor,
    confr_id: str,
    picture: Picture = Picture(),
    inputs: Sequence[Input] = (),
    layout: str = "",
    background: int = 0,
    reason: str = "",
) -> Mix:
    """Make one stream of many. It is in the room when the media server says that it is published.

    Raises: NotAllowed, ConferenceClosed, MixLayoutInvalid, MixInputsMissing, MixLimitReached.
    Records: mix.started.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.MIX)
        _require_sense(picture, inputs, layout)
        missing = _missing(change.conference, inputs)
        _require_room()
        stream = Stream.objects.create(
            conference=change.conference,
            rtc_id=f"mix-{change.conference.mixes.count() + 1}",
            type=StreamType.MIX,
            kind=Kind.VIDEO,
            media_name=new_media_name(change.conference),
        )
        mix = Mix.objects.create(
            conference=change.conference,
            stream=stream,
            layout=layout,
            background=background,
            inputs=[asdict(each) for each in inputs],
            missing=missing,
            **asdict(picture),
        )
        change.record("mix.started", actor, data=_told(mix), after=_look(mix), reason=reason)
    return mix


def update_mix(
    *,
    actor: Actor,
    confr_id: str,
    mix_id: int,
    inputs: Sequence[Input] | None = None,
    layout: str | None = None,
    background: int | None = None,
    reason: str = "",
) -> Mix:
    """Change what a running mix shows, without an interruption; None leaves it as it is.

    Raises: NotAllowed, ConferenceClosed, MixNotFound, MixLayoutInvalid, MixInputsMissing. Records: mix.updated.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.MIX)
        mix = _running(change.conference, mix_id)
        before = _look(mix)
        mix.layout = mix.layout if layout is None else layout
        mix.background = mix.background if background is None else background
        shown = [Input(**each) for each in mix.inputs] if inputs is None else inputs
        _require_sense(_picture(mix), shown, mix.layout)
        if inputs is not None:
            mix.missing = _missing(change.conference, inputs)
            mix.inputs = [asdict(each) for each in inputs]
        if _look(mix) != before:
            mix.save(update_fields=["layout", "background", "inputs", "missing"])
            change.record("mix.updated", actor, data=_told(mix), before=before, after=_look(mix), reason=reason)
    return mix


def stop_mix(*, actor: Actor, confr_id: str, mix_id: int, reason: str = "") -> Mix:
    """End a mix and its stream. Raises: NotAllowed, ConferenceClosed, MixNotFound.

    Records: mix.stopped; stream.removed when it was live.
    """
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.MIX)
        mix = _running(change.conference, mix_id)
        _end(change, mix, actor, Mix.StopReason.REQUESTED, note=reason)
    return mix


def list_mixes(actor: Actor, confr_id: str) -> QuerySet[Mix]:
    """Every mix that there was. Raises: ConferenceNotFound, NotAllowed, ScopeMissing."""
    conference = find_readable(actor, confr_id, Action.MIX)
    return Mix.objects.filter(conference=conference).select_related("stream", "conference")


def get_mix(actor: Actor, confr_id: str, mix_id: int) -> Mix:
    """One mix, over or not. Raises: as `list_mixes`; MixNotFound."""
    mix = list_mixes(actor, confr_id).filter(pk=mix_id).first()
    if mix is None:
        raise MixNotFound()
    return mix


def play_urls(mix: Mix) -> PlayUrls:
    """Where the output is played by whoever is given the address, as long as it runs. For who may mix."""
    expires_at = int((mix.created_at + KEY_LIFE).timestamp())
    name = mix.stream.media_name
    return media_server().play_urls(name, keys.issue("play", name, keys.CONFR, expires_at))


def end_mixes(change: Change) -> None:
    """The conference ends, and its streams with it."""
    running = Mix.objects.running().filter(conference=change.conference)
    reason = Mix.StopReason.CONFERENCE_CLOSED
    running.update(state=Mix.State.STOPPED, stop_reason=reason, missing=[], ended_at=change.now)


def _running(conference: Conference, mix_id: int) -> Mix:
    mix = Mix.objects.running().select_related("stream").filter(conference=conference, pk=mix_id).first()
    if mix is None:
        raise MixNotFound()
    mix.conference = mix.stream.conference = conference
    return mix


def _require_sense(picture: Picture, inputs: Sequence[Input], layout: str) -> None:
    """Raises: MixLayoutInvalid, which says what is wrong with what."""
    bounds = {"width": SIDES, "height": SIDES, "fps": FPS, "bitrate": BITRATES}
    for name, (least, most) in bounds.items():
        if not least <= getattr(picture, name) <= most:
            raise MixLayoutInvalid(field=name, least=least, most=most)
    if picture.width % 2 or picture.height % 2:
        raise MixLayoutInvalid(field="width" if picture.width % 2 else "height")
    names = [each.stream for each in inputs]
    if len(names) > MAX_INPUTS or len(set(names)) < len(names) or not (names or layout):
        raise MixLayoutInvalid(field="inputs", most=MAX_INPUTS)
    if not layout:
        outside = [each.stream for each in inputs if not _rectangle(each).fits(picture.width, picture.height)]
        if outside:
            raise MixLayoutInvalid(field="inputs", outside=outside)


def _require_room() -> None:
    """Raises: MixLimitReached. Of two that start at once, the second waits until the first is counted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('confr:mixes'))")
    if Mix.objects.running().count() >= settings.MIXES_AT_ONCE:
        raise MixLimitReached(maximum=settings.MIXES_AT_ONCE)


def _missing(conference: Conference, inputs: Sequence[Input]) -> list[str]:
    """The inputs that are there but not live now. Raises: MixInputsMissing, with those that are not there."""
    known = {stream.stream_id: stream for stream in _inputs(conference)}
    unknown = [each.stream for each in inputs if each.stream not in known]
    if unknown:
        raise MixInputsMissing(missing=unknown)
    return [each.stream for each in inputs if known[each.stream].state != Stream.State.LIVE]


def _inputs(conference: Conference) -> QuerySet[Stream]:
    """What may be mixed: members' streams, those who came first first."""
    streams = Stream.objects.open().filter(conference=conference, member__isnull=False)
    return streams.select_related("member").order_by("started_at", "pk")


def _end(change: Change, mix: Mix, actor: Actor, why: Mix.StopReason, *, note: str = "") -> None:
    failed = why is Mix.StopReason.NOT_PUBLISHED
    mix.state = Mix.State.FAILED if failed else Mix.State.STOPPED
    mix.stop_reason, mix.missing, mix.ended_at = why, [], change.now
    mix.save(update_fields=["state", "stop_reason", "missing", "ended_at"])
    if mix.stream.state != Stream.State.ENDED:
        end_streams(change, [mix.stream], actor, why="stopped", reason=note)
    data = _told(mix) | {"reason": why.value}
    if failed:
        change.record("mix.failed", actor, data=data, reason=note)
    else:
        change.record("mix.stopped", actor, data=data, reason=note)


def _told(mix: Mix) -> dict[str, Any]:
    return {"mix": mix.pk, "stream": describe(mix.stream)}


def _look(mix: Mix) -> dict[str, Any]:
    return {"layout": mix.layout, "background": mix.background, "inputs": mix.inputs, **asdict(_picture(mix))}


def _picture(mix: Mix) -> Picture:
    return Picture(mix.width, mix.height, mix.fps, mix.bitrate)


# The mixer


@dataclass(frozen=True, slots=True)
class Order:
    """What a mix shows now, where its inputs are at the media server, and what is known of it.

    `live`: whether the media server says that it is published.
    """

    scene: Scene
    media_names: Mapping[str, str]
    missing: tuple[str, ...]
    live: bool


def wanted() -> set[int]:
    """The mixes that should run now."""
    return set(Mix.objects.running().values_list("pk", flat=True))


def order_of(mix_id: int) -> Order | None:
    """What to mix; None when it is over, as also when its stream was stopped. Records: mix.stopped then."""
    mix = Mix.objects.running().select_related("stream", "conference").filter(pk=mix_id).first()
    if mix is None:
        return None
    if mix.stream.state == Stream.State.ENDED:
        finish(mix_id, Mix.StopReason.STREAM_STOPPED)
        return None
    streams = {stream.stream_id: stream for stream in _inputs(mix.conference)}
    if mix.layout and not mix.inputs:
        shown = [name for name, stream in streams.items() if stream.state == Stream.State.LIVE][:MAX_INPUTS]
    else:
        shown = [each["stream"] for each in mix.inputs]
    names = {name: streams[name].media_name for name in shown if name in streams}
    scene = Scene(_tiles(mix, shown), mix.background)
    return Order(scene, names, tuple(mix.missing), mix.stream.state == Stream.State.LIVE)


def note_missing(mix_id: int, missing: Sequence[str]) -> None:
    """Which inputs bring nothing now: for whoever asks, no fact."""
    Mix.objects.running().filter(pk=mix_id).update(missing=list(missing))


def finish(mix_id: int, why: Mix.StopReason) -> None:
    """The mixer ends a mix. Of one that is over it means nothing. Records: mix.stopped or mix.failed."""
    conference_id = Mix.objects.values_list("conference_id", flat=True).get(pk=mix_id)
    with changing_id(conference_id) as change:
        mix = Mix.objects.running().select_related("stream").filter(pk=mix_id).first()
        if mix is not None:
            mix.conference = mix.stream.conference = change.conference
            _end(change, mix, system(), why)


def _tiles(mix: Mix, shown: Sequence[str]) -> dict[str, Tile]:
    own = {each["stream"]: Input(**each) for each in mix.inputs}
    if not mix.layout:
        return {name: Tile(_rectangle(own[name]), own[name].layer, own[name].fit) for name in shown}
    places = place(shown, mix.layout, mix.width, mix.height)
    return {name: Tile(rectangle, fit=own[name].fit if name in own else "fit") for name, rectangle in places.items()}


def _rectangle(each: Input) -> Rectangle:
    """The place of an input, with even sides: that is how the pictures' colours are stored."""
    return Rectangle(*(side // 2 * 2 for side in (each.x, each.y, each.width, each.height)))
