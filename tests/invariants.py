"""What must hold of every conference after whatever happened to it."""

from __future__ import annotations

from django.db.models import Count, Q

from conferences.models import Conference, Event, MediaSession, Member, Role, Stream
from conferences.services.audit import verify_conference


def assert_consistent(conference: Conference, *, within_limits: bool = True) -> None:
    """Counters say what the rows say, nothing is above its limit, the facts have no gap and the chain holds."""
    row = Conference.objects.get(pk=conference.pk)
    _assert_counters(row)
    if within_limits:
        _assert_limits(row)
    _assert_facts(row)
    _assert_nothing_dangles(row)


def _assert_counters(row: Conference) -> None:
    seated = Member.objects.seated().filter(conference=row)
    counted = seated.aggregate(
        talkers=Count("pk", filter=Q(role__gte=Role.TALKER)),
        audience=Count("pk", filter=Q(role=Role.AUDIENCE)),
        admins=Count("pk", filter=Q(role=Role.ADMIN)),
    )
    live = Stream.objects.live().filter(conference=row)
    counted |= live.aggregate(
        videos=Count("pk", filter=Q(seat="video")), desktops=Count("pk", filter=Q(seat="desktop"))
    )
    assert {name: getattr(row, name) for name in counted} == counted
    users = list(seated.values_list("user_id", flat=True))
    assert len(users) == len(set(users))


def _assert_limits(row: Conference) -> None:
    for name in ("talkers", "audience", "videos", "desktops"):
        assert getattr(row, name) <= getattr(row, f"max_{name}"), name
    assert row.members_count <= row.max_members


def _assert_facts(row: Conference) -> None:
    seqs = list(Event.objects.filter(conference=row).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, row.last_seq + 1))
    assert list(verify_conference(row)) == []


def _assert_nothing_dangles(row: Conference) -> None:
    """Streams and media sessions belong to somebody who may have them."""
    streams = Stream.objects.filter(conference=row)
    seats = streams.exclude(state=Stream.State.LIVE).exclude(seat="")
    assert not seats.exists()
    publishers = MediaSession.objects.filter(conference=row, action="publish", closed_at=None, revoked_at=None)
    for stream in streams.live().select_related("member"):
        assert stream.member is not None
        assert stream.member.state != Member.State.EXITED
        assert stream.member.talks
        assert publishers.filter(stream=stream).count() == 1
    may_stay = MediaSession.objects.filter(conference=row, closed_at=None, revoked_at=None)
    assert not may_stay.filter(member__state=Member.State.EXITED).exists()
    assert not may_stay.exclude(stream__state=Stream.State.LIVE).exists()
    if row.state == Conference.State.CLOSED:
        assert row.members_count == 0
        assert not streams.open().exists()
        assert not may_stay.exists()
