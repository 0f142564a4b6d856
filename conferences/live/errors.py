"""Refusals that only our socket knows. What the domain refuses is in conferences/errors.py and accounts/errors.py."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters, DomainError


class FrameMalformed(BadParameters):
    code = "frame_malformed"
    message = _('The frame cannot be read; send text frames of JSON, {"id": …, "op": …, "data": {…}}.')


class OperationUnknown(BadParameters):
    code = "operation_unknown"
    message = _("There is no such operation; see the list in the documentation.")


class NotEntered(DomainError):
    code, http_status = "not_entered", 401
    message = _("Enter first: the first frame carries the ticket.")


class AlreadyEntered(BadParameters):
    code = "already_entered"
    message = _("This socket has entered already; open another one.")
