"""Who calls the API: an application key, a user token or a role token as Bearer, or a staff session."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.actors import Actor
from accounts.authentication import authenticate, bearer, staff_actor
from accounts.errors import ApplicationNotFound, NotAuthenticated
from accounts.models import Application, Staff
from accounts.origin import origin
from conferences.api.errors import CsrfFailed
from conferences.errors import RoleTokenInvalid
from conferences.services import tickets

ROLE_TOKEN = "rt_"  # noqa: S105 a prefix
APPLICATION_HEADER = "X-Confr-Application"


class ActorAuthentication(BaseAuthentication):
    """Sets `request.user` to the Actor. Raises refusals of the domain, which the one handler renders."""

    def authenticate(self, request: Request) -> tuple[Actor, None] | None:
        header = request.headers.get("Authorization")
        if header is not None:
            return self._bearer(request, bearer(header)), None
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            staff = request._request.user
            if isinstance(staff, Staff):
                return self._session(request, staff), None
        return None

    def _bearer(self, request: Request, credential: str) -> Actor:
        source = origin(request)
        if not credential.startswith(ROLE_TOKEN):
            return authenticate(credential, source.address, source.request_id)
        actor, confr_id = tickets.role_token_actor(credential, address=source.address, request_id=source.request_id)
        if (request.parser_context or {})["kwargs"].get("confrId") != confr_id:
            raise RoleTokenInvalid()
        return actor

    def _session(self, request: Request, staff: Staff) -> Actor:
        try:
            SessionAuthentication().enforce_csrf(cast(Request, request._request))
        except PermissionDenied:
            raise CsrfFailed() from None
        source = origin(request)
        application_id = _application_id(request.headers.get(APPLICATION_HEADER, ""))
        return staff_actor(staff, source.address, source.request_id, application_id)


def _application_id(app_key: str) -> int:
    """The application that a staff call is about, by its `org#app`. Raises: ApplicationNotFound."""
    org, _, app = app_key.partition("#")
    found = Application.objects.filter(org=org, app=app).values_list("pk", flat=True).first()
    if found is None:
        raise ApplicationNotFound()
    return found


class IsAuthenticated(BasePermission):
    """Somebody calls. What they may do, the services ask."""

    def has_permission(self, request: Request, view: object) -> bool:
        if not isinstance(cast(object, request.user), Actor):
            raise NotAuthenticated
        return True


def actor_of(request: Request) -> Actor:
    """The caller of an authenticated request."""
    return cast(Actor, cast(object, request.user))
