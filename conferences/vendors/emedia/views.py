"""The HTTP calls of emedia's clients. The status is always 200, since an SDK that sees another loses the code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.actors import Actor
from accounts.authentication import application as known_application
from accounts.errors import DomainError
from accounts.names import user_name
from accounts.origin import Origin, origin
from conferences.api.errors import MethodNotAllowed
from conferences.errors import MemberNotFound, OperationUnsupported
from conferences.models import Kind, Role, StreamType
from conferences.services import conferences, messages, moderation, roles, streams, tickets
from conferences.services.members import seat_actor
from conferences.services.questions import look_in
from conferences.services.tickets import Issued
from conferences.vendors.base import Json, count, json_response, run, text_of
from conferences.vendors.emedia import codec, tokens
from conferences.vendors.emedia.bodies import HIDING, ROLES, attribute_changes, wishes
from conferences.vendors.emedia.tokens import Caller
from conferences.vendors.fields import Fields


class Call:
    """One call: the body, where it comes from, and who it turns out to be."""

    def __init__(self, request: HttpRequest) -> None:
        self.source: Origin = origin(request)
        self.body = Fields.parse(request.body)

    def caller(self, uid: str = "uid") -> Caller:
        """Who shows an IM token. Raises: as `tokens.caller`; RateLimited."""
        found = tokens.caller(self.body.needed("token", 400), self.body.needed(uid), self.source)
        count(found.actor, found.application, self.source)
        return found

    def moderator(self) -> dict[str, Any]:
        """Who shows a role token, and where, as services take them. Raises: RoleTokenInvalid, RateLimited."""
        # The web SDK sends a whole object for `confrId` with disband/conference.
        said = self.body.text_if_any("confrId")
        actor, confr_id = tokens.moderator(self.body.text("roleToken"), said, self.source)
        count(actor, known_application(actor.application_id or 0), self.source)
        return {"actor": actor, "confr_id": confr_id}

    def names(self, actor: Actor) -> list[str]:
        """The users in `uids`, each once. Raises: BadParameters, UserNameInvalid."""
        app_key = known_application(actor.application_id or 0).app_key
        return list(dict.fromkeys(user_name(uid, app_key) for uid in self.body.texts("uids")))

    def role(self) -> Role | None:
        """The wished role; None for no wish. Raises: BadParameters."""
        wish = self.body.choice("role", [*ROLES, HIDING])
        return None if wish in (None, HIDING) else Role(wish)

    def new_role(self) -> Role:
        role = self.role()
        if role is None:
            raise self.body.wrong("role")
        return role


Act = Callable[..., Json]
View = Callable[..., HttpResponse]


def call(*methods: str) -> Callable[[Act], View]:
    """Makes a function of a `Call` the view of an address."""

    def make(act: Act) -> View:
        @csrf_exempt
        @wraps(act)
        def view(request: HttpRequest, **path: str) -> HttpResponse:
            def answer() -> Json:
                if request.method not in methods:
                    raise MethodNotAllowed()
                return {"error": 0} | act(Call(request), **path)

            return run(request, "emedia", answer, refuse)

        return view

    return make


def refuse(refusal: DomainError) -> HttpResponse:
    return json_response({"error": codec.code_of(refusal), "errorMessage": text_of(refusal)})


# Entering


@call("POST")
def request_ticket(call: Call) -> Json:
    """Without a conference's id it creates one; with it, it is the right to enter."""
    caller, body = call.caller(), call.body
    if confr_id := body.text("confrId"):
        password = body.text("password", 64)
        issued = tickets.issue_ticket(
            actor=caller.actor,
            confr_id=confr_id,
            name=caller.name,
            role=call.role(),
            password=password,
            while_free=True,
        )
    else:
        created = conferences.create_conference(actor=caller.actor, wishes=wishes(body, creator=caller.name))
        assert created.issued is not None  # there is a creator
        issued, password = created.issued, created.password
    return admission(issued, caller, password)


