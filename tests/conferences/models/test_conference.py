"""A conference's public id."""

from __future__ import annotations

import string

from conferences.models.conference import new_confr_id


def test_every_id_is_new_and_any_character_may_be_anywhere() -> None:
    # That one character is missing at one place by chance: less than 10**-20.
    ids = [new_confr_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert [len(each) for each in ids] == [24] * len(ids)
    alphabet = set(string.ascii_uppercase + string.digits)
    assert [set(place) for place in zip(*ids, strict=True)] == [alphabet] * 24
