"""Names of users in every form that SDKs send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import UserNameInvalid
from accounts.names import user_name

APP = "acme#live"
plain = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=64)


@pytest.mark.parametrize(
    "given_name", ["bob", "acme#live_bob", "acme#live_bob@easemob.com", "ACME#Live_bob@example.org"]
)
def test_every_form_is_one_user(given_name):
    assert user_name(given_name, APP) == "bob"


def test_an_address_with_a_domain_loses_the_domain_alone():
    assert user_name("acme#live_ann@corp.com@easemob.com", APP) == user_name("ann@corp.com", APP) == "ann@corp.com"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " bob",
        "bob ",
        "a\nb",
        "a\x00b",
        "a\ud800b",
        "x" * 65,
        "other#live_bob",
        "acme#live_",
        "acme#live_@b.c",
        "acme#livebob",
    ],
)
def test_what_is_no_name_of_this_application_is_refused(wrong):
    with pytest.raises(UserNameInvalid):
        user_name(wrong, APP)


@given(name=st.text(max_size=80))
def test_a_name_is_refused_or_stays_what_it_became(name):
    try:
        normal = user_name(name, APP)
    except UserNameInvalid:
        return
    assert user_name(normal, APP) == normal
    assert 1 <= len(normal) <= 64
    normal.encode()


@given(name=plain)
def test_the_prefixed_form_is_the_same_user_as_the_plain_one(name):
    try:
        normal = user_name(name, APP)
    except UserNameInvalid:
        return
    assert user_name(f"{APP}_{normal}@easemob.com", APP) == normal
