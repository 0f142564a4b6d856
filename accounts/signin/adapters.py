"""What allauth asks of a project: who may sign in, what is noted of it, how its secrets lie in the database."""

from __future__ import annotations

import logging
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.utils import is_mfa_enabled
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import services
from accounts.actors import system
from accounts.authentication import staff_actor
from accounts.keys import cipher
from accounts.models import Staff
from accounts.names import plain_text
from accounts.origin import origin
from accounts.signin import lockouts

logger = logging.getLogger("confr.signin")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Nobody signs up: staff are invited, or made by a superuser."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Only addresses of our own host; allauth's raises on what is no address at all."""
        return url_has_allowed_host_and_scheme(url, {self.request.get_host()})

    def get_client_ip(self, request: HttpRequest) -> str:
        return lockouts.address_of(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        name, address = lockouts.username_of(request, credentials), lockouts.address_of(request)
        logger.warning("refused to sign in %s from %s", name, address)

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponseBase:
        """The last step has been passed."""
        staff, where = cast(Staff, user), origin(request)
        methods = [record.get("type") or record["method"] for record in get_authentication_records(request, user)]
        logger.info("signed in %s from %s by %s", staff.get_username(), where.address, ", ".join(methods))
        services.record_sign_in(actor=staff_actor(staff, where.address, where.request_id), staff=staff, methods=methods)
        response: HttpResponseBase = super().post_login(request, user, **kwargs)
        return response

    def get_reauthentication_methods(self, user: AbstractBaseUser) -> list[dict[str, Any]]:
        """By the second factor, where there is one: a stolen password must not be enough to take it away."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [method for method in methods if method["id"].startswith("mfa")] or methods

    def reauthenticate(self, user: AbstractBaseUser, password: str) -> bool:
        return not is_mfa_enabled(user) and bool(super().reauthenticate(user, password))

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        super().set_password(user, password)
        services.end_sessions(staff=cast(Staff, user), but=self.request.session.session_key)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Secrets of authenticator apps and of recovery codes are encrypted like all our secrets."""

    def encrypt(self, text: str) -> str:
        return cipher(settings.KEYS["encryption"]).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return cipher(settings.KEYS["encryption"]).decrypt(encrypted_text.encode()).decode()


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """A company's own sign-in opens the door to staff who are known, or invited, by a verified address."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        """None of a name that no row can hold."""
        return list(super().list_apps(request, provider, client_id)) if plain_text(provider or "") else []

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        if sociallogin.is_existing or sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        where = origin(request)
        staff = services.recognise(actor=system(where.request_id, where.address), email=_verified_address(sociallogin))
        if staff is None:
            logger.warning("refused a stranger from %s by single sign-on", where.address)
            raise ImmediateHttpResponse(render(request, "socialaccount/stranger.html", status=403))
        sociallogin.connect(request, staff)


def _verified_address(sociallogin: SocialLogin) -> str:
    return next((found.email for found in sociallogin.email_addresses if found.verified is True and found.email), "")
