"""Samples: what charts are drawn from. Taken by a job, so that looking at a chart costs no counting."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from django.db.models import Count, F, QuerySet, Sum
from django.utils import timezone
from redis.exceptions import RedisError

from conferences import delivery, refusals
from conferences.models import Conference, Event, Sample, Stream

logger = logging.getLogger(__name__)

STEP = timedelta(seconds=10)
# After a pause of the job, what happened meanwhile is in one sample; but not the night.
LONGEST = timedelta(minutes=1)
KEPT = timedelta(days=3)
BATCH = 50_000


def take_samples() -> int:
    """Note how every application is and what happened since the last time; answers of how many.

    The number of statements does not depend on the number of applications.
    """
    at = _step(timezone.now())
    last = Sample.objects.filter(application=None, at__gte=at - LONGEST).order_by("-at").values_list("at", flat=True)
    since = last.first() or at - STEP
    if since >= at:
        return 0
    taken: defaultdict[int | None, Sample] = defaultdict(lambda: Sample(at=at))
    taken[None].application_id = None
    _count_present(taken)
    _count_past(taken, since, at)
    _count_refusals(taken)
    for application_id, sample in taken.items():
        sample.application_id = application_id
    Sample.objects.bulk_create(taken.values(), ignore_conflicts=True)
    delivery.notify(delivery.EVERYBODY, {"type": "sample.taken", "data": {}})
    return len(taken)


def _count_present(taken: defaultdict[int | None, Sample]) -> None:
    live = Conference.objects.filter(state=Conference.State.LIVE).values_list("application_id")
    for application_id, number, inside in live.annotate(Count("pk"), inside=Sum(F("talkers") + F("audience"))):
        taken[application_id].conferences, taken[application_id].members = number, inside
    streams = Stream.objects.live().values_list("conference__application_id")
    for application_id, number, bits in streams.annotate(Count("pk"), Sum("bitrate")):
        taken[application_id].streams, taken[application_id].bitrate = number, bits


def _count_past(taken: defaultdict[int | None, Sample], since: datetime, at: datetime) -> None:
    happened = Event.objects.filter(at__gte=since, at__lt=at, type__in=("member.joined", "media.repaired"))
    by_kind = happened.values_list("conference__application_id", "type").annotate(Count("pk"))
    for application_id, kind, number in by_kind:
        if kind == "member.joined":
            taken[application_id].joins = number
        else:
            taken[application_id].repairs = number


def _count_refusals(taken: defaultdict[int | None, Sample]) -> None:
    try:
        collected = refusals.collect()
    except RedisError as error:
        logger.warning("refusals are in the next sample: %s", type(error).__name__)
        return
    for whose, causes in collected.items():
        sample = taken[whose or None]
        sample.refusals, sample.refused = causes, sum(causes.values())


def _step(moment: datetime) -> datetime:
    """The last full step before `moment`."""
    seconds = STEP.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def purge() -> int:
    """Delete a batch of the samples that no chart shows any more; answers how many."""
    old: QuerySet[Sample] = Sample.objects.filter(at__lt=timezone.now() - KEPT)
    batch = old.order_by("at").values_list("pk", flat=True)[:BATCH]
    return Sample.objects.filter(pk__in=list(batch)).delete()[0]
