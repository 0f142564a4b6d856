"""The addresses of `/api/v1`."""

from __future__ import annotations

from django.urls import path, register_converter

from conferences.api.views import (
    conferences,
    documents,
    events,
    files,
    members,
    messages,
    moderation,
    recordings,
    streams,
    tickets,
    users,
)
from conferences.api.views.missing import MissingView
from conferences.api.views.mixes import MixesView, MixView


class ConfrId:
    regex = "[A-Z0-9]{1,32}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class TicketId(ConfrId):
    regex = "[A-Z0-9]{1,32}TK[0-9]{1,18}"


class StreamId(ConfrId):
    regex = "[A-Za-z0-9_-]{1,80}"


class RowId(ConfrId):
    regex = "[0-9]{1,18}"


register_converter(ConfrId, "confr")
register_converter(TicketId, "ticket")
register_converter(StreamId, "stream")
register_converter(RowId, "row")

urlpatterns = [
    path("conferences", conferences.ConferencesView.as_view()),
    path("conferences/<confr:confrId>", conferences.ConferenceView.as_view()),
    path("conferences/<confr:confrId>/tickets", tickets.TicketsView.as_view()),
    path("conferences/<confr:confrId>/tickets/revoke", tickets.TicketRevocationView.as_view()),
    path("conferences/<confr:confrId>/tickets/<ticket:ticketId>", tickets.TicketView.as_view()),
    path("conferences/<confr:confrId>/members", members.MembersView.as_view()),
    path("conferences/<confr:confrId>/kick", members.KickView.as_view()),
    path("conferences/<confr:confrId>/roles", members.RolesView.as_view()),
    path("conferences/<confr:confrId>/mute", members.MuteView.as_view()),
    path("conferences/<confr:confrId>/mute-all", members.MuteAllView.as_view()),
    path("conferences/<confr:confrId>/exit", members.ExitView.as_view()),
    path("conferences/<confr:confrId>/bans", moderation.BansView.as_view()),
    path("conferences/<confr:confrId>/bans/<row:banId>", moderation.BanView.as_view()),
    path("conferences/<confr:confrId>/unban", moderation.UnbanView.as_view()),
    path("conferences/<confr:confrId>/streams", streams.StreamsView.as_view()),
    path("conferences/<confr:confrId>/streams/publish", streams.PublishView.as_view()),
    path("conferences/<confr:confrId>/streams/<stream:streamId>", streams.StreamView.as_view()),
    path("conferences/<confr:confrId>/streams/<stream:streamId>/play", streams.PlayView.as_view()),
    path("conferences/<confr:confrId>/streams/<stream:streamId>/snapshot", streams.SnapshotView.as_view()),
    path("conferences/<confr:confrId>/mixes", MixesView.as_view()),
    path("conferences/<confr:confrId>/mixes/<row:mixId>", MixView.as_view()),
    path("conferences/<confr:confrId>/attributes", messages.AttributesView.as_view()),
    path("conferences/<confr:confrId>/broadcast", messages.BroadcastView.as_view()),
    path("conferences/<confr:confrId>/commands", messages.CommandView.as_view()),
    path("conferences/<confr:confrId>/events", events.EventsView.as_view()),
    path("conferences/<confr:confrId>/recording/start", recordings.StartView.as_view()),
    path("conferences/<confr:confrId>/recording/stop", recordings.StopView.as_view()),
    path("conferences/<confr:confrId>/recording/pause", recordings.PauseView.as_view()),
    path("conferences/<confr:confrId>/recording/resume", recordings.ResumeView.as_view()),
    path("conferences/<confr:confrId>/recordings", recordings.ConferenceRecordingsView.as_view()),
    path("recordings", recordings.RecordingsView.as_view()),
    path("recordings/<row:recordingId>", recordings.RecordingView.as_view()),
    path("recordings/<row:recordingId>/retry", recordings.RetryView.as_view()),
    path("recordings/<row:recordingId>/hold", recordings.HoldView.as_view()),
    path("recordings/<row:recordingId>/file/<str:key>/<str:name>", files.FileView.as_view()),
    path("bans", moderation.ApplicationBansView.as_view()),
    path("bans/<row:banId>", moderation.ApplicationBanView.as_view()),
    path("unban", moderation.ApplicationUnbanView.as_view()),
    path("user-tokens", users.UserTokensView.as_view()),
    path("user-tokens/revoke", users.UserTokenRevocationView.as_view()),
    path("user-tokens/<row:tokenId>", users.UserTokenView.as_view()),
    path("rooms/join", conferences.RoomsView.as_view()),
    path("openapi.json", documents.openapi),
    path("docs", documents.docs),
    path("<path:rest>", MissingView.as_view()),
]
