"""Changes: in which conferences something happened, for who watches many. Coarse: told once a second at most.

Wake-ups tell nearly all of it. What Redis lost is found by asking the tables every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.utils import timezone

from accounts.threads import in_thread
from conferences.delivery import EVERYBODY
from conferences.services import oversight
from conferences.services.oversight import Home

logger = logging.getLogger(__name__)

# What happens together is told together, and then nothing for the rest of a second.
GATHER_SECONDS = 0.1
REST_SECONDS = 0.9
SWEEP_SECONDS = 3.0
# A fact has its time before it is committed: whoever waited for locks may be this late.
LOOK_BACK = timedelta(seconds=15)
MAX_KNOWN = 50_000
ACCOUNT_ACTS = "application.changed"


@dataclass(slots=True, eq=False)
class Watch:
    """Who watches `applications` (None: all there are) is told the types of what happened, and in which
    conferences."""

    applications: frozenset[int] | None
    tell: Callable[[set[str], set[str]], None]

    def covers(self, application_id: int) -> bool:
        return self.applications is None or application_id in self.applications


@dataclass(slots=True)
class _News:
    """What happened since it was last told: by conference, and in the applications' own logs."""

    types: dict[int, set[str]] = field(default_factory=dict)
    applications: set[int] = field(default_factory=set)


class Changes:
    """Gathers what happened while somebody watches; costs nothing while nobody does."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._news = _News()
        self._noted, self._watched = asyncio.Event(), asyncio.Event()
        self._reached: dict[tuple[int, str], int] = {}
        self._homes: dict[int, Home] = {}
        self._logs: dict[int, int] = {}

    @property
    def is_watched(self) -> bool:
        return bool(self._watches)

    async def watch(self, watch: Watch) -> None:
        """From now on `watch` is told. Raises: DatabaseError."""
        self._watches.add(watch)
        if not self._watched.is_set():
            self._remember(await in_thread(oversight.recent, timezone.now() - LOOK_BACK))
            self._watched.set()

    def leave(self, watch: Watch) -> None:
        self._watches.discard(watch)
        if not self._watches:
            self._watched.clear()

    def note(self, conference_id: int, facts: Iterable[dict[str, Any]]) -> None:
        """These were committed just now, or are a note."""
        for fact in facts:
            self._note(conference_id, fact["type"], fact["seq"])

    def _note(self, conference_id: int, kind: str, seq: int) -> None:
        self._news.types.setdefault(conference_id, set()).add(kind)
        self._reached[conference_id, kind] = max(self._reached.get((conference_id, kind), 0), seq)
        self._noted.set()

    async def tell(self) -> None:
        """Tell whoever watches, for ever."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._noted.clear()
            news, self._news = self._news, _News()
            try:
                await self._learn_homes(news)
                self._tell(news)
            except DatabaseError as error:
                logger.warning("changes are told later: %s", type(error).__name__)
                self._put_back(news)
            await asyncio.sleep(REST_SECONDS)

    async def sweep(self) -> None:
        """Find what no wake-up told, for ever."""
        while True:
            await self._watched.wait()
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self._compare(await in_thread(oversight.recent, timezone.now() - LOOK_BACK))
            except DatabaseError as error:
                logger.warning("what Redis lost is found later: %s", type(error).__name__)

    def _remember(self, recent: oversight.Recent) -> None:
        """What is known already by who begins to watch."""
        self._reached = {(fact.conference_id, fact.type): fact.seq for fact in recent.facts}
        self._logs = recent.logs

    def _compare(self, recent: oversight.Recent) -> None:
        heard, logs = self._reached, self._logs
        self._remember(recent)
        for fact in recent.facts:
            if fact.seq > heard.get((fact.conference_id, fact.type), 0):
                self._note(*fact)
        if grown := {pk for pk, seq in recent.logs.items() if logs.get(pk, 0) < seq}:
            self._news.applications |= grown
            self._noted.set()

    async def _learn_homes(self, news: _News) -> None:
        unknown = news.types.keys() - self._homes.keys() - {EVERYBODY}
        if not unknown or not self._watches:
            return
        if len(self._homes) > MAX_KNOWN:
            self._homes.clear()
            unknown = news.types.keys() - {EVERYBODY}
        self._homes |= await in_thread(oversight.homes, unknown)

    def _tell(self, news: _News) -> None:
        for watch in list(self._watches):
            types, conferences = self._seen_by(watch, news)
            if types:
                watch.tell(types, conferences)

    def _seen_by(self, watch: Watch, news: _News) -> tuple[set[str], set[str]]:
        types, conferences = set(news.types.get(EVERYBODY, ())), set[str]()
        for conference_id, happened in news.types.items():
            home = self._homes.get(conference_id)
            if home is not None and watch.covers(home.application_id):
                types |= happened
                conferences.add(home.confr_id)
        if any(watch.covers(application_id) for application_id in news.applications):
            types.add(ACCOUNT_ACTS)
        return types, conferences

    def _put_back(self, news: _News) -> None:
        for conference_id, types in news.types.items():
            self._news.types.setdefault(conference_id, set()).update(types)
        self._news.applications |= news.applications
        self._noted.set()
