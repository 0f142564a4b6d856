"""The client's address behind trusted proxies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.proxies import client_address

PROXIES = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # whoever is no proxy is not believed
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # what a client wrote itself does not count
        ("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1,", "127.0.0.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_rightmost_hop_that_is_no_proxy_is_the_client(remote, forwarded, address):
    assert client_address(remote, forwarded, PROXIES) == address


@given(forged=st.text(), client=st.ip_addresses(v=4).filter(lambda ip: not ip.is_private))
def test_nothing_that_a_client_writes_changes_its_address(forged, client):
    assert client_address("127.0.0.1", f"{forged},{client}", PROXIES) == str(client)
