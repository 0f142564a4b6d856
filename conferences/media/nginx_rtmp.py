"""The adapter for nginx with its rtmp module, configured by `nginx_conf`."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from conferences.media import keys
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
from conferences.media.nginx_conf import BOOT_HEADER, PULL_HEADER, SECRET_HEADER
from conferences.media.snapshot import newest_segment

# The last part of a hook's path → what it means, and the field `call` that must come with it.
CALLS: dict[str, tuple[Kind, frozenset[str]]] = {
    "publish": ("publish", frozenset({"publish"})),
    "publish_done": ("unpublish", frozenset({"publish_done"})),
    "play": ("play", frozenset({"play"})),
    "play_done": ("stop", frozenset({"play_done"})),
    "update": ("update", frozenset({"update_publish", "update_play"})),
}
WATCH_CALLS = ("hls", "flv")
PULL_SECONDS = 30  # the gateway uses its key at once
READ_FIELDS = ("app", "tcurl", "addr", "clientid", "call", "name", "key")
CLIENT_ID = re.compile(r"[0-9]{1,20}")
MAX_FIELDS = 200
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NginxRtmp:
    def __init__(self) -> None:
        self._control = ControlClient(settings.MEDIA_CONTROL_URL, headers={SECRET_HEADER: settings.KEYS["media"][0]})

    def push_url(self, name: str, key: str) -> str:
        return f"{settings.PUBLIC_RTMP_URL}/{APP}/{name}?key={key}"

    def play_urls(self, name: str, key: str) -> PlayUrls:
        urls = {
            "rtmp": f"{settings.PUBLIC_RTMP_URL}/{APP}/{name}?key={key}",
            "hls": f"{settings.PUBLIC_MEDIA_URL}/hls/{key}/{name}/index.m3u8",
        }
        if settings.FLV:
            urls["flv"] = f"{settings.PUBLIC_MEDIA_URL}/flv/{key}/{name}.flv"
        return urls

    def parse_hook(self, call: str, request: HttpRequest) -> MediaEvent:
        require_this_machine(request)
        require_secret(request.headers.get(SECRET_HEADER, ""))
        boot_id = request.headers.get(BOOT_HEADER, "")
        if not boot_id:
            raise MediaHookInvalid
        if call in WATCH_CALLS:
            return _watch(call, request, boot_id)
        return _notification(call, _fields(request.body), boot_id)

    def hook_reply(self, event: MediaEvent, *, allow: bool) -> HttpResponse:
        response = HttpResponse(status=204 if allow else 403)
        if allow and event.raw.get("call") == "flv":
            expires_at = int(time.time() + PULL_SECONDS)
            response[PULL_HEADER] = keys.issue("play", event.name, keys.CONFR, expires_at)
        return response

    def list_streams(self) -> Snapshot:
        response = self._control.call("/stat")
        return Snapshot(response.headers[BOOT_HEADER], tuple(map(_stream, _streams(response.content))))

    def drop_client(self, client_id: str, name: str) -> int:
        return int(self._control.call("/control/drop/client", app=APP, name=name, clientid=client_id).text)

    def drop_publisher(self, name: str) -> int:
        return int(self._control.call("/control/drop/publisher", app=APP, name=name).text)

    def newest_segment(self, name: str) -> Path | None:
        return newest_segment(settings.MEDIA_HLS_DIR / name)

    def health(self) -> Health:
        try:
            self.list_streams()
        except MediaServerAway as error:
            return Health(False, str(error.__cause__))
        return Health(True)


def _watch(call: str, request: HttpRequest, boot_id: str) -> MediaEvent:
    name = require_media_name(request.headers.get("X-Media-Name", ""))
    key = request.headers.get("X-Media-Key", "")
    address = require_address(request.headers.get("X-Media-Address", ""))
    return MediaEvent("watch", APP, name, "", address, key, boot_id, {"call": call})


def _notification(call: str, fields: Mapping[str, str], boot_id: str) -> MediaEvent:
    kind, names = CALLS.get(call, (None, frozenset[str]()))
    client_id = fields.get("clientid", "")
    if kind is None or fields.get("call") not in names or fields.get("app") != APP:
        raise MediaHookInvalid
    if not CLIENT_ID.fullmatch(client_id):
        raise MediaHookInvalid
    return MediaEvent(
        kind=kind,
        app=APP,
        name=require_media_name(fields.get("name", "")),
        client_id=client_id,
        address=require_address(fields.get("addr", "")),
        key=fields.get("key") or _key_of_connection(fields.get("tcurl", "")),
        boot_id=boot_id,
        raw=fields,
    )


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a hook.

    The client's query follows the server's own fields, unescaped, so a client can repeat one of them: whoever
    does is refused. Raises: MediaHookInvalid.
    """
    try:
        pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise MediaHookInvalid from error
    counts = Counter(name for name, _ in pairs)
    if any(counts[name] > 1 for name in READ_FIELDS):
        raise MediaHookInvalid
    return dict(pairs)


def _key_of_connection(tcurl: str) -> str:
    """Some clients put the query behind the application, not behind the name: then it is in their `tcurl`."""
    return dict(parse_qsl(tcurl.partition("?")[2])).get("key", "")


def _streams(xml: bytes) -> list[ElementTree.Element]:
    # Clients choose their flash version, and nginx copies what is no UTF-8 and no character of XML.
    text = NOT_XML.sub("", xml.decode(errors="replace"))
    root = ElementTree.fromstring(text)  # noqa: S314 written by our own nginx, which escapes markup
    return root.findall(f"./server/application[name='{APP}']/live/stream")


def _stream(element: ElementTree.Element) -> StreamStat:
    return StreamStat(
        name=_text(element, "name"),
        clients=tuple(map(_client, element.findall("client"))),
        since_ms=int(_text(element, "time", "0")),
        bytes_in=int(_text(element, "bytes_in", "0")),
        width=int(_text(element, "meta/video/width", "0")),
        height=int(_text(element, "meta/video/height", "0")),
        video_codec=_text(element, "meta/video/codec"),
        audio_codec=_text(element, "meta/audio/codec"),
        fps=float(_text(element, "meta/video/frame_rate", "0")),
    )


def _client(element: ElementTree.Element) -> ClientStat:
    return ClientStat(
        id=_text(element, "id"),
        address=_text(element, "address"),
        publishing=element.find("publishing") is not None,
        since_ms=int(_text(element, "time", "0")),
    )


def _text(element: ElementTree.Element, path: str, default: str = "") -> str:
    return (element.findtext(path) or default).strip()
