"""Model fields that the whole house uses."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from accounts.keys import cipher


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """Text that a thief of the database alone cannot read: a Fernet token of the ring `encryption`."""

    def get_prep_value(self, value: Any) -> Any:
        return value and cipher(settings.KEYS["encryption"]).encrypt(value.encode()).decode()

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        return value and cipher(settings.KEYS["encryption"]).decrypt(value.encode()).decode()
