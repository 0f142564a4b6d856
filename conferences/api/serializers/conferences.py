"""Conferences on the wire."""

from __future__ import annotations

from rest_framework import serializers

from conferences.api.serializers.base import Choice, Flag, Millis, Shape, Text, Time, Url, Whole
from conferences.api.serializers.pages import PageQuery, page_of, sort_by
from conferences.models import CloseReason, Conference, ConferenceType, Kind, Role

MAX_PEOPLE = 100_000
DAY = 86_400_000


class Config(Shape):
    """What a creator may wish of a new conference; what is left out takes the application's default."""

    confrType = Choice(ConferenceType, source="type", required=False)
    maxTalkerCount = Whole(1, MAX_PEOPLE, source="talkers", required=False)
    maxVideoCount = Whole(0, MAX_PEOPLE, source="videos", required=False)
    maxAudienceCount = Whole(0, MAX_PEOPLE, source="audience", required=False)
    maxPubDesktopCount = Whole(0, MAX_PEOPLE, source="desktops", required=False)
    memDefaultRole = Choice(Role, source="default_role", required=False, help_text="The ceiling for joiners.")
    allowAudienceTalk = Flag(source="allow_audience_talk", required=False)
    confrDelayMillis = Millis(
        1000, DAY, source="delay_seconds", required=False, help_text="A conference that nobody entered ends then."
    )
    maxDurationMillis = Millis(1000, 30 * DAY, source="max_seconds", required=False, allow_null=True)
    adminlessMillis = Millis(
        1000, DAY, source="adminless_seconds", required=False, allow_null=True, help_text="Ends without an admin then."
    )
    rec = Flag(required=False)
    recMerge = Flag(source="rec_merge", required=False)
    ext = Text(4096, lines=True, required=False, allow_blank=True)


class NewConference(Config):
    """What `createConference` takes."""

    EXAMPLE = {"name": "standup", "confrType": 11, "creator": "alice", "maxTalkerCount": 30, "confrDelayMillis": 120000}

    password = Text(64, required=False, allow_blank=True, help_text='Left out: one is generated. "": none.')
    name = Text(128, required=False, allow_blank=True, help_text="Unique among the live ones; joinRoom finds it.")
    creator = Text(200, required=False, help_text="A user name: becomes ADMIN and gets a ticket in the answer.")


class ConferenceChanges(Shape):
    """What `updateConference` takes: only what is to change. A lower limit removes nobody who is inside."""

    EXAMPLE = {"locked": True, "reason": "everybody is here"}

    password = Text(64, required=False, allow_blank=True, help_text='"": none from now on.')
    maxTalkerCount = Whole(1, MAX_PEOPLE, source="max_talkers", required=False)
    maxVideoCount = Whole(0, MAX_PEOPLE, source="max_videos", required=False)
    maxAudienceCount = Whole(0, MAX_PEOPLE, source="max_audience", required=False)
    maxPubDesktopCount = Whole(0, MAX_PEOPLE, source="max_desktops", required=False)
    memDefaultRole = Choice(Role, source="default_role", required=False)
    allowAudienceTalk = Flag(source="allow_audience_talk", required=False)
    maxDurationMillis = Millis(1000, 30 * DAY, source="max_seconds", required=False, allow_null=True)
    adminlessMillis = Millis(1000, DAY, source="adminless_seconds", required=False, allow_null=True)
    rec = Flag(required=False)
    recMerge = Flag(source="rec_merge", required=False)
    locked = Flag(required=False, help_text="Nobody new may enter.")
    reason = Text(200, required=False, allow_blank=True)


class ConferenceShape(Shape):
    """A conference; its counts are exact."""

    confrId = Text(32, source="confr_id")
    name = Text(128)
    type = Choice(ConferenceType)
    state = Choice(Conference.State)
    locked = Flag()
    creator = Text(64, source="creator.name", allow_null=True, default=None)
    memDefaultRole = Choice(Role, source="default_role")
    allowAudienceTalk = Flag(source="allow_audience_talk")
    maxTalkerCount = Whole(0, MAX_PEOPLE, source="max_talkers")
    maxVideoCount = Whole(0, MAX_PEOPLE, source="max_videos")
    maxAudienceCount = Whole(0, MAX_PEOPLE, source="max_audience")
    maxPubDesktopCount = Whole(0, MAX_PEOPLE, source="max_desktops")
    confrDelayMillis = Millis(0, DAY, source="delay_seconds")
    maxDurationMillis = Millis(0, 30 * DAY, source="max_seconds", allow_null=True)
    adminlessMillis = Millis(0, DAY, source="adminless_seconds", allow_null=True)
    rec = Flag()
    recMerge = Flag(source="rec_merge")
    recPaused = Flag(source="rec_paused")
    mutedNewcomers = serializers.ListField(child=Choice(Kind), source="mute_newcomers")
    attributes = serializers.DictField(child=Text(8192))
    ext = Text(4096)
    memberCount = Whole(0, MAX_PEOPLE, source="members_count")
    talkerCount = Whole(0, MAX_PEOPLE, source="talkers")
    audienceCount = Whole(0, MAX_PEOPLE, source="audience")
    videoCount = Whole(0, MAX_PEOPLE, source="videos")
    desktopCount = Whole(0, MAX_PEOPLE, source="desktops")
    seq = Whole(0, 2**53, source="last_seq", help_text="The number of the last event.")
    createdAt = Time(source="created_at")
    enteredAt = Time(source="entered_at", allow_null=True, help_text="When the first member came.")
    closedAt = Time(source="closed_at", allow_null=True)
    closeReason = Choice(CloseReason, source="close_reason", allow_blank=True)


