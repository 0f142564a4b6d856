"""Snapshots: what a conference is at one moment, and what happened since a number. Reads only, locks nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import Subquery

from accounts.actors import Actor
from accounts.errors import DomainError
from conferences.errors import ConferenceNotFound
from conferences.events import NEUTRAL_FIELDS, neutral
from conferences.models import Conference, ConferenceType, Event, Member, Role, rows
from conferences.permissions import Action, require
from conferences.services.access import roles_of

PAGE = 200
# Who asks for the rest may have it in larger ones.
LARGEST_PAGE = 1000
# A client that is further behind than this takes a snapshot.
MAX_REPLAY = 1000


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """Who asks for which page of members: those after number `after`, at most `limit`."""

    actor: Actor
    after: int = 0
    limit: int = PAGE


@dataclass(frozen=True, slots=True, eq=False)
class MemberPage:
    """Members in the order of their numbers; `cursor` is the number to go on after, None at the end."""

    members: list[dict[str, Any]]
    cursor: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A conference as it was when its last number was `seq`: everything is of the same moment.

    `page` holds the first members whom everybody may see: in LIVE none of the audience. `seats` are the seats
    that were asked for by number, ended or not.
    """

    seq: int
    conference: Conference
    page: MemberPage
    streams: list[dict[str, Any]]
    seats: dict[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conference is, and how many are inside."""

    seq: int
    talkers: int
    audience: int
    hides_audience: bool


# One statement, so that all of it is of one moment; JSON, so that 200 members are one value to read. A test
# compares it with what the ORM reads.
_SEATS = (
    "conferences_member m JOIN accounts_user u ON u.id = m.user_id WHERE m.conference_id = conferences_conference.id"
)
_SNAPSHOT = f"""
SELECT {rows.columns(Conference)},
(SELECT json_agg(shown)::text FROM (
  SELECT m.number AS member, m.role, m.muted, u.name, m.nick_name, m.ext FROM {_SEATS} AND m.state <> 'exited'
  AND m.role >= CASE conferences_conference.type WHEN {ConferenceType.LIVE} THEN {Role.TALKER} ELSE 0 END
  ORDER BY m.number LIMIT {PAGE + 1}) shown),
(SELECT json_agg(seats)::text FROM (
  SELECT m.number AS member, m.role, m.muted, m.state, m.exit_reason AS reason, m.connection
  FROM unnest(%(numbers)s::int[]) asked JOIN conferences_member m
  ON m.conference_id = conferences_conference.id AND m.number = asked) seats),
(SELECT json_agg(live)::text FROM (
  SELECT coalesce(m.number, 0) AS member, coalesce(u.name, '') AS name,
  s.rtc_id, s.type, s.kind, s.video_off, s.audio_off FROM conferences_stream s
  LEFT JOIN conferences_member m ON m.id = s.member_id LEFT JOIN accounts_user u ON u.id = m.user_id
  WHERE s.conference_id = conferences_conference.id AND s.state = 'live' ORDER BY s.started_at, s.id) live)
FROM conferences_conference WHERE id = %(conference)s
"""  # noqa: S608 no input
_MEMBERS = """
SELECT json_agg(found)::text FROM (
  SELECT m.number AS member, m.role, m.muted, u.name, m.nick_name, m.ext
  FROM conferences_member m JOIN accounts_user u ON u.id = m.user_id
  WHERE m.conference_id = %s AND m.number > %s AND m.state <> 'exited' AND m.role >= %s
  ORDER BY m.number LIMIT %s) found
"""
_COLUMNS = len(Conference._meta.concrete_fields)


def take_snapshot(conference_id: int, numbers: Collection[int] = ()) -> Snapshot:
    """Read a conference in one statement. Raises: ConferenceNotFound, when it was purged."""
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT, {"conference": conference_id, "numbers": list(numbers)})
        row = cursor.fetchone()
    if row is None:
        raise ConferenceNotFound()
    conference = rows.instance(Conference, row[:_COLUMNS])
    shown, seats, streams = (orjson.loads(value or "[]") for value in row[_COLUMNS:])
    return Snapshot(
        seq=conference.last_seq,
        conference=conference,
        page=_page(shown, PAGE),
        streams=[_stream(stream) for stream in streams],
        seats={seat["member"]: seat for seat in seats},
    )


def _page(members: list[dict[str, Any]], limit: int) -> MemberPage:
    page = members[:limit]
    return MemberPage(page, page[-1]["member"] if len(members) > limit else None)


def _stream(row: dict[str, Any]) -> dict[str, Any]:
    """A stream as facts tell it (`services.streams.describe`), with its owner."""
    member, name = row.pop("member"), row.pop("name")
    return {"member": member, "name": name, "stream": {"id": f"{row['rtc_id']}__Of_M{member}", **row}}


def list_members(conference_id: int, questions: Sequence[PageQuestion]) -> list[MemberPage | DomainError]:
    """For each who asks: the members with a seat whose number is greater than `after`, audience of LIVE included.

    Who may not ask gets the refusal (NotAllowed, ScopeMissing); who ask for the same page share one. Raises:
    ConferenceNotFound, when it was purged.
    """
    conference = Conference.objects.find_id(conference_id)
    if conference is None:
        raise ConferenceNotFound()
    read = cache(lambda after, limit: _page(_members(conference_id, after, limit + 1), limit))
    roles = roles_of([question.actor for question in questions], conference)
    return [_answer(question, role, read) for question, role in zip(questions, roles, strict=True)]


def _answer(
    question: PageQuestion, role: int | None, read: Callable[[int, int], MemberPage]
) -> MemberPage | DomainError:
    try:
        require(question.actor, Action.LIST_MEMBERS, role)
    except DomainError as refusal:
        return refusal
    return read(question.after, question.limit)


def with_everybody(snapshot: Snapshot) -> Snapshot:
    """The snapshot with all on its page whom everybody may see. Those after the first page are as they are now."""
    if snapshot.page.cursor is None:
        return snapshot
    least_role = Role.TALKER if snapshot.conference.hides_audience else 0
    others = _members(snapshot.conference.pk, snapshot.page.cursor, None, least_role)
    return replace(snapshot, page=MemberPage(snapshot.page.members + others, None))


def _members(conference_id: int, after: int, limit: int | None, least_role: int = 0) -> list[dict[str, Any]]:
    ((found,),) = rows.execute(_MEMBERS, [conference_id, after, least_role, limit])
    members: list[dict[str, Any]] = orjson.loads(found or "[]")
    return members


def facts_after(conference_id: int, seq: int, limit: int = MAX_REPLAY) -> list[dict[str, Any]]:
    """The neutral facts with a number greater than `seq`, in order."""
    events = Event.objects.filter(conference=conference_id, seq__gt=seq).order_by("seq")
    return [neutral(event) for event in events.only(*NEUTRAL_FIELDS)[:limit]]


def missed(member: Member, since: int) -> list[dict[str, Any]] | None:
    """What a member who is back has missed since number `since`; None when it had better take a snapshot.

    `since` may be too old, ahead of the conference, or from before the member had this seat.
    """
    behind = member.conference.last_seq - since
    if not 0 <= behind <= MAX_REPLAY:
        return None
    facts = facts_after(member.conference_id, since)
    is_of_an_older_seat = any(
        fact["type"] == "member.joined" and fact["data"]["member"] == member.number for fact in facts
    )
    return None if is_of_an_older_seat else facts


def last_heard(member: Member) -> int | None:
    """The last number that a member who has just come back had surely heard when it went, if anybody knows."""
    presence = Event.objects.filter(
        conference=member.conference_id, type__in=("member.lost", "member.returned"), data__member=member.number
    )
    before = presence.order_by("-seq").values_list("type", "data")[1:2]
    return next((data["told"] for kind, data in before if kind == "member.lost"), None)


def endings(member: Member) -> list[dict[str, Any]]:
    """The neutral facts by which members and streams went while this member was inside, in order."""
    seat = Event.objects.filter(conference=member.conference_id, type="member.joined", data__member=member.number)
    gone = Event.objects.filter(conference=member.conference_id, type__in=("member.exited", "stream.removed"))
    since = seat.values_list("seq", flat=True)[:1]
    return [neutral(event) for event in gone.filter(seq__gt=Subquery(since)).order_by("seq")]


def progress(conference_ids: Collection[int]) -> dict[int, Progress]:
    """How far each of these conferences is, in one statement."""
    rows = Conference.objects.filter(pk__in=conference_ids)
    return {
        pk: Progress(seq, talkers, audience, kind == ConferenceType.LIVE)
        for pk, seq, talkers, audience, kind in rows.values_list("pk", "last_seq", "talkers", "audience", "type")
    }
