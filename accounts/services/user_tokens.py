"""User tokens: minted by a backend for one of its users, revoked one by one or all of a user."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import tokens
from accounts.actors import Actor
from accounts.errors import BadParameters, NotFound
from accounts.log import Fact, record
from accounts.models import Application, User, UserToken
from accounts.names import user_name
from accounts.permissions import Act, require

DEFAULT_SECONDS = 86_400
MAX_SECONDS = 30 * 86_400


class IssuedToken(NamedTuple):
    """A user token and its text, which is not stored."""

    token: UserToken
    text: str


@transaction.atomic
def issue_user_token(
    *, actor: Actor, application: Application, user: str, seconds: int = DEFAULT_SECONDS
) -> IssuedToken:
    """Mint a token for the user of this name, who is created on first sight; it lives 1 s to 30 days.

    Raises: ApplicationNotFound, NotAllowed, ScopeMissing, UserNameInvalid, BadParameters.
    Records: user_token.issued.
    """
    require(actor, Act.MANAGE_TOKENS, application)
    if not 1 <= seconds <= MAX_SECONDS:
        raise BadParameters(fields={"seconds": [_("Use 1 second to 30 days.")]})
    name = user_name(user, application.app_key)
    owner = User.objects.named(application.pk, [name])[name]
    expires_at = timezone.now().replace(microsecond=0) + timedelta(seconds=seconds)
    token = UserToken.objects.create(user=owner, expires_at=expires_at)
    claims = tokens.UserClaims(token.pk, application.pk, owner.pk, expires_at, owner.name)
    data = {"token": token.pk, "user": owner.pk, "expires_at": expires_at.isoformat()}
    record(application, Fact("user_token.issued", actor, data, personal={"user": owner.name}))
    return IssuedToken(token, tokens.encode(claims))


@transaction.atomic
def revoke_user_token(*, actor: Actor, application: Application, token_id: int) -> UserToken:
    """Refuse one token from now on: within a second in all processes.

    Raises: ApplicationNotFound, NotAllowed, ScopeMissing, NotFound. Records: user_token.revoked, unless it
    was.
    """
    require(actor, Act.MANAGE_TOKENS, application)
    tokens_of_application = UserToken.objects.select_for_update(of=("self",)).select_related("user")
    token = tokens_of_application.filter(pk=token_id, user__application=application).first()
    if token is None:
        raise NotFound
    if token.revoked_at is None:
        _revoke([token])
        data = {"tokens": [token.pk], "user": token.user_id}
        record(application, Fact("user_token.revoked", actor, data, personal={"user": token.user.name}))
    return token


@transaction.atomic
def revoke_user_tokens(*, actor: Actor, application: Application, user: str) -> int:
    """Refuse every token of the user of this name from now on; returns how many were still good.

    Raises: ApplicationNotFound, NotAllowed, ScopeMissing, UserNameInvalid, NotFound.
    Records: user_token.revoked, when there were any.
    """
    require(actor, Act.MANAGE_TOKENS, application)
    owner = User.objects.filter(application=application, name=user_name(user, application.app_key)).first()
    if owner is None:
        raise NotFound
    good = UserToken.objects.select_for_update(of=("self",)).filter(
        user=owner, revoked_at=None, expires_at__gt=timezone.now()
    )
    revoked = list(good.order_by("pk"))
    if revoked:
        _revoke(revoked)
        data = {"tokens": [token.pk for token in revoked], "user": owner.pk}
        record(application, Fact("user_token.revoked", actor, data, personal={"user": owner.name}))
    return len(revoked)


def _revoke(revoked: list[UserToken]) -> None:
    now = timezone.now()
    for token in revoked:
        token.revoked_at = now
    UserToken.objects.bulk_update(revoked, ["revoked_at"])
