from __future__ import annotations

import os
import pwd
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from supervisor import embedded
from supervisor.embedded import postgres, redis
from supervisor.errors import StartError


def folders_up_to_root(path: Path) -> dict[Path, int]:
    return {folder: folder.stat().st_mode for folder in path.resolve().parents}


def test_postgres_keeps_its_data_and_syncs_it():
    with postgres() as url, psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT current_database(), current_setting('fsync')").fetchone() == (
            "confr",
            "on",
        )
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_postgres_as_root_runs_under_an_account_that_owns_only_its_folder():
    with postgres() as url:
        sockets = Path(url.partition("host=")[2])
        owner = pwd.getpwuid(sockets.stat().st_uid).pw_name
        if os.geteuid() == 0:
            assert owner in {"postgres", "nobody"}
        assert sockets.stat().st_mode & 0o777 == 0o700
    assert not sockets.exists()


def test_redis_keeps_what_it_was_told(tmp_path):
    folder = tmp_path / "redis"
    with redis(folder) as url:
        redis_client.Redis.from_url(url).set("kept", "yes")
    with redis(folder) as url:
        assert redis_client.Redis.from_url(url).get("kept") == b"yes"
        socket = Path(url.removeprefix("unix://").partition("?")[0])
        assert socket.parent.stat().st_mode & 0o777 == 0o700


def test_no_folder_above_the_data_changes_its_permissions(tmp_path):
    before = folders_up_to_root(tmp_path / "postgres")
    if os.geteuid() == 0:
        with pytest.raises(StartError, match="cannot get there"), postgres(tmp_path / "postgres"):
            pass  # pytest's folders are closed to the account
    else:
        with postgres(tmp_path / "postgres"):
            pass
    assert folders_up_to_root(tmp_path / "postgres") == before


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    folder = tmp_path / "redis"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 12345, 12345)

    with pytest.raises(StartError, match="belongs to user 12345: give it to 0"), redis(folder):
        pass


def test_data_of_another_version_is_refused_by_name(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("9\n")

    with pytest.raises(StartError, match=r"was made by PostgreSQL 9, which is not here"):
        embedded._postgres_binaries(data, None)
