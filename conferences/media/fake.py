"""A media server that does not exist: it keeps streams in memory and carries no media.

For tests of what decides about media. Tests play its clients; it refuses to be made in production.
"""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import cast, get_args

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

from conferences.media.base import (
    APP,
    ClientStat,
    Health,
    Kind,
    MediaEvent,
    MediaHookInvalid,
    MediaServerAway,
    PlayUrls,
    Snapshot,
    StreamStat,
)

logger = logging.getLogger(__name__)


class FakeMediaServer:
    def __init__(self) -> None:
        if not (settings.DEBUG or "PYTEST_VERSION" in os.environ):
            raise ImproperlyConfigured("FakeMediaServer carries no media; set CONFR_MEDIA_SERVER to a real one")
        logger.warning("The media server is a fake: nothing that is published can be seen or heard")
        self.away = False
        self.dropped: list[str] = []
        self.segments: dict[str, Path] = {}
        self.restart()

    # What tests do

    def restart(self) -> None:
        """A new run: everybody is gone without a word, and client ids begin again."""
        self._boot_id = secrets.token_hex(4)
        self._ids = count(1)
        self._streams: dict[str, StreamStat] = {}

    def ask(self, kind: Kind, name: str, key: str, *, address: str = "127.0.0.1") -> MediaEvent:
        """The hook of a client that knocks. It is not let in until `admit`."""
        client_id = "" if kind == "watch" else str(next(self._ids))
        return MediaEvent(kind, APP, name, client_id, address, key, self._boot_id, {})

    def admit(self, event: MediaEvent) -> None:
        """Let in who asked, as the real server does after a yes."""
        client = ClientStat(event.client_id, event.address, event.kind == "publish", since_ms=0)
        stream = self._streams.get(event.name) or _silent(event.name)
        self._streams[event.name] = replace(stream, clients=(*stream.clients, client))

    def leave(self, event: MediaEvent) -> MediaEvent:
        """The client of `event` goes; returns the hook that tells so."""
        self._remove(event.client_id, event.name)
        return replace(event, kind="unpublish" if event.kind == "publish" else "stop")

    def show(self, name: str, **facts: int | float | str) -> None:
        """Change what is seen of a stream: `show(name, width=360, height=640, video_codec="H264")`."""
        self._streams[name] = replace(self._streams[name], **facts)  # type: ignore[arg-type] # facts are its fields

    # The interface

    def push_url(self, name: str, key: str) -> str:
        return f"{settings.PUBLIC_RTMP_URL}/{APP}/{name}?key={key}"

    def play_urls(self, name: str, key: str) -> PlayUrls:
        return {
            "rtmp": f"{settings.PUBLIC_RTMP_URL}/{APP}/{name}?key={key}",
            "hls": f"{settings.PUBLIC_MEDIA_URL}/hls/{key}/{name}/index.m3u8",
        }

    def parse_hook(self, call: str, request: HttpRequest) -> MediaEvent:
        """A hook is a form with the fields of an event, and `call` is its kind."""
        if call not in get_args(Kind):
            raise MediaHookInvalid
        form = request.POST
        return MediaEvent(
            kind=cast(Kind, call),
            app=APP,
            name=form["name"],
            client_id=form["client_id"],
            address=form["address"],
            key=form["key"],
            boot_id=form["boot_id"],
            raw={},
        )

    def hook_reply(self, event: MediaEvent, *, allow: bool) -> HttpResponse:
        return HttpResponse(status=204 if allow else 403)

    def list_streams(self) -> Snapshot:
        self._require_presence()
        return Snapshot(self._boot_id, tuple(self._streams.values()))

    def drop_client(self, client_id: str, name: str) -> int:
        self._require_presence()
        removed = self._remove(client_id, name)
        self.dropped += [client_id] * removed
        return removed

    def drop_publisher(self, name: str) -> int:
        self._require_presence()
        publisher = self._streams[name].publisher if name in self._streams else None
        return self.drop_client(publisher.id, name) if publisher else 0

    def newest_segment(self, name: str) -> Path | None:
        return self.segments.get(name)

    def health(self) -> Health:
        return Health(not self.away, "away" if self.away else "")

    def _require_presence(self) -> None:
        if self.away:
            raise MediaServerAway

    def _remove(self, client_id: str, name: str) -> int:
        stream = self._streams.get(name)
        gone = [client for client in stream.clients if client.id == client_id] if stream else []
        if stream is None or not gone:
            return 0
        left = tuple(client for client in stream.clients if client.id != client_id and not gone[0].publishing)
        if left:
            self._streams[name] = replace(stream, clients=left)
        else:
            del self._streams[name]
        return 1


def _silent(name: str) -> StreamStat:
    return StreamStat(
        name, clients=(), since_ms=0, bytes_in=0, width=0, height=0, video_codec="", audio_codec="", fps=0
    )
