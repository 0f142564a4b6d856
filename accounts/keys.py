"""Server keys: what Confr signs, encrypts and seals with.

They live in one file (0600) in the state folder, newest first: the first of a ring signs, all verify. The
file is made at the first start, rotated by `manage.py rotate_keys` and is part of every backup. No Django
models here: settings load it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet

RINGS = ("django", "signing", "encryption", "seals", "media")
MAC_BYTES = 16


def new_key() -> str:
    """A fresh 256-bit key as URL-safe base64, which is also what Fernet takes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def load(path: Path) -> dict[str, list[str]]:
    """Read the rings from `path`, making the file at the first start.

    Two processes that start at once agree: the file is linked into place whole, and the first one wins.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        _write(draft, {ring: [new_key()] for ring in RINGS})
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its keys stand
        finally:
            draft.unlink()
    rings: dict[str, list[str]] = json.loads(path.read_text())
    if missing := [ring for ring in RINGS if not rings.get(ring)]:
        raise ValueError(f"{path} has no key for {', '.join(missing)}; restore it from the backup")
    return rings


def rotate(path: Path, ring: str) -> None:
    """Put a new key in front of `ring`: it signs from the next start on, the older ones still verify."""
    rings = load(path)
    rings[ring].insert(0, new_key())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    _write(draft, rings)
    draft.replace(path)


def _write(path: Path, rings: dict[str, list[str]]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(rings, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Signer:
    """Message authentication with one ring. `purpose` keeps a mac of one kind from passing as another."""

    keys: Sequence[bytes]

    def sign(self, purpose: str, message: bytes) -> bytes:
        """The first 16 bytes of the HMAC-SHA256 with the newest key."""
        return self._mac(self.keys[0], purpose, message)

    def verify(self, purpose: str, message: bytes, mac: bytes) -> bool:
        """Whether any key of the ring made `mac`, in constant time per key."""
        return any(hmac.compare_digest(self._mac(key, purpose, message), mac) for key in self.keys)

    @staticmethod
    def _mac(key: bytes, purpose: str, message: bytes) -> bytes:
        return hmac.digest(key, purpose.encode() + b"\0" + message, hashlib.sha256)[:MAC_BYTES]


def signer(keys: Sequence[str]) -> Signer:
    return Signer([key.encode() for key in keys])


def cipher(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def b64(data: bytes) -> str:
    """URL-safe base64 without padding: safe in a path, a query and an RTMP play path."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The reverse of `b64`. Raises: ValueError when `text` is no such thing."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