def admission(issued: Issued, caller: Caller, password: str) -> Json:
    """A ticket, as SDKs keep it. The newest mini-program SDK looks for its two halves in `data`, older ones do not."""
    halves = {
        "roleToken": issued.role_token,
        "ticket": tokens.ticket_document(issued, caller.application.app_key),
    }
    conference = issued.ticket.conference
    return {
        "confrId": conference.confr_id,
        "type": conference.type,
        "password": password,
        "role": issued.ticket.role,
        "rtcCfg": "{}",
        **halves,
        "data": halves,
    }


@call("POST")
def enter_room(call: Call, org: str, app: str) -> Json:
    """The conference with this name, which is made when there is none. The client asks for a ticket next."""
    caller, body = call.caller("memName"), call.body
    tokens.require_address(caller.application, org, app)
    password = body.text("password", 64)
    conference, issued, is_new = conferences.join_room(
        actor=caller.actor,
        name=body.needed("roomName", 128),
        wishes=wishes(body, creator=caller.name),
        user=caller.name,
        password=password,
    )
    return {
        "confrId": conference.confr_id,
        "isCreator": is_new,
        "type": conference.type,
        "password": password,
        "roleToken": issued.role_token,
    }


@call("POST")
def select_conference(call: Call) -> Json:
    caller, body = call.caller(), call.body
    glance = look_in(caller.actor, body.needed("confrId"), body.text("password", 64))
    return {"confr": codec.glance(caller.application.app_key, glance)}


# Moderation


@call("POST")
def change_roles(call: Call) -> Json:
    here = call.moderator()
    found = roles.grant_role(**here, names=call.names(here["actor"]), role=call.new_role())
    if not any(found.values()):
        raise MemberNotFound()
    return {}


@call("POST")
def kick_members(call: Call) -> Json:
    here = call.moderator()
    moderation.kick_members(**here, names=call.names(here["actor"]))
    return {}


@call("POST")
def disband_conference(call: Call) -> Json:
    conferences.destroy_conference(**call.moderator())
    return {}


@call("POST")
def update_attributes(call: Call) -> Json:
    """Attributes, or the one state that there is: whether all are muted. Not both, since one may be refused."""
    here, state, wishes = call.moderator(), call.body.nested("cstate"), call.body.list_of("cattrs")
    if bool(state) == bool(wishes):
        raise call.body.wrong("cattrs")
    if state:
        moderation.mute_all(**here, kinds=[Kind.AUDIO], muted=state.flag("muteAll"))
    else:
        values, deleted = attribute_changes(wishes)
        messages.set_attributes(**here, values=values, delete=deleted)
    return {}


@csrf_exempt
def unknown(request: HttpRequest, rest: str) -> HttpResponse:
    """What the vendor's server may have had at this address, Confr has not."""
    return refuse(OperationUnsupported())


# Media


@call("POST")
def media(call: Call, secret: str) -> Json:
    """A member's own address: it says who asks, since the body does not."""
    call.source.path = f"/{tokens.MEDIA_PATH}"
    actor, confr_id = seat_actor(tokens.read_media_secret(secret), call.source.address, call.source.request_id)
    count(actor, known_application(actor.application_id or 0), call.source)
    here: Json = {"actor": actor, "confr_id": confr_id, "user_id": actor.user_id}
    match call.body.text("op"):
        case "pubS":
            return publish(call.body, here)
        case "subS":
            return streams.sub_stream(**here, stream_id=call.body.needed("streamId"))
        case "unpubS":
            return {"streamId": streams.unpub_stream(**here, stream_id=call.body.needed("streamId")).stream_id}
        case _:
            raise call.body.wrong("op")


def publish(body: Fields, here: dict[str, Any]) -> Json:
    """`type` and `kind` are ours: the vendor's SDK sends neither."""
    push = streams.pub_stream(
        **here,
        rtc_id=body.text("rtcId"),
        stream_type=body.choice("type", [StreamType.CAMERA, StreamType.DESKTOP]) or StreamType.CAMERA,
        kind=body.one_of("kind", Kind.values),
    )
    return {"rtmp": push.url, "streamId": push.stream.stream_id, "rtcId": push.stream.rtc_id}
