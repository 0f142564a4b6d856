"""Mixes: who may start one of what, how it is changed, and how it ends."""

from __future__ import annotations

import pytest

from accounts.errors import NotAllowed, ScopeMissing
from accounts.models import Scope
from conferences.errors import (
    ConferenceClosed,
    ConferenceNotFound,
    MixInputsMissing,
    MixLayoutInvalid,
    MixLimitReached,
    MixNotFound,
)
from conferences.media.layouts import Rectangle
from conferences.models import Mix, Stream
from conferences.services import mixes
from conferences.services.admission import admit_player, admit_publisher, release_client
from conferences.services.conferences import destroy_conference
from conferences.services.mixes import Input, Picture, start_mix, stop_mix, update_mix
from conferences.services.streams import own_url, stop_stream, unpub_stream
from tests import factories
from tests.database import together

SMALL = Picture(width=320, height=240, fps=15, bitrate=400_000)


@pytest.fixture
def inputs(room, media):
    """The live streams of alice and bob, side by side."""
    streams = [room.publish(name).stream for name in ("alice", "bob")]
    return [Input(stream.stream_id, 160 * place, 0, 160, 240) for place, stream in enumerate(streams)]


def start(room, inputs=(), **wishes):
    options = {"actor": room.actor("alice"), "confr_id": room.id, "picture": SMALL, "inputs": inputs}
    return start_mix(**options | wishes)


def publish(media, mix):
    """The mixer publishes it."""
    event = media.ask("publish", mix.stream.media_name, own_url("publish", mix.stream.media_name).partition("key=")[2])
    admit_publisher(event)
    media.admit(event)
    return event


def test_a_mix_becomes_a_stream_of_nobody_that_members_play_and_ends_with_a_fact(room, media, inputs, published):
    published.facts()
    mix = start(room, inputs, reason="for the CDN")
    (started,) = published.facts()
    assert (started["type"], started["data"]["mix"]) == ("mix.started", mix.pk)
    assert started["data"]["stream"]["id"] == mix.stream.stream_id == "mix-1__Of_M0"
    assert (mix.state, mix.stream.type, mix.stream.state, mix.missing) == ("running", 2, "offered", [])
    assert mixes.wanted() == {mix.pk}
    publish(media, mix)
    assert published.types() == ["stream.added"]
    order = mixes.order_of(mix.pk)
    assert order
    assert order.live
    assert room.play_key("carol", mix.stream)
    assert room.row.videos == 2

    stop_mix(actor=room.actor("alice"), confr_id=room.id, mix_id=mix.pk)
    removed, stopped = published.facts()
    assert (removed["type"], removed["data"]["member"]) == ("stream.removed", 0)
    assert (stopped["type"], stopped["data"]["reason"]) == ("mix.stopped", "requested")
    mix.refresh_from_db()
    assert (mix.state, mix.stream.state, mixes.wanted(), mixes.order_of(mix.pk)) == ("stopped", "ended", set(), None)


def test_who_has_the_address_of_a_mix_plays_it_until_it_ends(room, media, inputs):
    mix = start(room, inputs)
    event = publish(media, mix)
    key = mixes.play_urls(mix)["rtmp"].partition("key=")[2]
    admit_player(media.ask("play", mix.stream.media_name, key))
    release_client(media.leave(event))
    stop_mix(actor=room.backend, confr_id=room.id, mix_id=mix.pk)
    with pytest.raises(Exception, match="stream_ended"):
        admit_player(media.ask("play", mix.stream.media_name, key))


def test_a_mix_is_changed_while_it_runs(room, media, inputs, published):
    mix = start(room, inputs)
    order = mixes.order_of(mix.pk)
    assert order
    assert order.scene.tiles[inputs[1].stream].rectangle == Rectangle(160, 0, 160, 240)
    assert order.media_names.keys() == {each.stream for each in inputs}
    published.facts()
    change = {"actor": room.actor("alice"), "confr_id": room.id, "mix_id": mix.pk}
    update_mix(**change, inputs=[Input(inputs[0].stream, 1, 3, 101, 51, 4, "fill")], background=0xFF0000)
    (updated,) = published.facts()
    assert updated["type"] == "mix.updated"
    order = mixes.order_of(mix.pk)
    assert order
    (tile,) = order.scene.tiles.values()
    assert (tile.rectangle, tile.layer, tile.fit) == (Rectangle(0, 2, 100, 50), 4, "fill")
    assert order.scene.background == 0xFF0000
    update_mix(**change, background=0xFF0000)
    assert published.facts() == []


def test_a_layout_without_inputs_shows_whoever_is_live(room, media, inputs):
    mix = start(room, layout="grid")
    shown = mixes.order_of(mix.pk)
    assert shown
    assert shown.scene.tiles.keys() == {each.stream for each in inputs}
    publish(media, mix)  # a mix does not show itself
    bob = room.member("bob")
    unpub_stream(actor=room.actor("bob"), confr_id=room.id, user_id=bob.user_id, stream_id=inputs[1].stream)
    shown = mixes.order_of(mix.pk)
    assert shown
    assert shown.scene.tiles[inputs[0].stream].rectangle == Rectangle(0, 0, 320, 240)


