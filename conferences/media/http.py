"""How the adapters call a media server's own HTTP interface: bounded in time, and away is one error."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from requests.adapters import HTTPAdapter

from conferences.media.base import MediaServerAway

CONNECT_SECONDS, READ_SECONDS = 0.3, 1.0


class ControlClient:
    """Keeps connections to one media server alive; may be shared by threads."""

    def __init__(self, base: str, *, headers: Mapping[str, str] | None = None, auth: tuple[str, str] | None = None):
        self._base = base.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment is not for our own machine
        self._session.mount("http://", HTTPAdapter(pool_maxsize=16))
        self._session.headers.update(headers or {})
        self._session.auth = auth

    def call(self, path: str, *, method: str = "GET", **query: str) -> requests.Response:
        """Raises: MediaServerAway, when there is no answer in time or it is not a good one."""
        try:
            response = self._session.request(
                method,
                f"{self._base}{path}",
                params=query,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
            response.raise_for_status()
        except requests.RequestException as error:
            raise MediaServerAway from error
        return response
