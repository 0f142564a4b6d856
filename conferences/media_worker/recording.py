"""Recording as work of the media worker: every live stream of a recorded conference, into the folder of its
recording."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from conferences.media import recorder as pieces
from conferences.media.ffmpeg import FfmpegStalled
from conferences.media_worker.work import Hold
from conferences.models import Kind, MediaJob, Stream
from conferences.services import recorder, recordings, takes
from conferences.services.streams import own_url

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
GAP_SECONDS = 0.5
TIDY_SECONDS = 1.0


class RecorderWork:
    kind = MediaJob.Kind.RECORDER
    capacity = settings.RECORDINGS_AT_ONCE

    def __init__(self) -> None:
        self._recordings: dict[int, int] = {}  # what is being written now, by stream

    def wanted(self) -> set[int]:
        """Nothing while the disk is full. A stream whose recording is no longer that of the running take is left out,
        to begin anew."""
        if takes.is_disk_full():
            recordings.guard_space()
            return set()
        begun = dict(self._recordings)
        return {each.stream for each in recorder.wanted() if begun.get(each.stream, each.recording) == each.recording}

    def run(self, hold: Hold) -> None:
        stream = Stream.objects.get(pk=hold.target)
        try:
            _Recorder(hold, stream, self._recordings).run()
        finally:
            self._recordings.pop(stream.pk, None)
            for recording, of in recorder.over().items():
                if of == stream.pk:
                    _end(recording)

    def tidy(self, claimed: set[int]) -> None:
        """Hand in what is over though nobody records it any more: a worker died. What is left after a second waits
        for the next turn: meanwhile no claim is renewed, and nothing begins."""
        began = time.monotonic()
        for recording, stream in recorder.over().items():
            if stream not in claimed:
                _end(recording)
                if time.monotonic() - began > TIDY_SECONDS:
                    return


class _Recorder:
    """One stream, run after run, as long as it is wanted."""

    def __init__(self, hold: Hold, stream: Stream, recordings: dict[int, int]) -> None:
        self._hold, self._stream, self._recordings = hold, stream, recordings
        self._runs = 0
        self._recording = 0
        self._folder = Path()

    def run(self) -> None:
        pause = FIRST_PAUSE
        while not self._hold.stopping:
            try:
                if not self._begin():
                    return
                pause = FIRST_PAUSE if self._write() else min(pause * 2, LONGEST_PAUSE)
            except (DatabaseError, OSError) as error:
                logger.warning("recording of stream %s waits: %s", self._stream.pk, error)
                connection.close()
            self._hold.wait(pause)

    def _begin(self) -> bool:
        """Whether there may be a run now, into a folder that is known then."""
        with self._hold.writing():
            recording = recorder.began(stream=self._stream.pk, at=timezone.now())
        if recording is None:
            return False
        if recording != self._recording:
            self._recording = self._recordings[self._stream.pk] = recording
            self._folder = recorder.folder_of(recording)
            pieces.salvage(self._folder)
        return True

    def _write(self) -> bool:
        """One run; answers whether anything came."""
        before = pieces.segments(self._folder)
        self._runs += 1
        name = f"{self._hold.fence:010d}.{self._runs:04d}"
        url, picture = own_url("play", self._stream.media_name), self._stream.kind != Kind.AUDIO
        with pieces.Run(url, self._folder, name, picture=picture) as run:
            try:
                for _ in run.watch():
                    if run.has_more():
                        self._hand_in()
                    if self._hold.stopping or run.has_new_track:
                        break
            except FfmpegStalled as stall:
                logger.warning("the recorder of stream %s hung: %s", self._stream.pk, stall)
        if before and run.began_at:
            self._note_gap(before[-1].began_at + before[-1].seconds, run.began_at)
        self._hand_in()
        return run.began_at is not None

    def _hand_in(self) -> None:
        """Say that there is more in the folder. Where that fails it is said with the next piece."""
        try:
            with self._hold.writing():
                recorder.wrote(recording=self._recording)
        except DatabaseError as error:
            logger.warning("recording %s is not told of: %s", self._recording, type(error).__name__)
        finally:
            connection.close()  # one for each stream would be many, and mostly idle

    def _note_gap(self, since: float, until: float) -> None:
        if until - since > GAP_SECONDS:
            with self._hold.writing():
                recorder.missed(recording=self._recording, since=_moment(since), until=_moment(until))


def _end(recording: int) -> None:
    """Hand in a recording that is over."""
    try:
        pieces.salvage(recorder.folder_of(recording))
    except OSError as error:  # it is tried again at every turn
        logger.warning("recording %s cannot be finished yet: %s", recording, error)
    else:
        recorder.ended(recording=recording)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
