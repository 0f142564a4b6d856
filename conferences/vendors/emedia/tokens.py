"""What emedia's clients hold: the IM token, the ticket, the role token, and the member's own media address."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from django.conf import settings

from accounts.actors import Actor
from accounts.authentication import application as known_application
from accounts.authentication import authenticate
from accounts.errors import ApplicationNotFound, CredentialsInvalid
from accounts.keys import b64, signer, unb64
from accounts.models import Application
from accounts.names import user_name
from accounts.origin import Origin
from conferences.errors import MemberNotFound, RoleTokenInvalid, TicketInvalid
from conferences.services import tickets
from conferences.services.tickets import Issued
from conferences.vendors.emedia.codec import mem_name
from conferences.vendors.fields import Fields

SOCKET_PATH = "easemob/rtc/ws"
MEDIA_PATH = "easemob/rtc/media/"
PURPOSE = "emedia-media"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls with an IM token, and the user that the call is for: oneself, or anybody for the application."""

    actor: Actor
    application: Application
    name: str


def caller(token: str, uid: str, source: Origin) -> Caller:
    """`token` is a user token of ours; a backend may send its own key instead.

    Raises: CredentialsInvalid, ApplicationSuspended, UserNameInvalid.
    """
    actor = authenticate(token, source.address, source.request_id)
    application = known_application(actor.application_id or 0)
    name = user_name(uid, application.app_key)
    if actor.user_id is not None and actor.name != name:
        raise CredentialsInvalid()
    return Caller(actor, application, name)


def require_address(application: Application, org: str, app: str) -> None:
    """A call at `/{org}/{app}/`, capitals or not, is about that application. Raises: ApplicationNotFound."""
    if (application.org, application.app) != (org.lower(), app.lower()):
        raise ApplicationNotFound()


def moderator(role_token: str, confr_id: str, source: Origin) -> tuple[Actor, str]:
    """Whom a role token stands for, and its conference. What the role is, the services look up.

    `confr_id` is what the client says of the conference, "" when it says nothing. Raises: RoleTokenInvalid.
    """
    actor, own = tickets.role_token_actor(role_token, address=source.address, request_id=source.request_id)
    if confr_id not in ("", own):
        raise RoleTokenInvalid()
    return actor, own


def ticket_document(issued: Issued, app_key: str) -> str:
    """The ticket as JSON text, which the client parses and sends back as an object with op 200."""
    ticket = issued.ticket
    document = {
        "url": f"{settings.PUBLIC_WS_URL}/{SOCKET_PATH}",
        "tktId": str(ticket),
        "type": "CONFR",
        "confrId": ticket.conference.confr_id,
        "memName": mem_name(app_key, ticket.user.name),
        "tkt": issued.text,
    }
    return orjson.dumps(document).decode()


def read_ticket(frame: Fields) -> str:
    """Our ticket within op 200. Raises: TicketInvalid, BadParameters."""
    document = frame.nested("tkt")
    if document is None:
        raise TicketInvalid()
    return document.text("tkt")


def media_url(member_id: int) -> str:
    """The address where one member, and nobody else, asks for its streams' URLs: SDKs send no token there."""
    text = str(member_id)
    mac = signer(settings.KEYS["signing"]).sign(PURPOSE, text.encode())
    return f"{settings.PUBLIC_URL}/{MEDIA_PATH}{text}.{b64(mac)}"


def read_media_secret(secret: str) -> int:
    """The seat that a media address is of. Raises: MemberNotFound."""
    text, _, mac = secret.partition(".")
    try:
        raw = unb64(mac)
    except ValueError:
        raise MemberNotFound() from None
    if not signer(settings.KEYS["signing"]).verify(PURPOSE, text.encode(), raw) or b64(raw) != mac:
        raise MemberNotFound()
    return int(text)
