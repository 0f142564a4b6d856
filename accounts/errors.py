"""Refusals: the base of every error of the domain, and those about who is calling."""

from __future__ import annotations

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class DomainError(Exception):
    """A refusal: it changes nothing, and says what is wrong and what to do.

    A subclass is a row of the error table (`manage.py error_table`): a stable `code`, the HTTP status of our
    own API and a message. `fields` are the facts of this one refusal (`limit="talkers"`); transports show
    them beside the code.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    message: ClassVar[str | Promise] = _("Something went wrong on our side; try again later.")

    def __init__(self, detail: str | Promise | None = None, **fields: object) -> None:
        super().__init__(self.code)
        self.detail: str | Promise = self.message if detail is None else detail
        self.fields = fields
        # Whose it was, where what refused knows: for counting, and for nobody's eyes.
        self.application_id: int | None = None

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait before trying again, where waiting helps."""
        seconds = self.fields.get("retry_after")
        return seconds if isinstance(seconds, int) else None


class NotAuthenticated(DomainError):
    code, http_status = "not_authenticated", 401
    message = _("Credentials are missing; send an application key or a user token as a Bearer token.")


class CredentialsInvalid(DomainError):
    code, http_status = "credentials_invalid", 401
    message = _("The credentials are wrong, expired or revoked; ask for new ones.")


class ScopeMissing(DomainError):
    code, http_status = "scope_missing", 403
    message = _("The key lacks the scope for this call; use a key that has it.")


class NotAllowed(DomainError):
    code, http_status = "not_allowed", 403
    message = _("You may not do this; ask somebody with the needed role.")


class ApplicationNotFound(DomainError):
    code, http_status = "application_not_found", 404
    message = _("There is no such application; check its key.")


class ApplicationSuspended(DomainError):
    code, http_status = "application_suspended", 403
    message = _("The application is suspended; ask the operator.")


class NotFound(DomainError):
    code, http_status = "not_found", 404
    message = _("There is no such thing; check its id.")


class BadParameters(DomainError):
    code, http_status = "bad_parameters", 400
    message = _("The request is malformed; correct the fields that are named.")


class UserNameInvalid(BadParameters):
    code, http_status = "user_name_invalid", 400
    message = _("The user name is invalid; use 1 to 64 printable characters of this application.")


class UserNameTaken(DomainError):
    code, http_status = "user_name_taken", 409
    message = _("A user with this name is registered already; sign in, or choose another name.")


class LastOwner(DomainError):
    code, http_status = "last_owner", 409
    message = _("An application needs an owner; make somebody else one first.")


class InvitationInvalid(DomainError):
    code, http_status = "invitation_invalid", 404
    message = _("This invitation has expired, was used or was withdrawn; ask for a new one.")


class SecondFactorNeeded(DomainError):
    code, http_status = "second_factor_needed", 403
    message = _("Confirm with your second factor that it is you, then do it again.")


class IdempotencyKeyReused(DomainError):
    code, http_status = "idempotency_key_reused", 422
    message = _("This Idempotency-Key was used with another request; use a new key.")


class RateLimited(DomainError):
    code, http_status = "rate_limited", 429
    message = _("Too many requests; wait as long as Retry-After says.")


class Busy(DomainError):
    code, http_status = "busy", 503
    message = _("The conference is busy; try again in a moment.")


class Unavailable(DomainError):
    code, http_status = "unavailable", 503
    message = _("A service that Confr needs is away; try again in a moment.")
