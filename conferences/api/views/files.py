"""The files of recordings, for whoever holds a link. Parts of them too: that is how players seek."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.origin import origin
from conferences.models import Recording
from conferences.services import links

CHUNK = 1 << 18
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
HEADERS = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class FileView(APIView):
    """One file. Who has the link may read it: no other credential is asked for, and none is taken."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def get(self, request: Request, recordingId: str, key: str, name: str) -> HttpResponseBase:  # noqa: N803 the path's names
        origin(request).path = request.path.replace(key, "…")  # logs keep no keys
        recording = links.follow(int(recordingId), key)
        filename = links.filename(recording) if "download" in request.query_params else ""
        if address := links.address(recording, filename):
            return HttpResponseRedirect(address)
        return _answer(request, recording, filename)

    head = get


def _answer(request: Request, recording: Recording, filename: str) -> HttpResponseBase:
    size, etag = recording.size, f'"{recording.checksum}"'
    disposition = f'attachment; filename="{filename}"' if filename else "inline"
    headers = {**HEADERS, "ETag": etag, "Content-Disposition": disposition}
    part = _asked(request, size, etag)
    if part is None:
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    first, last = part
    headers["Content-Length"] = str(last - first + 1)
    is_part = (first, last) != (0, size - 1)
    if is_part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    status = 206 if is_part else 200
    if request.method == "HEAD":
        return HttpResponse(status=status, content_type="video/mp4", headers=headers)
    pieces = _pieces(links.read(recording), first, last + 1)
    return StreamingHttpResponse(pieces, status=status, content_type="video/mp4", headers=headers)


def _asked(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """The first and the last byte that are asked for: all of them where we need not understand more. None when there
    are no such bytes."""
    found = RANGE.fullmatch(request.headers.get("Range", ""))
    if not found or found[0] == "bytes=-" or request.headers.get("If-Range", etag) != etag:
        return 0, size - 1
    if not found[1]:
        first, last = size - int(found[2]), size - 1
    else:
        first, last = int(found[1]), int(found[2] or size)
    first, last = max(first, 0), min(last, size - 1)
    return (first, last) if first <= last else None


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (piece := file.read(min(CHUNK, end - start))):
            start += len(piece)
            yield piece
