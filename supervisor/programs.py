"""What Confr consists of beside its database and Redis: nginx-rtmp, the workers, the web server."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from conferences.media import flv_gateway as gateway
from conferences.media import nginx_conf
from supervisor import ownership
from supervisor.process import Program
from supervisor.settings import CHECKOUT, Settings

_WEB_SOCKET_FRAME_BYTES = "65536"
_NGINX_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def manage(*arguments: str, environment: Mapping[str, str]) -> Program:
    """A Django command that runs once."""
    return _python(arguments[0], [str(CHECKOUT / "manage.py"), *arguments], environment)


def nginx(settings: Settings, *, control_port: int, flv_port: int | None) -> Program:
    """nginx-rtmp, with a fresh configuration. Raises: FileNotFoundError without nginx or its RTMP module."""
    config = nginx_conf.prepare(
        settings.var / "media",
        bind=settings.bind,
        rtmp_port=settings.rtmp_port,
        http_port=settings.media_http_port,
        control_port=control_port,
        backend_port=settings.port,
        flv_port=flv_port,
        secret=_media_secret(settings.keys_file),
        user=ownership.unprivileged("www-data"),
    )
    return Program(
        name="nginx", command=nginx_conf.command(config), environment=_NGINX_ENVIRONMENT, folder=config.parent
    )


def flv_gateway(settings: Settings, environment: Mapping[str, str], *, port: int) -> Program:
    """FLV out of what nginx serves over RTMP."""
    options = gateway.Options(
        port=port,
        host=settings.local_host,
        backend_port=settings.port,
        rtmp_port=settings.rtmp_port,
        keys_file=settings.keys_file,
    )
    return _python("flv", gateway.command(options), environment)


def control_worker(settings: Settings, environment: Mapping[str, str]) -> Program:
    """Short jobs, and the beat that starts them."""
    schedule = str(settings.var / "beat-schedule")
    return _celery("control", "--pool", "threads", "-c", "4", "-B", "-s", schedule, environment=environment)


def processing_worker(settings: Settings, environment: Mapping[str, str]) -> Program:
    """Long jobs, as many at once as settings say. SIGQUIT gives an unfinished one back to the queue; SIGTERM would
    wait for it."""
    worker = _celery("media", "--pool", "prefork", "-c", str(settings.recording_jobs), environment=environment)
    return replace(worker, stop_signal=signal.SIGQUIT)


def media_worker(environment: Mapping[str, str]) -> Program:
    """What lasts as long as a stream: recording, mixing, pictures. SIGTERM finishes what is being written."""
    return replace(manage("media_worker", environment=environment), patience=15.0)


def web(settings: Settings, environment: Mapping[str, str]) -> Program:
    proxies = (
        ["--proxy-headers", "--forwarded-allow-ips", settings.trusted_proxies]
        if settings.trusted_proxies
        else ["--no-proxy-headers"]
    )
    return _python(
        "web",
        [
            "-W", "ignore:No directory at",  # static files are served from where they lie
            "-m", "uvicorn", "config.asgi:application", "--host", settings.bind, "--port", str(settings.port),
            "--workers", str(settings.workers), "--loop", "uvloop", "--http", "httptools",
            "--ws", "config.websocket_protocol:ConfrWebSocketProtocol",
            "--ws-per-message-deflate", "false", "--ws-max-size", _WEB_SOCKET_FRAME_BYTES,
            "--timeout-graceful-shutdown", "5", "--backlog", "2048",
            # Uvicorn logs the whole address of a socket at "info", and a token may be in it.
            "--no-access-log", "--log-level", "warning", *proxies,
        ],
        {**environment, "CONFR_DB_POOL": "1"},
    )  # fmt: skip


def _celery(queue: str, *options: str, environment: Mapping[str, str]) -> Program:
    # As root everything in Python runs as root: nobody else can read a checkout under /root.
    worker = ["-W", "ignore:You're running the worker with superuser privileges", "-m", "celery", "--quiet"]
    worker += ["-A", "config.celery", "worker", "-Q", queue, "-n", f"{queue}@%h", "--loglevel", "WARNING"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return _python(queue, [*worker, *options], environment)


def _python(name: str, arguments: list[str], environment: Mapping[str, str]) -> Program:
    return Program(name=name, command=[sys.executable, *arguments], environment=environment, folder=CHECKOUT)


def _media_secret(keys_file: Path) -> str:
    """What nginx and Django know each other by; Django made the file (accounts/keys.py)."""
    secret: str = json.loads(keys_file.read_text())["media"][0]
    return secret
