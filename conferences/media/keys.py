"""Media keys: the short signed right to publish, play or watch one media name.

A key proves who it was given to and until when. Whether its holder may still do it is asked of live rows,
by the services.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils.http import base36_to_int, int_to_base36
from django.utils.translation import gettext_lazy as _

from accounts.errors import DomainError
from accounts.keys import b64, signer, unb64

PURPOSE = "media"
FORM = re.compile(r"([0-9a-z]{1,12})\.([0-9a-z]{1,12})\.([A-Za-z0-9_-]{22})")

# The holder of a key that is no member's: Confr's own recorder, mixer and pictures.
CONFR = 0

Action = Literal["publish", "play", "watch"]


class MediaKeyInvalid(DomainError):
    code, http_status = "media_key_invalid", 403
    message = _("The media key is not for this stream or was changed; ask for a new address.")


class MediaKeyExpired(DomainError):
    code, http_status = "media_key_expired", 403
    message = _("The media key has expired; ask for a new address.")


@dataclass(frozen=True, slots=True)
class MediaKey:
    """Who may do what with which media name; `expires_at` in seconds since the epoch.

    The holder is a member or `CONFR`; of "watch" it is the `Watch` of a staff member.
    """

    action: Action
    name: str
    holder_id: int
    expires_at: int


def issue(action: Action, name: str, holder_id: int, expires_at: int) -> str:
    """A key of at most 48 characters, all of which survive in an RTMP play path, a URL path and a query."""
    mac = signer(settings.KEYS["signing"]).sign(PURPOSE, _message(action, name, holder_id, expires_at))
    return f"{int_to_base36(expires_at)}.{int_to_base36(holder_id)}.{b64(mac)}"


def read(key: str, action: Action, name: str, now: float) -> MediaKey:
    """What a key says, once it is proven to be for `action` on `name`.

    Raises: MediaKeyInvalid, MediaKeyExpired.
    """
    form = FORM.fullmatch(key)
    if form is None:
        raise MediaKeyInvalid
    expires_at, holder_id = base36_to_int(form[1]), base36_to_int(form[2])
    mac = unb64(form[3])
    if f"{int_to_base36(expires_at)}.{int_to_base36(holder_id)}.{b64(mac)}" != key:
        raise MediaKeyInvalid  # leading zeros or loose bits: one right has one text
    if not signer(settings.KEYS["signing"]).verify(PURPOSE, _message(action, name, holder_id, expires_at), mac):
        raise MediaKeyInvalid
    if now >= expires_at:
        raise MediaKeyExpired
    return MediaKey(action, name, holder_id, expires_at)


def _message(action: Action, name: str, holder_id: int, expires_at: int) -> bytes:
    return f"{action}|{name}|{holder_id}|{expires_at}".encode()
