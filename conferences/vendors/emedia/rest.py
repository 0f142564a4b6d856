"""Easemob's REST for backends, with true status codes: tokens, users, conferences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from accounts import services
from accounts.actors import Actor
from accounts.authentication import authenticate, bearer
from accounts.errors import ApplicationNotFound, BadParameters, DomainError
from accounts.models import Application
from accounts.names import user_name
from accounts.origin import origin
from accounts.services.user_tokens import DEFAULT_SECONDS
from conferences.models import Conference, ConferenceType, Member
from conferences.services import conferences, moderation, questions
from conferences.vendors.base import Json, count, json_response, run, text_of
from conferences.vendors.emedia import codec
from conferences.vendors.emedia.bodies import wishes
from conferences.vendors.fields import Fields

TIME = "%Y-%m-%d %H:%M:%S"


class Call:
    """One call at `/{org}/{app}/`."""

    def __init__(self, request: HttpRequest, org: str, app: str) -> None:
        self.source = origin(request)
        self.request = request
        self.application = _application(org, app)

    @property
    def body(self) -> Fields:
        return Fields.parse(self.request.body)

    def actor(self) -> Actor:
        """Who shows a token or a key of this application. Raises: as `authenticate`; NotAuthenticated, RateLimited."""
        credential = bearer(self.request.headers.get("Authorization", ""))
        actor = authenticate(credential, self.source.address, self.source.request_id)
        if actor.application_id != self.application.pk:
            raise ApplicationNotFound()
        count(actor, self.application, self.source)
        return actor


def _application(org: str, app: str) -> Application:
    """By the names in an address, which clients may write with capitals. Raises: ApplicationNotFound."""
    found = Application.objects.filter(org=org.lower(), app=app.lower()).first()
    if found is None:
        raise ApplicationNotFound()
    return found


Act = Callable[..., Json | list[Json]]


def methods(acts: Mapping[str, Act]) -> Callable[..., HttpResponse]:
    """The view of an address, with a function of a `Call` for each method."""

    @csrf_exempt
    def view(request: HttpRequest, org: str, app: str, **path: str) -> HttpResponse:
        act = acts.get(request.method or "")
        if act is None:
            return HttpResponseNotAllowed(list(acts))
        return run(request, "emedia", lambda: act(Call(request, org, app), **path), refuse)

    return view


def refuse(refusal: DomainError) -> HttpResponse:
    text = text_of(refusal)
    answer = {
        "error": codec.code_of(refusal),
        "errorMessage": text,
        "error_description": text,
        "exception": refusal.code,
    }
    response = json_response(answer, refusal.http_status)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return response


# Tokens and users


def issue_token(call: Call) -> Json:
    """For a backend by its application's client secret, for a registered user by its password."""
    body, application = call.body, call.application
    kind = body.text("grant_type")
    if kind == "client_credentials":
        for_backend = services.issue_application_token(
            application=application,
            client_id=body.needed("client_id"),
            client_secret=body.needed("client_secret"),
        )
        return _token(for_backend.text, for_backend.seconds, application)
    if kind == "password":
        name = user_name(body.needed("username"), application.app_key)
        seconds = body.whole("ttl", 1) or DEFAULT_SECONDS
        for_user = services.sign_in_user(
            application=application,
            name=name,
            password=body.needed("password"),
            address=call.source.address,
            seconds=seconds,
        )
        return _token(for_user.text, seconds, application) | {"user": _user(name)}
    raise BadParameters(errors=[{"pointer": "#/grant_type", "detail": _("Use client_credentials or password.")}])


def _token(text: str, seconds: int, application: Application) -> Json:
    return {"access_token": text, "expires_in": seconds, "application": str(application.app_id)}


def register_users(call: Call) -> Json:
    """One user or a list of them; the first that is refused ends it, and those before it stay."""
    actor = call.actor()
    registered = []
    for user in Fields.parse_some(call.request.body):
        made = services.register_user(
            actor=actor,
            application=call.application,
            name=user.needed("username"),
            password=user.needed("password"),
        )
        registered.append(_user(made.name))
    return {"action": "post", "path": "/users", "entities": registered, "count": len(registered)}


def _user(name: str) -> Json:
    return {"type": "user", "username": name, "activated": True}


# Conferences


def create_conference(call: Call) -> Json:
    actor = call.actor()
    created = conferences.create_conference(actor=actor, wishes=wishes(call.body))
    return {"error": 0, **_conference(created.conference), "password": created.password}


def show_conference(call: Call, confr_id: str) -> Json:
    actor = call.actor()
    conference = questions.get_conference(actor, confr_id)
    seats = questions.list_members(actor, confr_id).exclude(state=Member.State.EXITED).order_by("number")
    return {
        "error": 0,
        **_conference(conference),
        "mems": [
            {"memberId": seat.mem_id, "memName": f"{call.application.app_key}_{seat.user.name}", "role": seat.role}
            for seat in seats
        ],
    }


def _conference(conference: Conference) -> Json:
    expires_at = conference.created_at + timedelta(seconds=conference.delay_seconds)
    return {
        "id": conference.confr_id,
        "type": conference.type,
        "mixed": conference.type != ConferenceType.COMMUNICATION,
        "audienceLimit": conference.max_audience,
        "talkerLimit": conference.max_talkers,
        "allowAudienceTalk": conference.allow_audience_talk,
        "expireDate": expires_at.strftime(TIME),
    }


def end_conference(call: Call, confr_id: str) -> Json:
    conferences.destroy_conference(actor=call.actor(), confr_id=confr_id)
    return {"error": 0}


def kick_member(call: Call, confr_id: str, name: str) -> Json:
    """Who is not inside is kept out as well, so that there is nothing to refuse."""
    actor = call.actor()
    moderation.kick_members(actor=actor, confr_id=confr_id, names=[user_name(name, call.application.app_key)])
    return {"error": 0}
