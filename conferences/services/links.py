"""Links to recordings: signed addresses that expire, for browsers and players that know no credentials of ours."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from django.conf import settings
from django.utils.http import base36_to_int, int_to_base36

from accounts.errors import Unavailable
from accounts.keys import b64, signer, unb64
from conferences.errors import RecordingLinkExpired, RecordingLinkInvalid, RecordingNotFound
from conferences.media import storage
from conferences.media.storage import StorageFailed
from conferences.models import Recording

logger = logging.getLogger(__name__)

PURPOSE = "recording"
RETRY_SECONDS = 10
FORM = re.compile(r"([0-9a-z]{1,12})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Link:
    """Where a file can be read until then, by whoever has the address."""

    path: str
    expires_at: datetime

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}{self.path}"


def link(recording: Recording) -> Link | None:
    """A link to a recording that is ready, for whoever was let to see it; None for one that is not."""
    if recording.state != Recording.State.READY:
        return None
    expires_at = int(time.time()) + settings.RECORDING_LINK_SECONDS
    mac = signer(settings.KEYS["signing"]).sign(PURPOSE, _message(recording.pk, expires_at))
    key = f"{int_to_base36(expires_at)}.{b64(mac)}"
    path = f"/api/v1/recordings/{recording.pk}/file/{key}/{filename(recording)}"
    return Link(path, datetime.fromtimestamp(expires_at, UTC))


def follow(recording_id: int, key: str) -> Recording:
    """The recording that a link leads to.

    Raises: RecordingLinkInvalid, RecordingLinkExpired; RecordingNotFound, when it was deleted since.
    """
    form = FORM.fullmatch(key)
    if form is None:
        raise RecordingLinkInvalid()
    expires_at = base36_to_int(form[1])
    if not signer(settings.KEYS["signing"]).verify(PURPOSE, _message(recording_id, expires_at), unb64(form[2])):
        raise RecordingLinkInvalid()
    if time.time() >= expires_at:
        raise RecordingLinkExpired()
    ready = Recording.objects.kept().select_related("conference").filter(state=Recording.State.READY)
    recording = ready.filter(pk=recording_id).first()
    if recording is None:
        raise RecordingNotFound()
    return recording


def address(recording: Recording, filename: str) -> str | None:
    """Where the storage gives the file out itself, saved as `filename` unless that is ""; None: `read` it.

    Raises: Unavailable.
    """
    with _storing():
        return storage.address(recording.storage_name, filename, settings.RECORDING_LINK_SECONDS)


def read(recording: Recording) -> BinaryIO:
    """The file itself. Raises: Unavailable."""
    with _storing():
        return storage.open_stored(recording.storage_name)


@contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except StorageFailed as error:
        logger.warning("a recording cannot be read: %s", error)
        raise Unavailable(retry_after=RETRY_SECONDS) from error


def filename(recording: Recording) -> str:
    """What a browser saves the file as: letters, digits and "-" only, nobody's name."""
    return f"{recording.conference.confr_id}-{recording.pk}.mp4"


def _message(recording_id: int, expires_at: int) -> bytes:
    return f"{recording_id}|{expires_at}".encode()
