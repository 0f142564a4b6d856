from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conferences.media import keys
from conferences.media.keys import MediaKey, MediaKeyExpired, MediaKeyInvalid

NOW = 1_800_000_000
NAMES = st.from_regex(r"[A-Za-z0-9-]{1,64}", fullmatch=True)
ACTIONS = st.sampled_from(["publish", "play", "watch"])
IDS = st.integers(0, 2**59)


@given(ACTIONS, NAMES, IDS, st.integers(NOW + 1, NOW + 10**9))
def test_a_key_reads_as_it_was_issued(action, name, holder_id, expires_at):
    key = keys.issue(action, name, holder_id, expires_at)

    assert keys.read(key, action, name, NOW) == MediaKey(action, name, holder_id, expires_at)
    assert len(key) <= 48
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@given(st.data())
def test_a_key_with_any_other_character_is_refused(data):
    key = keys.issue("publish", "A-1", 7, NOW + 60)
    place = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters().filter(lambda character: character != key[place]))

    with pytest.raises(MediaKeyInvalid):
        keys.read(key[:place] + other + key[place + 1 :], "publish", "A-1", NOW)


@given(st.text())
def test_what_is_no_key_is_refused(text):
    with pytest.raises(MediaKeyInvalid):
        keys.read(text, "publish", "A-1", NOW)


def test_a_key_for_another_action_or_name_is_refused():
    key = keys.issue("play", "A-1", 7, NOW + 60)

    with pytest.raises(MediaKeyInvalid):
        keys.read(key, "publish", "A-1", NOW)
    with pytest.raises(MediaKeyInvalid):
        keys.read(key, "play", "A-2", NOW)


def test_a_key_expires():
    key = keys.issue("play", "A-1", 7, NOW)

    assert keys.read(key, "play", "A-1", NOW - 0.001).holder_id == 7
    with pytest.raises(MediaKeyExpired):
        keys.read(key, "play", "A-1", NOW)


def test_a_key_with_leading_zeros_is_not_the_same_key():
    with pytest.raises(MediaKeyInvalid):
        keys.read("0" + keys.issue("play", "A-1", 7, NOW), "play", "A-1", NOW - 1)


def test_a_key_of_before_a_rotation_still_reads(settings):
    key = keys.issue("play", "A-1", 7, NOW)
    settings.KEYS = {**settings.KEYS, "signing": ["fresh", *settings.KEYS["signing"]]}

    assert keys.read(key, "play", "A-1", NOW - 1).holder_id == 7


def test_a_key_of_another_server_is_refused(settings):
    key = keys.issue("play", "A-1", 7, NOW)
    settings.KEYS = {**settings.KEYS, "signing": ["another"]}

    with pytest.raises(MediaKeyInvalid):
        keys.read(key, "play", "A-1", NOW - 1)
