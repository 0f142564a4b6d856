"""How a row that breaks its own rules becomes a refusal."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters


def require_valid(row: models.Model) -> None:
    """Raises: BadParameters, with the messages by field name, when the validators of `row` refuse it."""
    columns = [field for field in row._meta.concrete_fields if field.editable and not (field.null or field.primary_key)]
    # Django's validation lets None pass where a field may be blank.
    if unset := [field.name for field in columns if getattr(row, field.attname) is None]:
        raise BadParameters(fields={name: [_("Give a value.")] for name in unset})
    try:
        # What must be unique is asked of the index when the row is written, where a concurrent twin counts.
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise BadParameters(fields=error.message_dict) from None
