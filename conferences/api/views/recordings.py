"""Recordings: started and stopped, listed, held, deleted; and their files."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from accounts.errors import NotAllowed, UserNameInvalid
from accounts.names import user_name
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import recordings as shapes
from conferences.api.serializers.base import Nothing
from conferences.errors import (
    ConferenceClosed,
    ConferenceNotFound,
    RecordingDiskFull,
    RecordingFolderAway,
    RecordingHeld,
    RecordingNotFailed,
    RecordingNotFound,
    RecordingOff,
    RecordingQuotaReached,
    RecordingUnfinished,
)
from conferences.models import Conference, Recording
from conferences.services import recordings, takes

GONE = (NotAllowed, ConferenceNotFound, ConferenceClosed)
MISSING = (NotAllowed, RecordingNotFound)


class StartView(ApiView):
    @operation(
        "startRecording",
        body=shapes.RecordingStart,
        answer=shapes.RecordingFlags,
        refusals=(*GONE, RecordingQuotaReached, RecordingDiskFull, RecordingFolderAway, UserNameInvalid),
    )
    def post(self, call: Call, confr_id: str) -> Conference:
        """Record every live stream of a conference from now on. Its members are told."""
        canvas = call.only("layout", "width", "height", "regions")
        for region in canvas.get("regions", ()):
            region["name"] = user_name(region["name"], call.application.app_key)
        return takes.start_recording(actor=call.actor, confr_id=confr_id, canvas=canvas, **call.only("merge", "reason"))


class StopView(ApiView):
    @operation("stopRecording", body=shapes.Why, answer=shapes.RecordingFlags, refusals=GONE)
    def post(self, call: Call, confr_id: str) -> Conference:
        """Stop recording a conference; the files are made then."""
        return takes.stop_recording(actor=call.actor, confr_id=confr_id, **call.only("reason"))


class PauseView(ApiView):
    @operation("pauseRecording", body=shapes.Why, answer=shapes.RecordingFlags, refusals=(*GONE, RecordingOff))
    def post(self, call: Call, confr_id: str) -> Conference:
        """Leave what follows out of the files, until it is resumed."""
        return takes.pause_recording(actor=call.actor, confr_id=confr_id, **call.only("reason"))


class ResumeView(ApiView):
    @operation("resumeRecording", body=shapes.Why, answer=shapes.RecordingFlags, refusals=(*GONE, RecordingOff))
    def post(self, call: Call, confr_id: str) -> Conference:
        """Go on with a paused recording, in the same files."""
        return takes.resume_recording(actor=call.actor, confr_id=confr_id, **call.only("reason"))


def _page(call: Call, rows: QuerySet[Recording]) -> Page:
    rows = rows.filter(**call.only("state", "kind", "created_at__gte", "created_at__lt"))
    if "name" in call.data:
        rows = rows.filter(member__user__name=call.name())
    return page(rows, call.data, shapes.RecordingsQuery.SORTS)


class ConferenceRecordingsView(ApiView):
    @operation(
        "listRecordings",
        query=shapes.RecordingsQuery,
        answer=shapes.Recordings,
        refusals=(NotAllowed, ConferenceNotFound, UserNameInvalid),
    )
    def get(self, call: Call, confr_id: str) -> Page:
        """List a conference's recordings, those that are being made included."""
        return _page(call, recordings.list_recordings(actor=call.actor, confr_id=confr_id))


class RecordingsView(ApiView):
    @operation(
        "listApplicationRecordings",
        query=shapes.RecordingsQuery,
        answer=shapes.Recordings,
        refusals=(NotAllowed, UserNameInvalid),
    )
    def get(self, call: Call) -> Page:
        """List all recordings of the application."""
        return _page(call, recordings.list_recordings(actor=call.actor))


class RecordingView(ApiView):
    @operation("getRecording", answer=shapes.RecordingShape, refusals=MISSING)
    def get(self, call: Call, recording_id: str) -> Recording:
        """Get a recording, with a link to its file when it is ready."""
        return recordings.get_recording(actor=call.actor, recording_id=int(recording_id))

    @operation(
        "deleteRecording",
        query=shapes.Why,
        answer=Nothing,
        refusals=(*MISSING, RecordingHeld, RecordingUnfinished),
    )
    def delete(self, call: Call, recording_id: str) -> dict[str, Any]:
        """Delete a recording and its file for good."""
        recordings.delete_recording(actor=call.actor, recording_id=int(recording_id), **call.only("reason"))
        return {}


class RetryView(ApiView):
    @operation("retryRecording", body=shapes.Why, answer=shapes.RecordingShape, refusals=(*MISSING, RecordingNotFailed))
    def post(self, call: Call, recording_id: str) -> Recording:
        """Try again to make the file of a recording that failed."""
        return recordings.retry_recording(actor=call.actor, recording_id=int(recording_id), **call.only("reason"))


class HoldView(ApiView):
    @operation("holdRecording", body=shapes.Hold, answer=shapes.RecordingShape, refusals=MISSING)
    def post(self, call: Call, recording_id: str) -> Recording:
        """Put a recording under legal hold, or release it: meanwhile it cannot be deleted and does not expire."""
        return recordings.hold_recording(
            actor=call.actor, recording_id=int(recording_id), **call.only("hold", "reason")
        )
