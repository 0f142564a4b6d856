"""The adapter for SRS 6, which the operator installs and configures.

Its hooks go to `http://127.0.0.1:<CONFR_PORT>/hooks/srs/<on_publish|on_unpublish|on_play|on_stop>?secret=<the
first media key>`: SRS can send no header of ours. HLS must be off there, because SRS asks nobody about it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

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
    require_address,
    require_media_name,
    require_secret,
    require_this_machine,
)
from conferences.media.http import ControlClient

CALLS: dict[str, Kind] = {
    "on_publish": "publish",
    "on_unpublish": "unpublish",
    "on_play": "play",
    "on_stop": "stop",
}
HOOK_FIELDS = ("action", "service_id", "client_id", "ip", "app", "stream", "param")
DONE, NO_SUCH_CLIENT = 0, 2049
PAGE = 100


class Srs:
    def __init__(self) -> None:
        self._api = ControlClient(
            settings.MEDIA_CONTROL_URL, auth=(settings.MEDIA_API_USER, settings.MEDIA_API_PASSWORD)
        )

    def push_url(self, name: str, key: str) -> str:
        return f"{settings.PUBLIC_RTMP_URL}/{APP}/{name}?key={key}"

    def play_urls(self, name: str, key: str) -> PlayUrls:
        return {
            "rtmp": f"{settings.PUBLIC_RTMP_URL}/{APP}/{name}?key={key}",
            "flv": f"{settings.PUBLIC_MEDIA_URL}/{APP}/{name}.flv?key={key}",
        }

    def parse_hook(self, call: str, request: HttpRequest) -> MediaEvent:
        require_this_machine(request)
        require_secret(request.GET.get("secret", ""))
        fields = _fields(request.body)
        if call not in CALLS or fields["action"] != call or fields["app"] != APP:
            raise MediaHookInvalid
        return MediaEvent(
            kind=CALLS[call],
            app=APP,
            name=require_media_name(fields["stream"]),
            client_id=fields["client_id"],
            address=require_address(fields["ip"]),
            key=dict(reversed(parse_qsl(fields["param"].lstrip("?")))).get("key", ""),
            boot_id=fields["service_id"],
            raw=fields,
        )

    def hook_reply(self, event: MediaEvent, *, allow: bool) -> HttpResponse:
        return JsonResponse({"code": 0 if allow else 1})

    def list_streams(self) -> Snapshot:
        boot_id = str(self._call("/api/v1/streams/", count="1")["service"])
        clients: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for client in self._all("clients"):
            clients[client["stream"]].append(client)
        # SRS goes on listing a stream that nobody publishes or plays any more.
        streams = [row for row in self._all("streams") if row["app"] == APP and row["id"] in clients]
        return Snapshot(boot_id, tuple(_stream(row, clients[row["id"]]) for row in streams))

    def drop_client(self, client_id: str, name: str) -> int:
        return int(self._call(f"/api/v1/clients/{quote(client_id, safe='')}", method="DELETE")["code"] == DONE)

    def drop_publisher(self, name: str) -> int:
        publishers = [stream.publisher for stream in self.list_streams().streams if stream.name == name]
        return sum(self.drop_client(publisher.id, name) for publisher in publishers if publisher)

    def newest_segment(self, name: str) -> Path | None:
        return None

    def health(self) -> Health:
        try:
            self.list_streams()
        except MediaServerAway as error:
            return Health(False, str(error.__cause__))
        return Health(True)

    def _all(self, what: str) -> Iterator[Mapping[str, Any]]:
        start, page = 0, PAGE
        while page == PAGE:
            rows = self._call(f"/api/v1/{what}/", start=str(start), count=str(PAGE))[what]
            yield from rows
            start, page = start + PAGE, len(rows)

    def _call(self, path: str, *, method: str = "GET", **query: str) -> Mapping[str, Any]:
        response = self._api.call(path, method=method, **query)
        try:
            answer: Mapping[str, Any] = response.json()
        except ValueError as error:
            raise MediaServerAway from error
        if answer.get("code") not in {DONE, NO_SUCH_CLIENT}:
            raise MediaServerAway
        return answer


def _fields(body: bytes) -> Mapping[str, str]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise MediaHookInvalid from error
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), str) for name in HOOK_FIELDS):
        raise MediaHookInvalid
    return fields


def _stream(stream: Mapping[str, Any], clients: list[Mapping[str, Any]]) -> StreamStat:
    video, audio = stream.get("video") or {}, stream.get("audio") or {}
    stats = tuple(map(_client, clients))
    return StreamStat(
        name=stream["name"],
        clients=stats,
        since_ms=max((client.since_ms for client in stats if client.publishing), default=0),
        bytes_in=stream["recv_bytes"],
        width=video.get("width", 0),
        height=video.get("height", 0),
        video_codec=video.get("codec", ""),
        audio_codec=audio.get("codec", ""),
        fps=0.0,
    )


def _client(client: Mapping[str, Any]) -> ClientStat:
    return ClientStat(
        id=client["id"],
        address=client["ip"],
        publishing=client["publish"],
        since_ms=int(client["alive"] * 1000),
    )
