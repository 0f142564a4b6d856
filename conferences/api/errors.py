"""Refusals that only HTTP knows. What the domain refuses is in conferences/errors.py and accounts/errors.py."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters, DomainError


class BodyMalformed(BadParameters):
    code = "body_malformed"
    message = _("The body is no JSON that we can read; send one UTF-8 encoded object.")


class BodyTooLarge(DomainError):
    code, http_status = "body_too_large", 413
    message = _("The body is too large; send at most 1 MiB.")


class MediaTypeUnsupported(DomainError):
    code, http_status = "media_type_unsupported", 415
    message = _("The body has an unknown type; send application/json.")


class MethodNotAllowed(DomainError):
    code, http_status = "method_not_allowed", 405
    message = _("This address has no such method; use one of the header Allow.")


class CsrfFailed(DomainError):
    code, http_status = "csrf_failed", 403
    message = _("The CSRF token is missing or wrong; reload the page and try again.")


class CursorInvalid(BadParameters):
    code = "cursor_invalid"
    message = _("The cursor is not of this list; begin again without one.")
