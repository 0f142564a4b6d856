"""The texts of tokens: whom they stand for, signed, so that they are verified without a query. Pure functions."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings

from accounts.errors import CredentialsInvalid
from accounts.keys import MAC_BYTES, b64, signer, unb64

PREFIX = "ut_"
PURPOSE = "user-token"
NUMBERS = struct.Struct(">QQQQ")

APPLICATION_PREFIX = "at_"
APPLICATION_PURPOSE = "application-token"
APPLICATION_NUMBERS = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class UserClaims:
    """What a user token says. `token_id` is its row, `expires_at` whole seconds."""

    token_id: int
    application_id: int
    user_id: int
    expires_at: datetime
    user_name: str


@dataclass(frozen=True, slots=True)
class ApplicationClaims:
    """What an application token says. `expires_at` is in whole seconds."""

    application_id: int
    expires_at: datetime


def encode(claims: UserClaims) -> str:
    """`ut_` and the claims with their mac: about 70 characters beside the name."""
    expires_at = int(claims.expires_at.timestamp())
    numbers = NUMBERS.pack(claims.token_id, claims.application_id, claims.user_id, expires_at)
    body = numbers + claims.user_name.encode()
    return PREFIX + b64(body + signer(settings.KEYS["signing"]).sign(PURPOSE, body))


def decode(text: str) -> UserClaims:
    """The claims of a token that we signed and whose time is not over. Says nothing of revocation.

    Raises: CredentialsInvalid.
    """
    encoded = text.removeprefix(PREFIX)
    try:
        signed = unb64(encoded)
    except ValueError:
        raise CredentialsInvalid from None
    body, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
    # The last character of base64 has spare bits: only the one spelling that we wrote is the token.
    if b64(signed) != encoded or not signer(settings.KEYS["signing"]).verify(PURPOSE, body, mac):
        raise CredentialsInvalid
    token_id, application_id, user_id, expires_at = NUMBERS.unpack_from(body)
    claims = UserClaims(
        token_id,
        application_id,
        user_id,
        datetime.fromtimestamp(expires_at, UTC),
        body[NUMBERS.size :].decode(),
    )
    if claims.expires_at <= datetime.now(UTC):
        raise CredentialsInvalid
    return claims


def encode_application(claims: ApplicationClaims, client_secret: str) -> str:
    """`at_` and the claims with their mac. The client secret is part of it: with another one the token is nothing."""
    body = APPLICATION_NUMBERS.pack(claims.application_id, int(claims.expires_at.timestamp()))
    return APPLICATION_PREFIX + b64(body + _application_mac(body, client_secret))


def application_of(text: str) -> int:
    """Whose application token this claims to be, not verified yet. Raises: CredentialsInvalid."""
    body, _ = _halves(text)
    application_id: int = APPLICATION_NUMBERS.unpack(body)[0]
    return application_id


def decode_application(text: str, client_secret: str) -> ApplicationClaims:
    """The claims of a token that we signed and whose time is not over. Raises: CredentialsInvalid."""
    body, mac = _halves(text)
    if not signer(settings.KEYS["signing"]).verify(APPLICATION_PURPOSE, _bound(body, client_secret), mac):
        raise CredentialsInvalid
    application_id, expires_at = APPLICATION_NUMBERS.unpack(body)
    claims = ApplicationClaims(application_id, datetime.fromtimestamp(expires_at, UTC))
    if claims.expires_at <= datetime.now(UTC):
        raise CredentialsInvalid
    return claims


def _halves(text: str) -> tuple[bytes, bytes]:
    encoded = text.removeprefix(APPLICATION_PREFIX)
    try:
        signed = unb64(encoded)
    except ValueError:
        raise CredentialsInvalid from None
    if len(signed) != APPLICATION_NUMBERS.size + MAC_BYTES or b64(signed) != encoded:
        raise CredentialsInvalid
    return signed[:-MAC_BYTES], signed[-MAC_BYTES:]


def _application_mac(body: bytes, client_secret: str) -> bytes:
    return signer(settings.KEYS["signing"]).sign(APPLICATION_PURPOSE, _bound(body, client_secret))


def _bound(body: bytes, client_secret: str) -> bytes:
    return body + client_secret.encode()
