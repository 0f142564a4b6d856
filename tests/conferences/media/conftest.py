from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from conferences.media import nginx_conf
from conferences.media.nginx_rtmp import NginxRtmp
from tests.conferences.media.servers import Backend, Nginx, free_port, run_nginx


@pytest.fixture
def adapter(settings) -> NginxRtmp:
    settings.KEYS = {**settings.KEYS, "media": ["new-secret", "old-secret"]}
    settings.MEDIA_CONTROL_URL = f"http://127.0.0.1:{free_port()}"
    return NginxRtmp()


@pytest.fixture
def backend(adapter) -> Iterator[Backend]:
    backend = Backend(adapter)
    backend.start()
    yield backend
    backend.stop()


@pytest.fixture
def nginx(settings, backend) -> Iterator[Nginx]:
    """A real nginx-rtmp that asks `backend`; `backend.adapter` knows its addresses."""
    require_programs()
    with run_nginx(backend_port=backend.port, secret="new-secret") as nginx:
        settings.MEDIA_CONTROL_URL = f"http://127.0.0.1:{nginx.control_port}"
        settings.PUBLIC_RTMP_URL = f"rtmp://127.0.0.1:{nginx.rtmp_port}"
        settings.PUBLIC_MEDIA_URL = f"http://127.0.0.1:{nginx.http_port}"
        backend.adapter = NginxRtmp()
        yield nginx


def require_programs() -> None:
    try:
        nginx_conf.find_nginx()
    except FileNotFoundError:
        missing = "nginx"
    else:
        missing = "" if shutil.which("ffmpeg") else "ffmpeg"
    if missing:
        assert os.environ.get("CI") != "true", f"{missing} is not installed"
        pytest.skip(f"{missing} is not installed")
