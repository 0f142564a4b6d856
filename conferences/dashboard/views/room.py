"""The console of one live room: the page, its acts, its measures, and the addresses to watch its streams."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, JsonResponse, RawPostDataException
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.actors import Actor
from accounts.errors import BadParameters
from conferences.dashboard.acts import ACTS, OneStream, perform
from conferences.dashboard.fresh import fresh
from conferences.dashboard.pages import page, show
from conferences.dashboard.scope import Scope, actor_of
from conferences.dashboard.texts import console_texts
from conferences.models import Conference, Kind, Role, Stream
from conferences.permissions import Action, allows
from conferences.services import questions, watching


@page(of_one=True)
def room(request: HttpRequest, scope: Scope, confr_id: str) -> HttpResponseBase:
    """A room as it happens; of one that is over, where its report is."""
    actor = actor_of(request, scope.one)
    conference = questions.get_conference(actor, confr_id)
    if conference.state == Conference.State.CLOSED:
        return show(request, scope, "room_closed.html", conference=conference)
    may = abilities(actor)
    return show(
        request,
        scope,
        "room.html",
        conference=conference,
        roles=list(Role),
        kinds=list(Kind),
        may=may,
        settings=_settings(scope, confr_id, may),
        texts=console_texts(may),
    )


def abilities(actor: Actor) -> dict[str, bool]:
    """Which acts, by name, the actor is offered. Whatever is posted all the same, the services refuse."""
    may = {name: allows(actor, act.action) for name, act in ACTS.items()}
    return may | {"watch": allows(actor, Action.WATCH)}


def _settings(scope: Scope, confr_id: str, may: dict[str, bool]) -> dict[str, Any]:
    here = {"slug": scope.slug, "confr_id": confr_id}
    return {
        "slug": scope.slug,
        "confrId": confr_id,
        "act": reverse("dashboard:act", kwargs={**here, "act": "ACT"}),
        "watch": reverse("dashboard:watch", kwargs=here),
        "measures": reverse("dashboard:measures", kwargs=here),
        "may": may,
    }


@require_POST
@page(of_one=True)
def act(request: HttpRequest, scope: Scope, confr_id: str, act: str) -> HttpResponseBase:
    """One act on the room: JSON in, what the service said out."""
    do = fresh(_act) if act in ACTS and ACTS[act].is_final else _act
    return do(request, scope, confr_id, act)


def _act(request: HttpRequest, scope: Scope, confr_id: str, act: str) -> HttpResponseBase:
    return JsonResponse(perform(act, actor_of(request, scope.one), confr_id, json_body(request)))


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that a script of ours posted. Raises: BadParameters."""
    try:
        body = orjson.loads(request.body)
    except (ValueError, RawPostDataException):
        raise BadParameters(field="body") from None
    if not isinstance(body, dict):
        raise BadParameters(field="body")
    return body


@require_POST
@page(of_one=True)
def watch(request: HttpRequest, scope: Scope, confr_id: str) -> HttpResponseBase:
    """Where this browser plays a stream, by protocol."""
    urls = watching.watch_stream(
        actor=actor_of(request, scope.one),
        confr_id=confr_id,
        stream_id=_stream(request),
        session_key=request.session.session_key or "",
    )
    return JsonResponse({protocol: url for protocol, url in urls.items() if protocol != "rtmp"})


def _stream(request: HttpRequest) -> str:
    """Raises: BadParameters."""
    body = OneStream(json_body(request))
    if not body.is_valid():
        raise BadParameters(field="stream")
    return str(body.cleaned_data["stream"])


@require_GET
@page(of_one=True)
def measures(request: HttpRequest, scope: Scope, confr_id: str) -> HttpResponseBase:
    """What the media server last said of the live streams. Measuring is no fact, so the socket does not tell it."""
    live = questions.list_streams(actor_of(request, scope.one), confr_id).filter(state=Stream.State.LIVE)
    return JsonResponse({stream.stream_id: measure(stream) for stream in live})


def measure(stream: Stream) -> dict[str, Any]:
    """How a stream is doing, as the reconciler saw it at `at` (milliseconds)."""
    return {
        "bitrate": stream.bitrate,
        "width": stream.width,
        "height": stream.height,
        "at": int(stream.measured_at.timestamp() * 1000) if stream.measured_at else None,
        "disobeys": stream.disobeys,
    }


urlpatterns: list[URLPattern] = [
    path("<str:confr_id>/", room, name="room"),
    path("<str:confr_id>/acts/<str:act>/", act, name="act"),
    path("<str:confr_id>/watch/", watch, name="watch"),
    path("<str:confr_id>/measures/", measures, name="measures"),
]
