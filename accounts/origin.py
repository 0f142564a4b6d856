"""Where a request comes from: what the middleware notes once, and everybody reads.

The socket has no middleware and knows its origin itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.http import HttpRequest

KEY = "confr.origin"


@dataclass(slots=True)
class Origin:
    """One request's id and the client's address; `operation` and `actor` are filled in when they are known.

    `application_id` is whose call it is; `path` is what the log shows where the request's own path holds a secret.
    """

    request_id: str
    address: str | None
    operation: str = ""
    actor: str = ""
    path: str = ""
    application_id: int | None = None


def origin(request: HttpRequest) -> Origin:
    """The origin of a request that came through the middleware."""
    return cast(Origin, request.META[KEY])
