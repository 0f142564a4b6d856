"""The addresses of the dashboard. Each module of views has its own, below its folder."""

from django.urls import URLPattern, URLResolver, include, path

from conferences.dashboard.views import (
    applications,
    audit,
    bans,
    home,
    join,
    now,
    pictures,
    recordings,
    reports,
    room,
    rooms,
    staff,
    system,
    violations,
    wall,
)

app_name = "dashboard"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include([*home.urlpatterns, *violations.urlpatterns])),
    path("join/", include(join.urlpatterns)),
    path("system/", include(system.urlpatterns)),
    path("applications/", include(applications.urlpatterns)),
    path("staff/", include(staff.urlpatterns)),
    path("<str:slug>/", include(now.urlpatterns)),
    path("<str:slug>/rooms/", include([*rooms.urlpatterns, *room.urlpatterns])),
    path("<str:slug>/wall/", include([*wall.urlpatterns, *pictures.urlpatterns])),
    path("<str:slug>/reports/", include(reports.urlpatterns)),
    path("<str:slug>/recordings/", include(recordings.urlpatterns)),
    path("<str:slug>/bans/", include(bans.urlpatterns)),
    path("<str:slug>/audit/", include(audit.urlpatterns)),
]
