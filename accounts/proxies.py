"""Where a request really comes from, when proxies that we trust stand in between. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(remote: str, x_forwarded_for: str, trusted: Sequence[str]) -> str:
    """The address of the client: the right-most hop that is no trusted proxy.

    `remote` is the peer of the socket, `trusted` the proxies' addresses and networks. A proxy vouches for the
    hop before it and for none further: what a client wrote into the header itself does not count.
    """
    networks = _networks(tuple(trusted))
    address = _parse(remote)
    if address is None:
        return remote
    for hop in reversed(x_forwarded_for.split(",")):
        forwarded = _parse(hop)
        if forwarded is None or not any(address in network for network in networks):
            break
        address = forwarded
    return str(address)


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> list[Network]:
    return [ip_network(text, strict=False) for text in trusted]


@lru_cache(maxsize=1024)
def _parse(text: str) -> Address | None:
    """An address without its zone, and IPv4 as IPv4 also where it came mapped into IPv6."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
