"""Pictures of live streams. Who wants one says so, and for a while a worker keeps it fresh; both stand in Redis.

A picture is kept by the stream's media name, which is handed to nobody but those who may see the stream.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Collection, Mapping
from threading import BoundedSemaphore, Event
from typing import cast

import orjson
from django.conf import settings
from redis.exceptions import RedisError

from accounts.actors import Actor
from accounts.redis import client, key
from conferences import metrics
from conferences.errors import PictureNotReady, StreamEnded, StreamHasNoPicture
from conferences.media.base import media_server
from conferences.media.snapshot import LATE_SECONDS, Load, Picture, Pool
from conferences.models import Kind, Stream
from conferences.permissions import Action, require
from conferences.services.access import find_readable
from conferences.services.streams import find_stream, own_url

logger = logging.getLogger(__name__)

# Whoever shows a picture asks again within half of this.
WANTED_SECONDS = 20
KEPT_SECONDS = 30
REST_SECONDS = 0.1
PATIENCE_SECONDS = 1.0
# A worker's turn takes at most a few seconds.
TURN_SECONDS = 15

# Who waits for a picture holds a thread of the web process: the others must find some.
_MAY_WAIT = BoundedSemaphore(max(1, settings.DB_THREADS // 2))


def get_stream_snapshot(*, actor: Actor, confr_id: str, stream_id: str) -> Picture:
    """A picture of a live stream, at most ten seconds old. Where none is there yet, it waits for one up to a second.

    Raises: ConferenceNotFound, NotAllowed, ScopeMissing, StreamNotFound, StreamEnded, StreamHasNoPicture,
    PictureNotReady.
    """
    conference = find_readable(actor, confr_id, Action.SNAPSHOT)
    stream = find_stream(conference, stream_id)
    if stream.state != Stream.State.LIVE:
        raise StreamEnded(stream=stream_id)
    if not has_picture(stream):
        raise StreamHasNoPicture(stream=stream_id)
    picture = _fresh(stream) or _wait_for(stream)
    if picture is None:
        raise PictureNotReady(retry_after=1)
    return picture


def latest_picture(*, actor: Actor, stream: Stream) -> Picture | None:
    """The latest picture of a stream, without waiting; None where there is none, and of a stream that is not live.

    Raises: NotAllowed, ScopeMissing.
    """
    require(actor, Action.SNAPSHOT)
    return picture_of(stream) if stream.state == Stream.State.LIVE and has_picture(stream) else None


def pictures_taken_at(*, actor: Actor, streams: Collection[Stream]) -> dict[int, int]:
    """When the latest picture of each was taken, in milliseconds, by the stream's primary key; and a wish for the next.

    Raises: NotAllowed, ScopeMissing.
    """
    require(actor, Action.SNAPSHOT)
    seen = [stream for stream in streams if stream.state == Stream.State.LIVE and has_picture(stream)]
    if not seen:
        return {}
    try:
        with client().pipeline(transaction=False) as pipe:
            pipe.zadd(key("pictures", "wanted"), {stream.media_name: time.time() + WANTED_SECONDS for stream in seen})
            for stream in seen:
                pipe.getrange(_kept_at(stream.media_name), 0, 7)
            _, *found = pipe.execute()
    except RedisError:
        return {}
    return {stream.pk: int.from_bytes(at, "big") for stream, at in zip(seen, found, strict=True) if at}


def has_picture(stream: Stream) -> bool:
    """Whether there is something to see in a stream that is live."""
    return stream.kind != Kind.AUDIO and not stream.video_off


def picture_of(stream: Stream) -> Picture | None:
    """The latest picture of a stream that the caller may see, if there is one, and a wish for the next."""
    try:
        with client().pipeline(transaction=False) as pipe:
            pipe.zadd(key("pictures", "wanted"), {stream.media_name: time.time() + WANTED_SECONDS})
            pipe.get(_kept_at(stream.media_name))
            _, found = pipe.execute()
    except RedisError as error:
        logger.warning("no picture: %s", type(error).__name__)
        return None
    return None if found is None else Picture(found[8:], int.from_bytes(found[:8], "big") / 1000)


def load() -> Load | None:
    """How the worker that takes the pictures fares; None when there is none. Raises: RedisError."""
    found = cast(bytes | None, client().get(key("pictures", "load")))
    return None if found is None else Load(*orjson.loads(found))


def _fresh(stream: Stream) -> Picture | None:
    picture = picture_of(stream)
    return picture if picture and time.time() - picture.taken_at <= LATE_SECONDS else None


def _wait_for(stream: Stream) -> Picture | None:
    if not _MAY_WAIT.acquire(blocking=False):
        return None
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (picture := _fresh(stream)) is None and time.monotonic() < deadline:
            time.sleep(REST_SECONDS)
        return picture
    finally:
        _MAY_WAIT.release()


# The worker


def keep_fresh(stop: Event) -> None:
    """Take the pictures that are wanted, until `stop`. Of several workers one does it, the others stand by."""
    pool = Pool(segment=media_server().newest_segment, url=lambda name: own_url("play", name), keep=_keep)
    worker = secrets.token_hex(8)
    try:
        while not stop.wait(REST_SECONDS):
            try:
                if _is_mine(worker):
                    _tell(pool.turn(_wanted()))
            except RedisError as error:
                logger.warning("no pictures: %s", type(error).__name__)
                stop.wait(1)
    finally:
        pool.close()


def _is_mine(worker: str) -> bool:
    """Whether this worker takes the pictures; it loses them when it is silent for a while."""
    with client().pipeline(transaction=False) as pipe:
        pipe.set(key("pictures", "worker"), worker, nx=True, ex=TURN_SECONDS)
        pipe.get(key("pictures", "worker"))
        is_mine = bool(pipe.execute()[1] == worker.encode())
    if is_mine:
        client().expire(key("pictures", "worker"), TURN_SECONDS)
    return is_mine


def _wanted() -> list[str]:
    with client().pipeline() as pipe:
        pipe.zremrangebyscore(key("pictures", "wanted"), 0, time.time())
        pipe.zrange(key("pictures", "wanted"), 0, -1)
        return [name.decode() for name in pipe.execute()[1]]


def _keep(pictures: Mapping[str, Picture]) -> None:
    with client().pipeline(transaction=False) as pipe:
        for name, picture in pictures.items():
            taken_at = int(picture.taken_at * 1000).to_bytes(8, "big")
            pipe.set(_kept_at(name), taken_at + picture.jpeg, ex=KEPT_SECONDS)
        pipe.execute()


def _tell(load: Load) -> None:
    """Say how many pictures are older than they should be: to the wall and to `/metrics`."""
    metrics.PICTURES_WANTED.set(load.wanted)
    metrics.PICTURES_LATE.set(load.late)
    client().set(key("pictures", "load"), orjson.dumps([load.wanted, load.late]), ex=TURN_SECONDS)


def _kept_at(media_name: str) -> str:
    return key("picture", media_name)
