"""What was: the reports of one life of a room, and of many by day. Reads rows; the arithmetic is in attendance.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from conferences.dashboard.attendance import TOLD, Attendance, Fact, Replay, Seat, attendance
from conferences.dashboard.days import begin_of, end_of
from conferences.dashboard.scope import Scope
from conferences.models import Conference, Event, ExitReason, Member

MODERATION = ("ban.added", "ban.lifted", "conference.muted", "member.muted", "member.exited")
EVENTS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Report:
    """One life of a room, added up."""

    attendance: list[Attendance]
    peak: int
    peak_seq: int
    begin: datetime
    end: datetime

    @property
    def lasted(self) -> timedelta:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who was inside at a moment."""

    name: str
    seat: Seat


@dataclass(frozen=True, slots=True)
class Moment:
    """The room as it was after the fact number `seq`, who talks first; and the facts around that one."""

    seq: int
    at: datetime
    present: list[Present]
    events: list[Event]


def facts_of(conference: Conference, upto: int | None = None) -> Iterator[Fact]:
    """What decides who was inside, in order."""
    told = Event.objects.filter(conference=conference, type__in=TOLD)
    if upto is not None:
        told = told.filter(seq__lte=upto)
    return map(Fact._make, told.order_by("seq").values_list("seq", "type", "at", "data").iterator())


def names_of(conference: Conference) -> dict[int, str]:
    """The user of each seat's number: of today, so that who was erased stays erased."""
    return dict(Member.objects.filter(conference=conference).values_list("number", "user__name"))


def report_of(conference: Conference) -> Report:
    replay = Replay().run(facts_of(conference))
    end = conference.closed_at or timezone.now()
    seats = replay.finish(end)
    begin = conference.entered_at or conference.created_at
    return Report(attendance(seats, names_of(conference)), replay.peak, replay.peak_seq, begin, max(begin, end))


def moment_of(conference: Conference, seq: int) -> Moment:
    """The room after fact `seq`, which is brought within what there is."""
    seq = max(1, min(seq, conference.last_seq))
    names = names_of(conference)
    inside = Replay().run(facts_of(conference, seq)).inside
    present = [Present(names[number], seat) for number, seat in inside.items()]
    first = (seq - 1) // EVENTS_AT_ONCE * EVENTS_AT_ONCE
    around = Event.objects.filter(conference=conference, seq__gt=first, seq__lte=first + EVENTS_AT_ONCE).order_by("seq")
    events = list(around)
    at = next(event.at for event in events if event.seq == seq)
    return Moment(seq, at, sorted(present, key=lambda each: (-each.seat.role, each.seat.number)), events)


def moderation_of(conference: Conference) -> QuerySet[Event]:
    """Kicks, bans and mutes. What "mute all" did to each is told once, by the fact about all."""
    found = Event.objects.filter(conference=conference, type__in=MODERATION)
    leaving = Q(type="member.exited") & ~Q(data__reason=ExitReason.KICKED)
    return found.exclude(leaving).exclude(type="member.muted", data__all=True).order_by("seq")


def neighbours_of(conference: Conference) -> tuple[Conference | None, Conference | None]:
    """The lives of the same room before and after this one. A nameless room lives once."""
    if not conference.name:
        return None, None
    lives = Conference.objects.filter(application=conference.application_id, name=conference.name)
    over = lives.filter(state=Conference.State.CLOSED)
    before = over.filter(pk__lt=conference.pk).order_by("-pk").first()
    after = over.filter(pk__gt=conference.pk).order_by("pk").first()
    return before, after or lives.filter(pk__gt=conference.pk, state=Conference.State.LIVE).first()


def closed_between(scope: Scope, first: date, last: date) -> QuerySet[Conference]:
    """What ended from the beginning of a day to the end of another."""
    return Conference.objects.filter(
        application__in=scope.applications,
        state=Conference.State.CLOSED,
        closed_at__gte=begin_of(first),
        closed_at__lte=end_of(last),
    )


@dataclass(frozen=True, slots=True)
class Day:
    """What ended on one day. `present` is the time in seats of all members together."""

    day: date
    conferences: int
    entries: int
    users: int
    present: timedelta
    longest: timedelta


def by_day(found: QuerySet[Conference]) -> list[Day]:
    """`found` per day of its end, the days without any left out."""
    day = TruncDate("closed_at")
    rows = found.order_by().annotate(day=day).values("day")
    counts = rows.annotate(
        count=Count("pk"), entries=Sum("member_serial"), longest=Max(F("closed_at") - F("entered_at"))
    )
    seats = Member.objects.filter(conference__in=found.order_by()).annotate(day=TruncDate("conference__closed_at"))
    summed = seats.values("day").annotate(
        users=Count("user", distinct=True), present=Sum(F("exited_at") - F("entered_at"))
    )
    times: dict[date, Any] = {row["day"]: row for row in summed}
    nothing = {"users": 0, "present": timedelta()}
    return [
        Day(
            row["day"],
            row["count"],
            row["entries"],
            times.get(row["day"], nothing)["users"],
            times.get(row["day"], nothing)["present"],
            row["longest"] or timedelta(),
        )
        for row in counts.order_by("day")
    ]
