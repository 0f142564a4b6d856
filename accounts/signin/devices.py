"""What a person calls the device behind a User-Agent header. A hint for a list, nothing to decide by."""

from __future__ import annotations

# In this order: most browsers also claim to be others.
BROWSERS = {
    "MicroMessenger": "WeChat",
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def device(user_agent: str) -> str:
    """ "Firefox · Linux", or the beginning of a header that tells neither."""
    found = [_first(names, user_agent) for names in (BROWSERS, SYSTEMS)]
    return " · ".join(filter(None, found)) or user_agent[:40]


def _first(names: dict[str, str], user_agent: str) -> str:
    return next((name for mark, name in names.items() if mark in user_agent), "")