def test_who_comes_back_with_the_same_id_is_seen_again(room, media, inputs):
    mix = start(room, inputs)
    bob = room.member("bob")
    unpub_stream(actor=room.actor("bob"), confr_id=room.id, user_id=bob.user_id, stream_id=inputs[1].stream)
    gone = mixes.order_of(mix.pk)
    again = room.publish("bob").stream
    back = mixes.order_of(mix.pk)
    assert gone
    assert back
    assert gone.scene == back.scene
    assert inputs[1].stream not in gone.media_names
    assert back.media_names[inputs[1].stream] == again.media_name


def test_inputs_that_are_missing_are_named(room, media, inputs, refused):
    offered, _ = room.offer("bob", "screen", "desktop")
    named = [*inputs, Input(offered.stream_id, 0, 0, 16, 16)]
    with refused(MixInputsMissing, missing=["cam__Of_M9", "mix-1__Of_M0"]):
        start(room, [*named, Input("cam__Of_M9", 0, 0, 16, 16), Input("mix-1__Of_M0", 0, 0, 16, 16)])
    mix = start(room, named)
    assert mix.missing == [offered.stream_id]
    mixes.note_missing(mix.pk, ["camera__Of_M1"])
    assert mixes.get_mix(room.backend, room.id, mix.pk).missing == ["camera__Of_M1"]


@pytest.mark.parametrize(
    "wishes",
    [
        {"picture": Picture(width=321)},
        {"picture": Picture(width=62)},
        {"picture": Picture(height=4000)},
        {"picture": Picture(fps=60)},
        {"picture": Picture(bitrate=1)},
        {"inputs": []},
        {"inputs": [Input("a", 0, 0, 8, 8)] * 2},
        {"inputs": [Input(f"a{number}", 0, 0, 8, 8) for number in range(17)]},
        {"inputs": [Input("a", 300, 0, 40, 40)]},
        {"inputs": [Input("a", 0, 0, 1, 1)]},
    ],
)
def test_what_cannot_be_is_refused(room, media, inputs, refused, wishes):
    with refused(MixLayoutInvalid):
        start(room, **{"inputs": inputs} | wishes)
    mix = start(room, inputs)
    if "inputs" in wishes:
        with refused(MixLayoutInvalid):
            update_mix(actor=room.backend, confr_id=room.id, mix_id=mix.pk, inputs=wishes["inputs"])


def test_the_next_mix_is_refused_also_of_two_at_once(room, new_room, media, inputs, refused, settings):
    settings.MIXES_AT_ONCE = 1
    other = new_room()
    other.enter("alice", 7)
    results = together(
        lambda: start(room, inputs),
        lambda: start(other, layout="grid"),
    )
    assert sorted(type(result) is MixLimitReached for result in results) == [False, True]
    with refused(MixLimitReached, maximum=1):
        start(room, inputs)
    running = Mix.objects.get()
    stop_mix(actor=room.backend, confr_id=running.conference.confr_id, mix_id=running.pk)
    assert start(room, inputs)


def test_only_admins_and_keys_of_the_application_mix(room, media, inputs, refused, foreign_robot):
    mix = start(room, inputs)
    for actor, error in (
        (room.actor("bob"), NotAllowed),
        (factories.backend(room.conference.application, frozenset({Scope.READ.value})), ScopeMissing),
        (foreign_robot, ConferenceNotFound),
    ):
        with refused(error):
            start(room, inputs, actor=actor)
        with refused(error):
            update_mix(actor=actor, confr_id=room.id, mix_id=mix.pk, background=1)
        with refused(error):
            stop_mix(actor=actor, confr_id=room.id, mix_id=mix.pk)
        with refused(error):
            mixes.get_mix(actor, room.id, mix.pk)


def test_a_mix_of_another_room_or_one_that_is_over_is_none(room, new_room, media, inputs, refused):
    other = new_room()
    other.enter("alice", 7)
    mix = start(room, inputs)
    for call in (update_mix, stop_mix):
        with refused(MixNotFound):
            call(actor=room.backend, confr_id=other.id, mix_id=mix.pk)
    stop_mix(actor=room.backend, confr_id=room.id, mix_id=mix.pk)
    for call in (update_mix, stop_mix):
        with refused(MixNotFound):
            call(actor=room.backend, confr_id=room.id, mix_id=mix.pk)
    with refused(MixNotFound):
        mixes.get_mix(room.backend, other.id, mix.pk)


def test_a_mix_ends_with_its_stream_with_the_room_and_for_want_of_inputs(room, media, inputs, published):
    one, two = (start(room, inputs) for _ in range(2))
    stop_stream(actor=room.backend, confr_id=room.id, stream_id=one.stream.stream_id)
    assert mixes.order_of(one.pk) is None
    mixes.finish(two.pk, Mix.StopReason.INPUTS_GONE)
    mixes.finish(two.pk, Mix.StopReason.REQUESTED)  # the second time means nothing
    third = start(room, inputs)
    mixes.finish(third.pk, Mix.StopReason.NOT_PUBLISHED)
    fourth = start(room, inputs)
    destroy_conference(actor=room.backend, confr_id=room.id)
    ends = Mix.objects.order_by("pk").values_list("state", "stop_reason")
    assert list(ends) == [
        ("stopped", "stream_stopped"),
        ("stopped", "inputs_gone"),
        ("failed", "not_published"),
        ("stopped", "conference_closed"),
    ]
    assert [event.data["reason"] for event in room.events("mix.stopped", "mix.failed")] == [
        "stream_stopped",
        "inputs_gone",
        "not_published",
    ]
    assert not Stream.objects.open().filter(type=2).exists()
    with pytest.raises(ConferenceClosed):
        start(room, inputs)
    assert fourth.pk not in mixes.wanted()
