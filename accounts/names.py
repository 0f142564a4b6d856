"""Names of users and applications, in every form that vendors' SDKs send them. Pure functions."""

from __future__ import annotations

import re
import unicodedata

from accounts.errors import UserNameInvalid

APP_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,31}#[a-z0-9][a-z0-9-]{0,31}")
MAX_NAME = 64

# First path segments that are ours; vendor routes begin with an organisation's name.
RESERVED_ORGS = frozenset(
    {"api", "account", "admin", "hooks", "live", "dashboard", "static", "easemob", "healthz", "readyz", "metrics"}
)


def plain_text(text: str) -> bool:
    """Whether every character can be stored and shown: no control characters, no lone surrogates."""
    return text.isprintable() or all(unicodedata.category(character) not in {"Cc", "Cs"} for character in text)


def user_name(given: str, app_key: str) -> str:
    """The one name of a user of `app_key` ("org#app"), whichever way it was written.

    `user`, `org#app_user` and `org#app_user@domain` are one user (Easemob's web SDK sends the second form,
    its mini-program SDK the third). A prefix of another application is a refusal and not part of a name.

    Raises: UserNameInvalid.
    """
    name = unicodedata.normalize("NFC", given)
    prefix = app_key + "_"
    if name.lower().startswith(prefix):
        name = name[len(prefix) :]
        if "@" in name:  # the domain goes, and no more: a name may be an e-mail address
            name = name.rpartition("@")[0]
    if not 1 <= len(name) <= MAX_NAME or "#" in name or not plain_text(name) or name != name.strip():
        raise UserNameInvalid(name=given[:MAX_NAME])
    return name
