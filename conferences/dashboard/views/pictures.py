"""The pictures on the wall: of live streams, for staff who may moderate them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.cache import get_conditional_response
from django.utils.http import http_date, quote_etag

from conferences.dashboard.pages import page
from conferences.dashboard.scope import Scope, actor_of
from conferences.errors import StreamNotFound
from conferences.models import Stream
from conferences.services import pictures


@page()
def picture(request: HttpRequest, scope: Scope, pk: int) -> HttpResponseBase:
    """The latest picture of a stream, by its primary key; 404 while there is none. Asking keeps it fresh."""
    visible = Stream.objects.filter(conference__application__in=scope.applications).select_related("conference")
    stream = visible.filter(pk=pk).first()
    if stream is None:
        raise StreamNotFound()
    actor = actor_of(request, scope.applications[stream.conference.application_id])
    found = pictures.latest_picture(actor=actor, stream=stream)
    if found is None:
        return HttpResponse(status=404)
    etag = quote_etag(str(int(found.taken_at * 1000)))
    seen = int(found.taken_at)
    unchanged = get_conditional_response(request, etag, seen)
    response = unchanged or HttpResponse(found.jpeg, content_type="image/jpeg")
    response["ETag"] = etag
    response["Last-Modified"] = http_date(seen)
    return response


urlpatterns: list[URLPattern] = [path("<int:pk>.jpg", picture, name="picture")]
