"""What a member does with its own stream: switching parts of it off, and taking it back."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.errors import NotAllowed
from conferences.errors import Muted, StreamNotFound
from conferences.models import Kind, MediaSession, Stream
from conferences.services.moderation import mute_members
from conferences.services.streams import switch_stream, unpub_stream
from tests.factories import Room

BOBS = "camera__Of_M2"


def own(room: Room, name: str) -> dict[str, Any]:
    return {"actor": room.actor(name), "confr_id": room.id, "user_id": room.member(name).user_id}


def test_a_camera_is_switched_off_and_on_again(room: Room, media: Any) -> None:
    room.publish("bob")
    switch_stream(**own(room, "bob"), stream_id=BOBS, video_off=True)
    switch_stream(**own(room, "bob"), stream_id=BOBS, video_off=False, audio_off=True)
    changes = [
        (event.data["stream"]["video_off"], event.data["stream"]["audio_off"])
        for event in room.events("stream.changed")
    ]
    assert changes == [(True, False), (False, True)]
    stream = Stream.objects.get()
    assert (stream.video_off, stream.audio_off) == (False, True)


def test_what_does_not_differ_is_not_told(room: Room, media: Any) -> None:
    room.publish("bob")
    switch_stream(**own(room, "bob"), stream_id=BOBS, video_off=False)
    switch_stream(**own(room, "bob"), stream_id=BOBS)
    assert room.events("stream.changed") == []


def test_what_nobody_sees_yet_is_noted_and_not_told(room: Room, media: Any) -> None:
    room.offer("bob")
    switch_stream(**own(room, "bob"), stream_id=BOBS, video_off=True)
    assert Stream.objects.get().video_off
    assert room.events("stream.changed") == []


def test_who_is_muted_may_switch_off_and_not_on(room: Room, media: Any, refused: Any) -> None:
    room.publish("bob")
    mute_members(actor=room.backend, confr_id=room.id, names=["bob"], kinds=[Kind.AUDIO], muted=True)
    switch_stream(**own(room, "bob"), stream_id=BOBS, audio_off=True)
    with refused(Muted, kind=Kind.AUDIO):
        switch_stream(**own(room, "bob"), stream_id=BOBS, audio_off=False)


@pytest.mark.parametrize("act", [switch_stream, unpub_stream])
def test_a_stream_is_its_owners(act: Any, room: Room, media: Any, refused: Any) -> None:
    room.publish("bob")
    with refused(StreamNotFound):
        act(**own(room, "alice"), stream_id=BOBS)
    with refused(StreamNotFound):
        act(**own(room, "bob"), stream_id="none__Of_M2")
    with refused(NotAllowed):
        act(**own(room, "carol"), stream_id=BOBS)
    with refused(NotAllowed):
        act(**own(room, "alice") | {"user_id": room.member("bob").user_id}, stream_id=BOBS)


def test_a_stream_is_taken_back_for_good(room: Room, media: Any) -> None:
    room.publish("bob")
    before = room.row.videos
    unpub_stream(**own(room, "bob"), stream_id=BOBS)
    [event] = room.events("stream.removed")
    assert (event.data["reason"], event.data["stream"]["id"]) == ("unpublished", BOBS)
    assert (Stream.objects.get().state, room.row.videos) == (Stream.State.ENDED, before - 1)
    assert MediaSession.objects.get().revoked_at is not None
    again, _ = room.offer("bob")
    assert again.media_name != Stream.objects.earliest("pk").media_name
