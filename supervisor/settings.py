"""What the environment asks for. The same variables, with the same defaults, as in config/settings.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.errors import StartError

OUR_MEDIA_SERVER = "conferences.media.nginx_rtmp.NginxRtmp"
TRUE = {"true", "on", "ok", "y", "yes", "1"}  # what django-environ takes for a yes
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where Confr keeps its state, where it listens, and what it need not run itself.

    `ports` maps the name of each variable to its port. `database_url` and `redis_url` are None when we run
    our own; `runs_media` is False when the media server is somebody else's. `flv` asks for its gateway.
    """

    var: Path
    keys_file: Path
    bind: str
    ports: Mapping[str, int]
    workers: int
    recording_jobs: int
    trusted_proxies: str
    database_url: str | None
    redis_url: str | None
    runs_media: bool
    flv: bool
    public_url: str
    public_rtmp_url: str
    public_media_url: str

    @property
    def port(self) -> int:
        return self.ports["CONFR_PORT"]

    @property
    def rtmp_port(self) -> int:
        return self.ports["CONFR_RTMP_PORT"]

    @property
    def media_http_port(self) -> int:
        return self.ports["CONFR_MEDIA_HTTP_PORT"]

    @property
    def local_host(self) -> str:
        """Where this machine reaches what we bind."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104 compared, not bound


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Raises: StartError for a value that is no number where one is needed."""
    default_var = "/var/lib/confr" if os.geteuid() == 0 else str(CHECKOUT / "var")
    var = Path(environment.get("CONFR_VAR", default_var)).resolve()
    bind = environment.get("CONFR_BIND", "127.0.0.1")
    host = "127.0.0.1" if bind in {"0.0.0.0", "::"} else bind  # noqa: S104 compared, not bound
    port = _number(environment, "CONFR_PORT", 8000)
    rtmp_port = _number(environment, "CONFR_RTMP_PORT", 1935)
    media_http_port = _number(environment, "CONFR_MEDIA_HTTP_PORT", 8080)
    media_server = environment.get("CONFR_MEDIA_SERVER", OUR_MEDIA_SERVER)
    runs_media = media_server == OUR_MEDIA_SERVER and "CONFR_MEDIA_CONTROL_URL" not in environment
    media_ports = {"CONFR_RTMP_PORT": rtmp_port, "CONFR_MEDIA_HTTP_PORT": media_http_port}
    return Settings(
        var=var,
        keys_file=Path(environment.get("CONFR_KEYS_FILE", str(var / "keys.json"))),
        bind=bind,
        ports={"CONFR_PORT": port} | media_ports,
        workers=_number(environment, "CONFR_WORKERS", 1),
        recording_jobs=_number(environment, "CONFR_RECORDING_JOBS", 1),
        trusted_proxies=environment.get("CONFR_TRUSTED_PROXIES", ""),
        database_url=environment.get("DATABASE_URL") or None,
        redis_url=environment.get("REDIS_URL") or None,
        runs_media=runs_media,
        flv=environment.get("CONFR_FLV", "").lower() in TRUE,
        public_url=environment.get("CONFR_PUBLIC_URL", f"http://{host}:{port}").rstrip("/"),
        public_rtmp_url=environment.get("CONFR_PUBLIC_RTMP_URL", f"rtmp://{host}:{rtmp_port}").rstrip("/"),
        public_media_url=environment.get("CONFR_PUBLIC_MEDIA_URL", f"http://{host}:{media_http_port}").rstrip("/"),
    )


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StartError(f"{name} is {text!r}; it must be a number from 1 to 65535")
    return int(text)
