"""What Confr asks of a media server, and what it is told: the interface that every adapter fulfils.

No media server is spoken to here, and nothing is decided: who may publish is the services' business.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from accounts.errors import DomainError

APP = "live"
"""The RTMP application that every stream lives in; it is the same for all tenants."""

MEDIA_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")

Kind = Literal["publish", "unpublish", "play", "stop", "update", "watch"]
PlayUrls = dict[str, str]


class MediaHookInvalid(DomainError):
    code, http_status = "media_hook_invalid", 403
    message = _("This is no call of our media server; check its configuration.")


class MediaServerAway(DomainError):
    code, http_status = "media_server_away", 503
    message = _("The media server does not answer; try again in a moment.")


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """What the media server asks or tells.

    `publish`, `play` and `watch` ask for leave; `update` may be answered with a refusal, which cuts the
    client; `unpublish` and `stop` only tell, and may come late, twice or never. `watch` is a viewer over HTTP
    who asks again every few seconds: it has no client id and opens no session.
    A client is known by `boot_id` and `client_id` together: a media server that restarts counts from the
    beginning. `key` is the media key that the client brought, "" when it brought none.
    """

    kind: Kind
    app: str
    name: str
    client_id: str
    address: str
    key: str
    boot_id: str
    raw: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClientStat:
    """One connection to a stream; `since_ms` is its age."""

    id: str
    address: str
    publishing: bool
    since_ms: int


@dataclass(frozen=True, slots=True)
class StreamStat:
    """One stream at the media server, with the publisher among its clients; `since_ms` is its age.

    Sizes, codecs and frames per second are 0 or "" until the media server has seen them.
    """

    name: str
    clients: tuple[ClientStat, ...]
    since_ms: int
    bytes_in: int
    width: int
    height: int
    video_codec: str
    audio_codec: str
    fps: float

    @property
    def publisher(self) -> ClientStat | None:
        return next((client for client in self.clients if client.publishing), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All streams of one run of the media server at one moment."""

    boot_id: str
    streams: tuple[StreamStat, ...]

    @property
    def clients(self) -> frozenset[tuple[str, str]]:
        """Who is at which stream: client ids with media names."""
        return frozenset((client.id, stream.name) for stream in self.streams for client in stream.clients)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the media server answers; `detail` says what is wrong, and is for operators only."""

    ok: bool
    detail: str = ""


class MediaServer(Protocol):
    """An adapter. Addresses, hooks and replies are pure; the rest asks the media server and may raise
    MediaServerAway within a little over a second, so it is called outside transactions."""

    def push_url(self, name: str, key: str) -> str:
        """Where the holder of `key` publishes the media name."""

    def play_urls(self, name: str, key: str) -> PlayUrls:
        """Where the holder of `key` plays it, by protocol: `rtmp`, and `hls` or `flv` where served."""

    def parse_hook(self, call: str, request: HttpRequest) -> MediaEvent:
        """Read one hook; `call` is the last part of its path.

        Raises: MediaHookInvalid, when it is not from our media server or a client has tampered with it.
        """

    def hook_reply(self, event: MediaEvent, *, allow: bool) -> HttpResponse:
        """What the media server takes for a yes or a no."""

    def list_streams(self) -> Snapshot:
        """Everything that is published and played right now. Raises: MediaServerAway."""

    def drop_client(self, client_id: str, name: str) -> int:
        """Cut one publisher or player of a stream; returns how many were cut. Raises: MediaServerAway."""

    def drop_publisher(self, name: str) -> int:
        """Cut whoever publishes the stream; returns how many were cut. Raises: MediaServerAway."""

    def newest_segment(self, name: str) -> Path | None:
        """The newest finished HLS segment of the stream on this machine's disk; None where there is none."""

    def health(self) -> Health:
        """Whether the media server answers. Never raises."""


@cache
def media_server() -> MediaServer:
    """The adapter that settings name, one per process."""
    return cast(MediaServer, import_string(settings.MEDIA_SERVER)())


def require_this_machine(request: HttpRequest) -> None:
    """Raises: MediaHookInvalid, unless the call comes from this machine.

    Who calls the one address that we bind comes from that address, not from the loopback.
    """
    address = request.META["REMOTE_ADDR"].removeprefix("::ffff:")
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and address != settings.BIND:
        raise MediaHookInvalid


def require_secret(given: str) -> None:
    """Raises: MediaHookInvalid, unless `given` is a hook secret of ours; compares in constant time."""
    if not any(hmac.compare_digest(given.encode(), secret.encode()) for secret in settings.KEYS["media"]):
        raise MediaHookInvalid


def require_media_name(name: str) -> str:
    """Raises: MediaHookInvalid, unless `name` could be a media name of ours."""
    if not MEDIA_NAME.fullmatch(name):
        raise MediaHookInvalid
    return name


def require_address(text: str) -> str:
    """An IP address in its one form, IPv4 as IPv4 also where it came mapped into IPv6.

    Raises: MediaHookInvalid.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise MediaHookInvalid from None
    return str(getattr(address, "ipv4_mapped", None) or address)
