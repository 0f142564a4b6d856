"""The wall: every live stream of the scope as a tile, with its latest picture."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET

from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import Scope, actor_of
from conferences.dashboard.texts import wall_texts
from conferences.dashboard.views.room import abilities, measure
from conferences.models import Kind, Stream, StreamType
from conferences.permissions import Action, allows
from conferences.services import pictures

TILES = 60
# What a filter shows.
KINDS: dict[str, Q] = {
    "video": Q(video_off=False, type=StreamType.CAMERA) & ~Q(kind=Kind.AUDIO),
    "audio": Q(video_off=True) | Q(kind=Kind.AUDIO),
    "desktop": Q(type=StreamType.DESKTOP),
    "mix": Q(type=StreamType.MIX),
}


@page()
def wall(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    may = [abilities(actor_of(request, application)) for application in scope.applications.values()]
    anywhere = {name: any(each[name] for each in may) for name in (may[0] if may else {})}
    settings = {
        "slug": scope.slug,
        "size": TILES,
        "tiles": reverse("dashboard:wall_tiles", kwargs={"slug": scope.slug}),
        "act": reverse("dashboard:act", kwargs={"slug": "SLUG", "confr_id": "ROOM", "act": "ACT"}),
        "watch": reverse("dashboard:watch", kwargs={"slug": "SLUG", "confr_id": "ROOM"}),
        "room": reverse("dashboard:room", kwargs={"slug": "SLUG", "confr_id": "ROOM"}),
        "picture": reverse("dashboard:picture", kwargs={"slug": scope.slug, "pk": 0}),
    }
    return show(request, scope, "wall.html", may=anywhere, kinds=list(Kind), settings=settings, texts=wall_texts())


@require_GET
@page()
def tiles(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """A page of tiles in the order in which the streams were offered, `after` a stream's primary key."""
    chosen = _chosen(request, scope)
    after = request.GET.get("after", "")
    rows = list(chosen.filter(pk__gt=int(after) if after.isdecimal() and len(after) < 19 else 0)[: TILES + 1])
    shown = rows[:TILES]
    return JsonResponse(
        {
            "tiles": _tiles(request, scope, shown),
            "next": shown[-1].pk if len(rows) > TILES else None,
            "total": chosen.count(),
        }
    )


def _chosen(request: HttpRequest, scope: Scope) -> QuerySet[Stream]:
    live = Stream.objects.live().filter(conference__application__in=scope.applications)
    if found := KINDS.get(request.GET.get("kind", "")):
        live = live.filter(found)
    if text := request.GET.get("text", "").strip():
        names = ("conference__name__icontains", "member__user__name__icontains", "member__nick_name__icontains")
        live = live.filter(Q(conference__confr_id=text.upper()) | Q(*((name, text) for name in names), _connector=Q.OR))
    return live.select_related("conference", "member__user").order_by("pk")


def _tiles(request: HttpRequest, scope: Scope, shown: list[Stream]) -> list[dict[str, Any]]:
    """A tile for each stream: whose it is, how it is doing, what the role allows, and when its picture was taken."""
    found: dict[int, dict[str, Any]] = {}
    for application in scope.applications.values():
        actor = actor_of(request, application)
        own = [stream for stream in shown if stream.conference.application_id == application.pk]
        if not own:
            continue
        may = [name for name, allowed in abilities(actor).items() if allowed]
        taken = pictures.pictures_taken_at(actor=actor, streams=own) if allows(actor, Action.SNAPSHOT) else {}
        for stream in own:
            found[stream.pk] = _tile(stream) | {
                "slug": str(application.app_id),
                "may": may,
                "seen": taken.get(stream.pk),
            }
    return [found[stream.pk] for stream in shown]


def _tile(stream: Stream) -> dict[str, Any]:
    conference, member = stream.conference, stream.member
    return {
        "pk": stream.pk,
        "id": stream.stream_id,
        "confrId": conference.confr_id,
        "room": conference.name or conference.confr_id,
        "name": (member.nick_name or member.user.name) if member else "",
        "user": member.user.name if member else "",
        "muted": member.muted if member else [],
        "kind": stream.kind,
        "type": stream.type,
        "videoOff": stream.video_off,
        "audioOff": stream.audio_off,
        **measure(stream),
    }


urlpatterns: list[URLPattern] = [
    path("", wall, name="wall"),
    path("tiles/", tiles, name="wall_tiles"),
]
