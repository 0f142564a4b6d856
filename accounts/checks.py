"""Django's system checks of what accounts are configured with: said at the start, not at the first request."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def trusted_proxies(**kwargs: Any) -> list[CheckMessage]:
    """Every trusted proxy is an address or a network."""
    return [
        Error(
            f"CONFR_TRUSTED_PROXIES: {text!r} is no address and no network.",
            hint="Separate them by commas: 127.0.0.1,10.0.0.0/8",
            id="accounts.E001",
        )
        for text in settings.TRUSTED_PROXIES
        if not _is_network(text)
    ]


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
