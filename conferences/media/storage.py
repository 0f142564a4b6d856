"""Where finished recordings are kept: a folder here, or a bucket of S3 (conferences/media/s3.py).

A file counts as kept once what was read back is what was handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol, cast

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, storages

CHUNK = 1 << 20


class StorageFailed(Exception):
    """The storage refused, was away, or gave back something else than it was given."""


class Store(Protocol):
    """What we ask of a storage beside what Django asks."""

    failures: ClassVar[tuple[type[Exception], ...]]

    def fetch(self, name: str, folder: Path) -> Path:
        """The file on this machine: itself, or a copy in `folder`."""

    def address(self, name: str, filename: str, seconds: int) -> str | None:
        """Where whoever holds this address may read the file for a while; None where only we can give it out."""

    def save(self, name: str, content: File[bytes]) -> str: ...
    def open(self, name: str, mode: str = "rb") -> File[bytes]: ...
    def size(self, name: str) -> int: ...
    def delete(self, name: str) -> None: ...


class Folder(FileSystemStorage):
    """A folder on this machine."""

    failures = (OSError,)

    def fetch(self, name: str, folder: Path) -> Path:
        return Path(self.path(name)).resolve(strict=True)

    def address(self, name: str, filename: str, seconds: int) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that the storage has, surely."""

    name: str
    size: int
    checksum: str


class _Made(File):  # type: ignore[type-arg]  # generic in the stubs alone
    """A file that a folder may move into itself; a bucket copies it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def keep(path: Path, name: str) -> Kept:
    """Store the file at `path` under `name` or a name like it, and read it back.

    Raises: StorageFailed; then the file at `path` is still there, unless a folder had taken it.
    """
    store = _store()
    with path.open("rb") as file, _failing(store):
        size, checksum = path.stat().st_size, digest(iter(lambda: file.read(CHUNK), b""))
        file.seek(0)
        saved = store.save(name, _Made(file, str(path)))
        with store.open(saved) as copy:
            is_same = store.size(saved) == size and digest(copy.chunks(CHUNK)) == checksum
    if not is_same:
        raise StorageFailed("the copy is not what was stored")
    return Kept(saved, size, checksum)


def fetch(name: str, folder: Path) -> Path:
    """A stored file on this machine, for reading; a copy goes to `folder`. Raises: StorageFailed."""
    with _failing(_store()):
        return _store().fetch(name, folder)


def delete(name: str) -> None:
    """Remove a stored file; one that is gone stays so. Raises: StorageFailed."""
    with _failing(_store()):
        _store().delete(name)


def open_stored(name: str) -> BinaryIO:
    """A stored file that only we can give out. Raises: StorageFailed."""
    with _failing(_store()):
        return cast(BinaryIO, _store().open(name).file)


def address(name: str, filename: str, seconds: int) -> str | None:
    """Where a browser gets a stored file from for so long; None when it is from us. Raises: StorageFailed."""
    with _failing(_store()):
        return _store().address(name, filename, seconds)


def digest(pieces: Iterable[bytes]) -> str:
    """SHA-256, as hexadecimal digits."""
    sha = hashlib.sha256()
    for piece in pieces:
        sha.update(piece)
    return sha.hexdigest()


def _store() -> Store:
    return cast(Store, storages["recordings"])


@contextmanager
def _failing(store: Store) -> Iterator[None]:
    try:
        yield
    except store.failures as error:
        raise StorageFailed(f"{type(error).__name__}: {error}") from error