class ConferencesQuery(PageQuery):
    """How `listConferences` chooses and sorts."""

    SORTS = {"createdAt": "pk", "name": "name", "type": "type", "state": "state"}

    sort = sort_by(SORTS)
    state = serializers.ChoiceField(Conference.State.choices, required=False)
    type = serializers.ChoiceField(ConferenceType.choices, required=False)
    name = Text(128, required=False, help_text="Exactly this name.")
    creator = Text(200, required=False, help_text="This user's.")
    createdAfter = serializers.DateTimeField(source="created_at__gte", required=False)
    createdBefore = serializers.DateTimeField(source="created_at__lt", required=False)


Conferences = page_of("Conferences", ConferenceShape)


class RoomEntry(Shape):
    """What `joinRoom` takes. `config` counts for the first entrant only."""

    EXAMPLE = {"roomName": "standup", "password": "s3cret", "memName": "bob", "config": {"confrType": 10}}

    roomName = Text(128, source="room")
    password = Text(64, default="", allow_blank=True, help_text="The room's; of a new room, from now on.")
    memName = Text(200, source="name", required=False, help_text="For whom; left out by a user token.")
    role = Choice(Role, required=False)
    config = Config(required=False)


class Admission(Shape):
    """A conference and the right to enter it."""

    confrId = Text(32, source="conference.confr_id")
    id = Text(32, source="conference.confr_id")
    name = Text(128, source="conference.name")
    type = Choice(ConferenceType, source="conference.type")
    role = Choice(Role, source="issued.ticket.role", allow_null=True)
    ticket = Text(64, source="issued.text", allow_null=True)
    ticketId = Text(64, source="issued.ticket", allow_null=True)
    roleToken = Text(64, source="issued.role_token", allow_null=True)
    expiresAt = Time(source="issued.ticket.expires_at", allow_null=True, help_text="Until the first use.")
    url = Url(help_text="Where the ticket is redeemed.")
    maxTalkerCount = Whole(0, MAX_PEOPLE, source="conference.max_talkers")
    maxVideoCount = Whole(0, MAX_PEOPLE, source="conference.max_videos")
    maxAudienceCount = Whole(0, MAX_PEOPLE, source="conference.max_audience")
    maxPubDesktopCount = Whole(0, MAX_PEOPLE, source="conference.max_desktops")
    rec = Flag(source="conference.rec")
    recMerge = Flag(source="conference.rec_merge")


class CreatedConference(Admission):
    """The new conference; its password, told this once; and the creator's ticket, when a creator is known."""

    EXAMPLE = {
        "confrId": "IM3SKW51SKH4TB80LV45000C",
        "id": "IM3SKW51SKH4TB80LV45000C",
        "name": "standup",
        "type": 11,
        "role": 7,
        "ticket": "tk_2s_kTmBQjIqxGaFBQPuCAniRg",
        "ticketId": "IM3SKW51SKH4TB80LV45000CTK100",
        "roleToken": "rt_2s_VAiqt4orGWlIbEBVCPficA",
        "expiresAt": "2026-11-20T11:12:17.575Z",
        "url": "wss://confr.example/live",
        "maxTalkerCount": 30,
        "maxVideoCount": 9,
        "maxAudienceCount": 600,
        "maxPubDesktopCount": 2,
        "rec": False,
        "recMerge": False,
        "password": "D6xRExp9",
    }

    password = Text(64, help_text='"" when there is none.')


class EnteredRoom(Admission):
    """The room's conference and the ticket; `isCreator` tells whether this call created it."""

    isCreator = Flag(source="is_new")


class Reason(Shape):
    """Why; it goes into the log."""

    reason = Text(200, required=False, allow_blank=True)
