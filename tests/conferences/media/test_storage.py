"""Where recordings are kept: a folder, and a bucket at a real S3 server. What was not read back is not kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
import requests
from botocore.config import Config

from conferences.media import s3, storage
from conferences.media.storage import StorageFailed
from tests import storages

CONTENT = bytes(range(256)) * 50_000  # 12.8 MB: more than one part


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    with storages.s3_server() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def stored_in(request, settings, tmp_path):
    is_bucket = request.param == "bucket"
    place = storages.bucket(request.getfixturevalue("s3_server")) if is_bucket else storages.folder(tmp_path / "files")
    storages.use(settings, place)
    return request.param


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "made.mp4"
    path.write_bytes(CONTENT)
    return path


def test_what_is_kept_is_what_was_made_until_it_is_deleted(stored_in, made, tmp_path):
    kept = storage.keep(made, "1/A/5.mp4")
    assert (kept.size, kept.checksum) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert storage.fetch(kept.name, tmp_path).read_bytes() == CONTENT
    for _ in range(2):
        storage.delete(kept.name)
    with pytest.raises(StorageFailed):
        storage.fetch(kept.name, tmp_path / "copy")


def test_a_folder_gives_out_its_files_itself(settings, tmp_path, made):
    storages.use(settings, storages.folder(tmp_path / "files"))
    kept = storage.keep(made, "1/A/6.mp4")
    assert storage.address(kept.name, "6.mp4", 60) is None
    with storage.open_stored(kept.name) as file:
        assert file.read(4) == CONTENT[:4]
    assert not made.exists(), "moved, not copied"
    assert (tmp_path / "files" / kept.name).stat().st_mode & 0o777 == 0o600


def test_a_buckets_address_is_signed_expires_and_takes_ranges(settings, s3_server, made):
    storages.use(settings, storages.bucket(s3_server))
    kept = storage.keep(made, "1/A/6.mp4")
    address = storage.address(kept.name, "6.mp4", 60)
    assert address is not None
    part = requests.get(address, headers={"Range": "bytes=257-259"}, timeout=10)
    assert (part.status_code, part.content) == (206, CONTENT[257:260])
    assert part.headers["Content-Disposition"] == 'attachment; filename="6.mp4"'
    assert "X-Amz-Expires=60" in address
    assert "X-Amz-Signature=" in address
    inline = requests.get(storage.address(kept.name, "", 60) or "", timeout=10)
    assert (inline.headers["Content-Disposition"], inline.headers["Content-Type"]) == ("inline", "video/mp4")


def test_a_bucket_that_does_not_exist_is_a_failure_and_nothing_is_lost(settings, s3_server, made):
    storages.use(settings, storages.bucket(s3_server, "no-such-bucket"))
    with pytest.raises(StorageFailed):
        storage.keep(made, "1/A/7.mp4")
    assert made.read_bytes() == CONTENT


def test_a_server_that_hangs_or_refuses_is_given_up(settings, made, monkeypatch):
    hasty = Config(connect_timeout=0.2, read_timeout=0.2, retries={"total_max_attempts": 1})
    monkeypatch.setattr(s3, "NETWORK", s3.NETWORK.merge(hasty))
    with storages.silent_server() as address:
        storages.use(settings, storages.bucket(address))
        with pytest.raises(StorageFailed, match="Timeout"):
            storage.keep(made, "1/A/8.mp4")
    with pytest.raises(StorageFailed, match="connect"):
        storage.keep(made, "1/A/8.mp4")
    assert made.read_bytes() == CONTENT


def test_a_copy_that_differs_is_no_copy(settings, tmp_path, made):
    storages.use(settings, storages.folder(tmp_path / "files", "tests.storages.Damaging"))
    with pytest.raises(StorageFailed, match="not what was stored"):
        storage.keep(made, "1/A/9.mp4")
    assert made.read_bytes() == CONTENT
