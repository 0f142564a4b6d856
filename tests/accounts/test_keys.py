"""Server keys: made once, rotated without breaking what they signed."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.keys import RINGS, b64, cipher, load, new_key, rotate, signer, unb64


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "keys.json"


def test_the_first_start_makes_a_file_that_only_the_owner_reads(path):
    rings = load(path)
    assert sorted(rings) == sorted(RINGS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load(path) == rings
    assert [entry.name for entry in path.parent.iterdir()] == ["keys.json"]


def test_starts_at_once_agree_on_the_keys(path):
    with ThreadPoolExecutor(8) as pool:
        assert len({json.dumps(rings) for rings in pool.map(load, [path] * 8)}) == 1


def test_a_file_without_a_ring_is_an_error_and_not_a_new_ring(path):
    rings = load(path)
    path.write_text(json.dumps(rings | {"seals": []}))
    with pytest.raises(ValueError, match="seals"):
        load(path)


def test_what_was_signed_and_encrypted_before_a_rotation_stays_good(path):
    before = load(path)
    mac = signer(before["signing"]).sign("purpose", b"message")
    secret = cipher(before["encryption"]).encrypt(b"secret")
    for ring in ("signing", "encryption"):
        rotate(path, ring)
    after = load(path)
    assert signer(after["signing"]).verify("purpose", b"message", mac)
    assert signer(after["signing"]).sign("purpose", b"message") != mac
    assert cipher(after["encryption"]).decrypt(secret) == b"secret"


@given(purpose=st.sampled_from(["a", "b"]), message=st.binary(), other=st.binary(max_size=20))
def test_a_mac_is_of_one_purpose_and_one_message(purpose, message, other):
    keys = signer([new_key(), new_key()])
    mac = keys.sign(purpose, message)
    assert keys.verify(purpose, message, mac)
    assert not keys.verify("c", message, mac)
    assert not keys.verify(purpose, message + b"x", mac)
    assert keys.verify(purpose, message, other) == (other == mac)
    assert not signer([new_key()]).verify(purpose, message, mac)


@given(data=st.binary())
def test_bytes_survive_the_way_through_text(data):
    assert unb64(b64(data)) == data


@given(text=st.text())
def test_text_that_is_no_base64_is_a_value_error(text):
    try:
        unb64(text)
    except ValueError:
        return
    assert text.isascii()
