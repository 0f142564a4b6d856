"""Storages that do wrong, and a real S3 server."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from django.core.files.base import File
from moto.server import ThreadedMotoServer

from conferences.media.storage import Folder

BUCKET = "recordings"


class Damaging(Folder):
    """The last byte of what it stores is another."""

    def _save(self, name: str, content: Any) -> str:
        damaged = content.read()[:-1] + b"x"
        saved: str = super()._save(name, File(io.BytesIO(damaged), name))  # type: ignore[misc]  # a private hook
        return saved


def bucket(endpoint: str, name: str = BUCKET) -> dict[str, Any]:
    """The setting for a bucket at an S3 server."""
    options = {"bucket_name": name, "endpoint_url": endpoint, "region_name": "us-east-1", "location": "confr"}
    return {"BACKEND": "conferences.media.s3.Bucket", "OPTIONS": options | {"access_key": "k", "secret_key": "s"}}


def folder(location: object, backend: str = "conferences.media.storage.Folder") -> dict[str, Any]:
    return {"BACKEND": backend, "OPTIONS": {"location": location, "file_permissions_mode": 0o600}}


def use(settings: Any, backend: dict[str, Any]) -> None:
    """Have recordings stored there."""
    settings.STORAGES = settings.STORAGES | {"recordings": backend}


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server with a bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys).create_bucket(Bucket=BUCKET)
    try:
        yield address
    finally:
        server.stop()


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
