"""A bucket of S3 as the storage of recordings. Loaded only where settings name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

# One that hangs is given up within a minute or two: the job tries again later.
NETWORK = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"total_max_attempts": 3, "mode": "standard"},
    signature_version="s3v4",
    s3={"addressing_style": "path"},
)


class Bucket(S3Storage):  # type: ignore[misc]  # it has no types
    """A private bucket; whoever may read a file gets an address that expires."""

    failures = (OSError, BotoCoreError, Boto3Error, ClientError)

    def get_default_settings(self) -> dict[str, Any]:
        larger_ones_go_to_the_disk = {"max_memory_size": 8 << 20}
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | larger_ones_go_to_the_disk | {"default_acl": None, "client_config": NETWORK}

    def fetch(self, name: str, folder: Path) -> Path:
        copy = folder / Path(name).name
        self.bucket.download_file(self._normalize_name(name), str(copy))
        return copy

    def address(self, name: str, filename: str, seconds: int) -> str | None:
        disposition = f'attachment; filename="{filename}"' if filename else "inline"
        asked = {"ResponseContentDisposition": disposition, "ResponseContentType": "video/mp4"}
        url: str = self.url(name, parameters=asked, expire=seconds)
        return url
