"""FLV without a server: whatever pieces a stream comes in, its tags come out, and nonsense is refused."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conferences.media.flv import (
    MAX_GROUP_BYTES,
    MAX_TAG_BYTES,
    PICTURE,
    SCRIPT,
    SOUND,
    FlvInvalid,
    Opening,
    Reader,
    Tag,
)
from tests.conferences.media.conftest import require_programs

HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
AVC_SETUP, KEY, INTER, AVC_END = b"\x17\x00", b"\x17\x01", b"\x27\x01", b"\x17\x02"
H263_KEY = b"\x12\x00"
AAC_SETUP, AAC_SOUND, MP3_SOUND = b"\xaf\x00", b"\xaf\x01", b"\x2f\x00"

kinds = st.sampled_from([SOUND, PICTURE, SCRIPT])
beginnings = st.sampled_from([AVC_SETUP, KEY, INTER, AVC_END, H263_KEY, AAC_SETUP, AAC_SOUND, MP3_SOUND, b""])
bodies = st.builds(bytes.__add__, beginnings, st.binary(max_size=40))
stamps = st.integers(0, 2**24 - 1)


def tag(kind: int, body: bytes, at: int = 0) -> Tag:
    head = bytes([kind]) + len(body).to_bytes(3, "big") + at.to_bytes(3, "big") + bytes(4)
    return Tag(head + body + (len(head) + len(body)).to_bytes(4, "big"))


tags = st.lists(st.builds(tag, kinds, bodies, stamps), max_size=20)


def in_pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(tags, st.lists(st.integers(0, 30), max_size=60))
def test_tags_come_out_as_they_went_in_whatever_the_pieces(given_tags, sizes):
    reader = Reader()
    stream = HEADER + b"".join(each.content for each in given_tags)

    found = [each for piece in in_pieces(stream, sizes) for each in reader.feed(piece)]

    assert found == given_tags
    assert reader.header == HEADER


@given(tags, st.integers(0, 400))
def test_a_stream_that_breaks_off_gives_its_whole_tags_only(given_tags, end):
    stream = HEADER + b"".join(each.content for each in given_tags)
    found = Reader().feed(stream[:end])

    assert found == given_tags[: len(found)]
    assert len(HEADER) + sum(len(each.content) for each in found) <= max(end, len(HEADER))


@given(st.lists(st.binary(max_size=300)), st.booleans())
def test_nonsense_is_refused_or_waits_but_breaks_nothing(pieces, begins_well):
    reader = Reader()
    found: list[Tag] = []
    try:
        for piece in [HEADER if begins_well else b"", *pieces]:
            found += reader.feed(piece)
    except FlvInvalid:
        pass
    opening = Opening(reader.header)
    for each in found:
        opening.add(each)
    bytes(opening)


@pytest.mark.parametrize("start", [b"GIF", b"FLX", b"\x00", HEADER + b"\x07"])
def test_what_is_no_flv_is_refused_at_its_first_byte(start):
    with pytest.raises(FlvInvalid):
        Reader().feed(start)


def test_a_tag_that_would_fill_the_memory_is_refused_by_its_head():
    with pytest.raises(FlvInvalid):
        Reader().feed(HEADER + bytes([PICTURE]) + MAX_TAG_BYTES.to_bytes(3, "big") + bytes(7))


@pytest.mark.parametrize(
    ("kind", "body", "is_setup", "is_key_frame"),
    [
        (SCRIPT, b"\x02\x00\x0aonMetaData", True, False),
        (PICTURE, AVC_SETUP, True, False),
        (PICTURE, KEY, False, True),
        (PICTURE, INTER, False, False),
        (PICTURE, AVC_END, False, False),
        (PICTURE, H263_KEY, False, True),
        (SOUND, AAC_SETUP, True, False),
        (SOUND, AAC_SOUND, False, False),
        (SOUND, MP3_SOUND, False, False),
        (SOUND, b"", False, False),
        (PICTURE, b"", False, False),
    ],
)
def test_what_a_tag_is(kind, body, is_setup, is_key_frame):
    assert (tag(kind, body).is_setup, tag(kind, body).is_key_frame) == (is_setup, is_key_frame)


@given(tags)
def test_an_opening_is_the_last_setup_of_each_kind_and_all_since_the_last_key_frame(given_tags):
    opening = Opening(HEADER)
    for each in given_tags:
        opening.add(each)

    reader = Reader()
    found = reader.feed(bytes(opening))
    setup = {each.kind: each for each in given_tags if each.is_setup}
    keys = [number for number, each in enumerate(given_tags) if each.is_key_frame]
    group = [each for each in given_tags[keys[-1] :] if not each.is_setup] if keys else []
    assert reader.header == HEADER
    assert {each.kind: each for each in found[: len(setup)]} == setup
    assert found[len(setup) :] == group


@given(st.lists(st.integers(1, MAX_GROUP_BYTES), max_size=6))
def test_an_opening_is_bounded(sizes):
    opening = Opening(HEADER)
    opening.add(tag(PICTURE, KEY))
    for size in sizes:
        opening.add(Tag(tag(PICTURE, INTER).content + bytes(size)))

    assert len(bytes(opening)) <= len(HEADER) + MAX_GROUP_BYTES


def test_what_ffmpeg_writes_is_read():
    require_programs()
    command = ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-f", "lavfi"]
    command += ["-i", "sine=sample_rate=48000", "-t", "2.9", "-c:v", "libx264", "-tune", "zerolatency", "-g", "15"]
    written = subprocess.run([*command, "-c:a", "aac", "-f", "flv", "pipe:1"], capture_output=True, check=True).stdout

    reader = Reader()
    found = reader.feed(written)

    assert reader.header + b"".join(each.content for each in found) == written
    assert [each.kind for each in found if each.is_setup][:3] == [SCRIPT, PICTURE, SOUND]
    assert sum(each.is_key_frame for each in found) == 3
