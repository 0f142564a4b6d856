"""Easemob's queries for recorded files. Times are `yyyyMMddHHmmss` in UTC; only what is ready is listed."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters
from accounts.names import user_name
from conferences.models import Recording
from conferences.services import recordings
from conferences.services.links import link
from conferences.vendors.base import Json
from conferences.vendors.emedia.rest import Call

TIME = "%Y%m%d%H%M%S"
LONGEST_LIST = 100


def of_conference(call: Call, confr_id: str, name: str | None = None) -> list[Json]:
    """Of everybody in a conference, or of one user."""
    rows = recordings.list_recordings(actor=call.actor(), confr_id=confr_id)
    if name is not None:
        rows = rows.filter(member__user__name=user_name(name, call.application.app_key))
    return _records(call, rows)


def of_streams(call: Call, begin: str, end: str, start_id: str, length: int) -> list[Json]:
    return _window(call, Recording.Kind.STREAM, begin, end, start_id, length)


def merged(call: Call, begin: str, end: str, start_id: str, length: int) -> list[Json]:
    return _window(call, Recording.Kind.MERGED, begin, end, start_id, length)


def _window(call: Call, kind: Recording.Kind, begin: str, end: str, start_id: str, length: int) -> list[Json]:
    """Those of a time, in the order of their ids, after the last one that is known."""
    rows = recordings.list_recordings(actor=call.actor())
    if not start_id.isdecimal() or len(start_id) > 18 or not 1 <= length <= LONGEST_LIST:
        raise BadParameters(detail=_("Ask for 1 to 100 records after an id that you know, or after 0."))
    rows = rows.filter(kind=kind, created_at__gte=_moment(begin), created_at__lte=_moment(end), pk__gt=int(start_id))
    return _records(call, rows, length)


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC)
    except ValueError:
        raise BadParameters(detail=_("Write times as yyyyMMddHHmmss, in UTC.")) from None


def _records(call: Call, rows: QuerySet[Recording], length: int | None = None) -> list[Json]:
    ready = rows.filter(state=Recording.State.READY).order_by("pk")[:length]
    return [_record(call.application.app_key, recording) for recording in ready]


def _record(app_key: str, recording: Recording) -> Json:
    conference, member = recording.conference, recording.member
    made = link(recording)
    return {
        "id": str(recording.pk),
        "owner": app_key,
        "confrId": conference.confr_id,
        "confrType": conference.type,
        "confrBeginTime": _text(conference.entered_at or conference.created_at),
        "confrEndTime": _text(conference.closed_at),
        "memberId": f"{conference.confr_id}M{member.number}" if member else "",
        "memberName": f"{app_key}_{member.user.name}" if member else "",
        "userName": member.user.name if member else "",
        "accessId": str(recording.pk),
        "pubStreamId": recording.stream.stream_id if recording.stream else "",
        "recordType": _type(recording),
        "recordTime": _text(recording.started_at),
        "expireTime": _text(recording.keep_until),
        "url": made.url if made else "",
    }


def _type(recording: Recording) -> str:
    if recording.stream is None:
        return "MERGE_ALL"
    return "ONLY_REC_ONE_DESKTOP" if recording.stream.is_screen else "ONLY_REC_ONE_AV"


def _text(moment: datetime | None) -> str:
    return moment.strftime(TIME) if moment else ""
