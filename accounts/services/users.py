"""Registered users: who has a password of its own and signs in with it. Others are vouched for by their backend."""

from __future__ import annotations

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts import limits
from accounts.actors import Actor, system
from accounts.errors import BadParameters, CredentialsInvalid, UserNameTaken
from accounts.log import Fact, record
from accounts.models import Application, User, UserPassword
from accounts.names import user_name
from accounts.permissions import Act, require
from accounts.services.user_tokens import DEFAULT_SECONDS, IssuedToken, issue_user_token

MAX_PASSWORD = 128


def register_user(*, actor: Actor, application: Application, name: str, password: str) -> User:
    """Give a user a password; one whom a token was minted for before may be registered still, once.

    Raises: ApplicationNotFound, NotAllowed, ScopeMissing, UserNameInvalid, UserNameTaken, BadParameters.
    Records: user.registered.
    """
    require(actor, Act.MANAGE_TOKENS, application)
    if not 1 <= len(password) <= MAX_PASSWORD:
        raise BadParameters(fields={"password": [_("Use 1 to 128 characters.")]})
    plain = user_name(name, application.app_key)
    digest = make_password(password)
    try:
        with transaction.atomic():
            user = User.objects.named(application.pk, [plain])[plain]
            UserPassword(user=user, digest=digest).save(force_insert=True)
            record(application, Fact("user.registered", actor, {"user": user.pk}, personal={"user": user.name}))
    except IntegrityError:
        raise UserNameTaken() from None
    return user


def sign_in_user(
    *, application: Application, name: str, password: str, address: str | None, seconds: int = DEFAULT_SECONDS
) -> IssuedToken:
    """A user token for who knows the password of a registered user. Guesses are throttled.

    Raises: CredentialsInvalid, RateLimited, Unavailable, BadParameters. Records: user_token.issued.
    """
    plain = user_name(name, application.app_key)
    guess = (application.pk, "users", plain, address)
    limits.guess(*guess)
    known = UserPassword.objects.filter(user__application=application, user__name=plain).first()
    if not check_password(password, known.digest if known else ""):  # takes as long for nobody
        raise CredentialsInvalid
    limits.forgive(*guess)
    return issue_user_token(actor=system(address=address), application=application, user=plain, seconds=seconds)
