"""What a media server asks and tells: parse, one service, the server's own reply. It must answer within a second."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.errors import DomainError
from conferences import metrics, refusals
from conferences.media.base import MediaEvent, media_server
from conferences.services import admission

SERVICES: dict[str, Callable[[MediaEvent], None]] = {
    "publish": admission.admit_publisher,
    "play": admission.admit_player,
    "watch": admission.admit_viewer,
    "update": admission.keep_client,
    "unpublish": admission.release_client,
    "stop": admission.release_client,
}


@csrf_exempt
def media_hook(request: HttpRequest, call: str) -> HttpResponse:
    """One hook. A refusal is a no in the words of the media server; only it may call (MediaHookInvalid: 403)."""
    server = media_server()
    try:
        event = server.parse_hook(call, request)
    except DomainError as error:
        return HttpResponse(status=error.http_status)
    try:
        with metrics.HOOKS.labels(event.kind).time():
            SERVICES[event.kind](event)
    except DomainError as error:
        refusals.count(error, "hooks")
        return server.hook_reply(event, allow=False)
    return server.hook_reply(event, allow=True)
