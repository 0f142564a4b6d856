"""The addresses of emedia's clients, and the dialect as `vendors.base` wants it."""

from __future__ import annotations

from django.urls import path

from conferences.vendors.base import Dialect
from conferences.vendors.emedia import codec, records, rest, tokens, views
from conferences.vendors.emedia.consumer import EmediaConsumer
from conferences.vendors.emedia.lives import add_live, change_layout, delete_live

RTC, APP = "easemob/rtc", "<str:org>/<str:app>"
WINDOW = "<str:begin>/<str:end>/<str:start_id>/<int:length>"

RECORDS = rest.methods({"GET": records.of_conference})

urlpatterns = [
    path(f"{RTC}/req/ticket", views.request_ticket),
    path(f"{RTC}/chanage/roles", views.change_roles),
    path(f"{RTC}/role/degrade", views.change_roles),
    path(f"{RTC}/kick/member", views.kick_members),
    path(f"{RTC}/disband/conference", views.disband_conference),
    path(f"{RTC}/select/confr", views.select_conference),
    path(f"{RTC}/confr/attrs/update", views.update_attributes),
    path(f"{RTC}/livecfg", add_live),
    path(f"{RTC}/live/layout", change_layout),
    path(f"{RTC}/delete/live", delete_live),
    path(f"{tokens.MEDIA_PATH}<str:secret>", views.media),
    path("easemob/<path:rest>", views.unknown),
    path(f"{APP}/conferences/room", views.enter_room),
    path(f"{APP}/token", rest.methods({"POST": rest.issue_token})),
    path(f"{APP}/users", rest.methods({"POST": rest.register_users})),
    path(f"{APP}/conferences", rest.methods({"POST": rest.create_conference})),
    path(
        f"{APP}/conferences/<str:confr_id>",
        rest.methods({"GET": rest.show_conference, "DELETE": rest.end_conference}),
    ),
    path(f"{APP}/conferences/<str:confr_id>/<str:name>", rest.methods({"DELETE": rest.kick_member})),
    path(f"{APP}/audio/<str:confr_id>", RECORDS),
    path(f"{APP}/audio/<str:name>/<str:confr_id>", RECORDS),
    path(f"{APP}/audio/{WINDOW}", rest.methods({"GET": records.of_streams})),
    path(f"{APP}/audio/merge/{WINDOW}", rest.methods({"GET": records.merged})),
]

dialect = Dialect(
    name="emedia",
    urlpatterns=urlpatterns,
    websocket_urlpatterns=[path(tokens.SOCKET_PATH, EmediaConsumer.as_asgi())],
    events=codec.EVENTS,
    errors=codec.ERRORS,
    unsupported=codec.UNSUPPORTED,
)
