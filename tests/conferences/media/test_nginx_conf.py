from __future__ import annotations

import stat
import subprocess

import pytest

from conferences.media import nginx_conf
from tests.conferences.media.conftest import require_programs
from tests.conferences.media.servers import unprivileged_user

OPTIONS: nginx_conf.Options = {
    "bind": "127.0.0.1",
    "rtmp_port": 19350,
    "http_port": 19351,
    "control_port": 19352,
    "backend_port": 8000,
    "flv_port": 19353,
    "secret": "s3cret=",
    "user": None,
}


@pytest.fixture(autouse=True)
def _programs():
    require_programs()


def test_the_configuration_and_its_folders_are_private(tmp_path):
    config = nginx_conf.prepare(tmp_path / "media", **OPTIONS)

    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    for name in ("logs", "run", "tmp", "hls"):
        assert stat.S_IMODE((config.parent / name).stat().st_mode) == 0o700


def test_preparing_again_gives_another_boot_mark(tmp_path):
    first = nginx_conf.prepare(tmp_path, **OPTIONS).read_text()
    second = nginx_conf.prepare(tmp_path, **OPTIONS).read_text()

    assert first != second


def test_only_what_workers_write_to_belongs_to_them(tmp_path):
    user = unprivileged_user()
    if user is None:
        pytest.skip("only root gives folders away")
    options: nginx_conf.Options = {**OPTIONS, "user": user}
    config = nginx_conf.prepare(tmp_path, **options)

    owners = {path.name: path.owner() for path in [config, *tmp_path.iterdir()]}
    assert owners == {"nginx.conf": "root", "logs": "root", "run": "root", "tmp": user, "hls": user}


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "::1"])  # noqa: S104 only checked
def test_nginx_accepts_the_configuration(tmp_path, bind):
    config = nginx_conf.prepare(tmp_path / "a folder with spaces", **{**OPTIONS, "bind": bind})
    check = subprocess.run([*nginx_conf.command(config), "-t"], capture_output=True, text=True, check=False)

    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("name", ['a"b', "a$b", "a\nb", "a;b", "a\\b"])
def test_a_folder_that_nginx_would_misread_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot quote"):
        nginx_conf.prepare(tmp_path / name, **OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_nginx_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    with pytest.raises(FileNotFoundError, match="nginx is not installed"):
        nginx_conf.prepare(tmp_path, **OPTIONS)


@pytest.mark.parametrize(
    ("bind", "backend"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("0.0.0.0", "127.0.0.1:8000"),  # noqa: S104 only written, not bound
        ("::", "[::1]:8000"),
        ("10.1.2.3", "10.1.2.3:8000"),
    ],
)
def test_the_hooks_go_where_the_web_server_listens(tmp_path, bind, backend):
    config = nginx_conf.render(tmp_path, **(OPTIONS | {"bind": bind}))

    assert config.count(f"proxy_pass http://{backend}/hooks/nginx/") == 3


def test_without_a_gateway_there_is_no_flv(tmp_path):
    assert "/flv/" in nginx_conf.render(tmp_path, **OPTIONS)
    assert "/flv/" not in nginx_conf.render(tmp_path, **(OPTIONS | {"flv_port": None}))
