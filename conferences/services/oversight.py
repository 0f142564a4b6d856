"""Oversight: what the staff sees of conferences beyond what members see. Reads only, locks nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db.models import Max

from accounts.actors import Actor
from accounts.models import Application
from conferences.errors import ConferenceNotFound
from conferences.events import NEUTRAL_FIELDS, neutral
from conferences.models import Conference, Event, Member, Role, rows
from conferences.permissions import Action
from conferences.services.access import find_readable
from conferences.services.snapshots import MAX_REPLAY, facts_after

PAGE = 1000
# How much of what happened before is shown to who opens a conference.
MAX_PAST = 50


class Home(NamedTuple):
    """Whose a conference is, and what it is called on the wire."""

    application_id: int
    confr_id: str


class Latest(NamedTuple):
    """The greatest number of the facts of one type in one conference."""

    conference_id: int
    type: str
    seq: int


@dataclass(frozen=True, slots=True)
class Recent:
    """What happened lately: in conferences by type, and how far each application's own log is."""

    facts: list[Latest]
    logs: dict[int, int]


@dataclass(frozen=True, slots=True)
class Whole:
    """A conference as it was when its last number was `seq`, with all that the staff may see.

    `members` are those with a seat, the first `PAGE` of them in the order of their numbers; `cursor` is the number
    to go on after, None at the end. `waiting` are the requests for a role that nobody has answered, the oldest
    first. `past` are the last facts up to `seq`, neutral, in order; `names` are those of the seats that they tell of,
    by number, whether somebody sits there still or not.
    """

    seq: int
    conference: Conference
    members: list[dict[str, Any]]
    cursor: int | None
    streams: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    past: list[dict[str, Any]]
    names: dict[int, str]


def _millis(column: str) -> str:
    """A time as facts have it: milliseconds since the epoch, cut and not rounded."""
    return f"floor(extract(epoch FROM {column}) * 1000)::bigint"


# One statement each, so that all of it is of one moment.
_MEMBER = f"""
  SELECT m.number AS member, u.name, m.nick_name, m.ext, m.role, m.muted, m.state, host(m.address) AS address,
  m.device, {_millis("m.entered_at")} AS entered_at,
  {_millis("m.lost_at")} AS lost_at
  FROM conferences_member m JOIN accounts_user u ON u.id = m.user_id
"""  # noqa: S608 names of columns
_STREAM = f"""
  SELECT s.rtc_id || '__Of_M' || coalesce(m.number, 0) AS id, coalesce(m.number, 0) AS member,
  coalesce(u.name, '') AS name, s.rtc_id, s.type, s.kind, s.seat, s.video_off, s.audio_off, s.bitrate, s.width,
  s.height, {_millis("s.measured_at")} AS measured_at,
  {_millis("s.started_at")} AS started_at
  FROM conferences_stream s LEFT JOIN conferences_member m ON m.id = s.member_id
  LEFT JOIN accounts_user u ON u.id = m.user_id
"""  # noqa: S608 names of columns
_WHOLE = f"""
SELECT {rows.columns(Conference)},
(SELECT json_agg(seated)::text FROM ({_MEMBER}
  WHERE m.conference_id = conferences_conference.id AND m.state <> 'exited'
  ORDER BY m.number LIMIT {PAGE + 1}) seated),
(SELECT json_agg(live)::text FROM ({_STREAM}
  WHERE s.conference_id = conferences_conference.id AND s.state = 'live' ORDER BY s.started_at, s.id) live)
FROM conferences_conference WHERE id = %s
"""  # noqa: S608 no input
_MEMBERS = f"""
SELECT json_agg(found)::text FROM ({_MEMBER}
  WHERE m.conference_id = %s AND m.number > %s AND m.state <> 'exited' ORDER BY m.number LIMIT {PAGE + 1}) found
"""  # noqa: S608 no input


def watch(*, actor: Actor, confr_id: str) -> Conference:
    """The conference that somebody of the staff wants to watch. Raises: ConferenceNotFound, NotAllowed."""
    return find_readable(actor, confr_id, Action.LIST_EVENTS)


def take_whole(conference_id: int) -> Whole:
    """Read all of a conference. Raises: ConferenceNotFound, when it was purged."""
    found = rows.execute(_WHOLE, [conference_id])
    if not found:
        raise ConferenceNotFound()
    *columns, members, streams = found[0]
    conference = rows.instance(Conference, columns)
    page, cursor = _page(members)
    past = _past(conference)
    return Whole(
        seq=conference.last_seq,
        conference=conference,
        members=page,
        cursor=cursor,
        streams=orjson.loads(streams or "[]"),
        waiting=_waiting(conference) if conference.state == Conference.State.LIVE else [],
        past=past,
        names=_names(conference, past),
    )


def members_after(conference_id: int, number: int) -> tuple[list[dict[str, Any]], int | None]:
    """The next page of members, as they are now, and its cursor."""
    ((found,),) = rows.execute(_MEMBERS, [conference_id, number])
    return _page(found)


def _page(found: str | None) -> tuple[list[dict[str, Any]], int | None]:
    members: list[dict[str, Any]] = orjson.loads(found or "[]")
    page = members[:PAGE]
    return page, page[-1]["member"] if len(members) > PAGE else None


def _waiting(conference: Conference) -> list[dict[str, Any]]:
    """Facts do not change: read up to the snapshot's number, they are of its moment."""
    asking = Event.objects.filter(
        conference=conference,
        seq__lte=conference.last_seq,
        type__in=("role.requested", "role.answered", "role.changed", "member.exited"),
    )
    waiting: dict[int, dict[str, Any]] = {}
    for kind, at, data, personal in asking.order_by("seq").values_list("type", "at", "data", "personal"):
        waiting.pop(data["member"], None)
        if kind == "role.requested":
            asked = {"member": data["member"], "role": Role(data["role"]), "ref": data["ref"]}
            named = {name: personal.get(name, "") for name in ("name", "nick_name")}
            waiting[data["member"]] = asked | named | {"at": int(at.timestamp() * 1000)}
    return list(waiting.values())


def _past(conference: Conference) -> list[dict[str, Any]]:
    last = Event.objects.filter(
        conference=conference, seq__gt=conference.last_seq - MAX_PAST, seq__lte=conference.last_seq
    )
    return [neutral(event) for event in last.order_by("seq").only(*NEUTRAL_FIELDS)]


def _names(conference: Conference, past: list[dict[str, Any]]) -> dict[int, str]:
    """Of today, so that who was erased stays erased."""
    told = {number for fact in past for number in (fact["data"].get("member"), *fact["data"].get("to", []))}
    seats = Member.objects.filter(conference=conference, number__in=told - {None})
    return dict(seats.values_list("number", "user__name"))


def missed(conference: Conference, since: int) -> list[dict[str, Any]] | None:
    """What happened after number `since`; None when a snapshot serves better."""
    return facts_after(conference.pk, since) if 0 <= conference.last_seq - since <= MAX_REPLAY else None


def homes(conference_ids: Collection[int]) -> dict[int, Home]:
    """Whose these conferences are."""
    found = Conference.objects.filter(pk__in=conference_ids).values_list("pk", "application_id", "confr_id")
    return {pk: Home(application_id, confr_id) for pk, application_id, confr_id in found}


def recent(since: datetime) -> Recent:
    """What happened since a moment of the last seconds."""
    latest = Event.objects.filter(at__gte=since).values_list("conference_id", "type").annotate(Max("seq"))
    return Recent([Latest(*found) for found in latest], dict(Application.objects.values_list("pk", "last_seq")))
