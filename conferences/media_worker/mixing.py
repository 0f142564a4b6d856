"""Mixing as work of the media worker: every mix that was started, until it is stopped or has had no input for long."""

from __future__ import annotations

import logging
import time
from threading import Thread

from django.conf import settings
from django.db import DatabaseError, connection

from conferences.media.mixer import Mixer, Report
from conferences.media.scene import Output
from conferences.media_worker.work import Hold
from conferences.models import MediaJob, Mix
from conferences.services import mixes
from conferences.services.streams import own_url

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
# So long a mix goes on without any input, or without being published.
PATIENCE_SECONDS = 30.0
UNPUBLISHED_SECONDS = 120.0


class MixerWork:
    kind = MediaJob.Kind.MIXER
    capacity = settings.MIXES_AT_ONCE

    def wanted(self) -> set[int]:
        return mixes.wanted()

    def run(self, hold: Hold) -> None:
        order = mixes.order_of(hold.target)
        if order is not None:
            _Mixing(hold, Mix.objects.select_related("stream").get(pk=hold.target), order).run()

    def tidy(self, claimed: set[int]) -> None:
        """A mix leaves nothing behind."""


class _Mixing:
    """One mix: a thread that mixes, and this one, which looks after what is wanted of it."""

    def __init__(self, hold: Hold, mix: Mix, order: mixes.Order) -> None:
        self._hold, self._mix, self._order = hold, mix, order
        self._published_at = time.monotonic()
        self._mixer = Mixer(
            Output(mix.width, mix.height, mix.fps, mix.bitrate),
            order.scene,
            url=lambda name: own_url("play", self._order.media_names.get(name, "none")),
            publish_url=lambda: own_url("publish", mix.stream.media_name),
        )

    def run(self) -> None:
        thread = Thread(target=self._mixer.run, name=f"mix-{self._mix.pk}")
        thread.start()
        try:
            while thread.is_alive() and not self._hold.wait(LOOK_SECONDS) and self._goes_on():
                pass
        finally:
            self._mixer.stop()
            thread.join()

    def _goes_on(self) -> bool:
        """Show what is wanted now, and say what is missing; whether there is anything left to do."""
        try:
            order = mixes.order_of(self._mix.pk)
            if order is None:
                return False
            if order.scene != self._order.scene:
                self._mixer.show(order.scene)
            self._order = order
            return self._tell(self._mixer.report())
        except DatabaseError as error:  # what is mixed goes on
            logger.warning("mix %s goes on unasked: %s", self._mix.pk, type(error).__name__)
            return True
        finally:
            connection.close()  # one for each mix would be many, and mostly idle

    def _tell(self, report: Report) -> bool:
        why = None
        if self._order.live:
            self._published_at = time.monotonic()
        if report.idle_seconds > PATIENCE_SECONDS:
            why = Mix.StopReason.INPUTS_GONE
        elif time.monotonic() - self._published_at > UNPUBLISHED_SECONDS:
            why = Mix.StopReason.NOT_PUBLISHED
        with self._hold.writing():
            if why:
                mixes.finish(self._mix.pk, why)
            elif report.missing != self._order.missing:
                mixes.note_missing(self._mix.pk, report.missing)
        return why is None
