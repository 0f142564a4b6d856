"""Streams: URLs to push and to play, and the end of one."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.http import http_date

from accounts.errors import NotAllowed, UserNameInvalid
from conferences.api.operations import ApiView, Binary, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import streams as shapes
from conferences.api.serializers.conferences import Reason
from conferences.api.serializers.members import Subject
from conferences.errors import (
    ConferenceClosed,
    ConferenceNotFound,
    MemberNotFound,
    Muted,
    PictureNotReady,
    StreamEnded,
    StreamHasNoPicture,
    StreamIdInvalid,
    StreamNotFound,
)
from conferences.models import Stream
from conferences.services import pictures, questions, streams
from conferences.services.streams import Push

GONE = (NotAllowed, ConferenceNotFound, ConferenceClosed, UserNameInvalid)


class StreamsView(ApiView):
    @operation(
        "listStreams",
        query=shapes.StreamsQuery,
        answer=shapes.Streams,
        refusals=(NotAllowed, ConferenceNotFound, UserNameInvalid),
    )
    def get(self, call: Call, confr_id: str) -> Page:
        """List a conference's streams."""
        rows = questions.list_streams(call.actor, confr_id).filter(**call.only("state", "type"))
        if "name" in call.data:
            rows = rows.filter(member__user__name=call.name())
        return page(rows, call.data, shapes.StreamsQuery.SORTS)


class PublishView(ApiView):
    @operation(
        "pubStream",
        body=shapes.Publication,
        answer=shapes.Push,
        refusals=(*GONE, MemberNotFound, Muted, StreamIdInvalid),
    )
    def post(self, call: Call, confr_id: str) -> Push:
        """Get the address to push a stream to. It is in the room when the media server says so."""
        return streams.pub_stream(
            actor=call.actor,
            confr_id=confr_id,
            user_id=call.user_id(),
            **call.only("rtc_id", "stream_type", "kind"),
        )


class PlayView(ApiView):
    @operation(
        "subStream",
        body=Subject,
        answer=shapes.Play,
        refusals=(*GONE, MemberNotFound, StreamNotFound, StreamEnded),
    )
    def post(self, call: Call, confr_id: str, stream_id: str) -> dict[str, str]:
        """Get the addresses to play a live stream from."""
        return streams.sub_stream(actor=call.actor, confr_id=confr_id, user_id=call.user_id(), stream_id=stream_id)


class SnapshotView(ApiView):
    @operation(
        "getStreamSnapshot",
        answer=Binary("image/jpeg"),
        refusals=(
            NotAllowed,
            ConferenceNotFound,
            StreamNotFound,
            StreamEnded,
            StreamHasNoPicture,
            PictureNotReady,
        ),
    )
    def get(self, call: Call, confr_id: str, stream_id: str) -> HttpResponse:
        """Get a small picture of a live stream. It is at most ten seconds old; `Last-Modified` says how old."""
        picture = pictures.get_stream_snapshot(actor=call.actor, confr_id=confr_id, stream_id=stream_id)
        headers = {"Last-Modified": http_date(picture.taken_at), "Cache-Control": "no-store"}
        return HttpResponse(picture.jpeg, content_type="image/jpeg", headers=headers)


class StreamView(ApiView):
    @operation(
        "stopStream",
        query=Reason,
        answer=shapes.StreamShape,
        refusals=(NotAllowed, ConferenceNotFound, ConferenceClosed, StreamNotFound),
    )
    def delete(self, call: Call, confr_id: str, stream_id: str) -> Stream:
        """End a stream for good: its address is worthless, the media server drops it."""
        return streams.stop_stream(actor=call.actor, confr_id=confr_id, stream_id=stream_id, **call.only("reason"))
