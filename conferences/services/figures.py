"""Figures: how busy applications are now. Reads only; a constant number of statements, however much there is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from conferences.models import Conference, ConferenceType, Event, Sample, Stream

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What there is at this moment; `joins` are those of the last minute."""

    conferences: int
    members: int
    streams: int
    bitrate: int
    joins: int


def figures(applications: Collection[int]) -> Figures:
    """What these applications are together now, in three statements."""
    rooms = live(applications).aggregate(number=Count("pk"), inside=Coalesce(Sum(F("talkers") + F("audience")), 0))
    streams = Stream.objects.live().filter(conference__application__in=applications)
    media = streams.aggregate(number=Count("pk"), bits=Coalesce(Sum("bitrate"), 0))
    joins = Event.objects.filter(
        at__gte=timezone.now() - MINUTE, type="member.joined", conference__application__in=applications
    )
    return Figures(rooms["number"], rooms["inside"], media["number"], media["bits"], joins.count())


def busiest(applications: Collection[int], count: int) -> list[Conference]:
    """The live conferences with most inside, each with `inside` and its `live_streams`."""
    streams = Stream.objects.live().filter(conference=OuterRef("pk")).order_by().values("conference")
    number = Coalesce(Subquery(streams.annotate(number=Count("pk")).values("number")), 0)
    found = live(applications).annotate(inside=F("talkers") + F("audience"), live_streams=number)
    return list(found.filter(inside__gt=0).order_by("-inside", "pk")[:count])


def full(applications: Collection[int]) -> int:
    """How many live conferences have no seat left (see `Conference.max_members`)."""
    small = Q(type=ConferenceType.COMMUNICATION)
    inside, seats = F("talkers") + F("audience"), F("max_talkers") + F("max_audience")
    found = live(applications).alias(inside=inside, seats=seats)
    return found.filter(small & Q(inside__gte=F("max_talkers")) | ~small & Q(inside__gte=F("seats"))).count()


def live(applications: Collection[int]) -> QuerySet[Conference]:
    return Conference.objects.filter(application__in=applications, state=Conference.State.LIVE)


def sampled_at() -> datetime | None:
    """When somebody looked for the last time, None when nobody ever did."""
    return Sample.objects.filter(application=None).order_by("-at").values_list("at", flat=True).first()
