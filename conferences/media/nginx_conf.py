"""The configuration of our nginx-rtmp: written here, started by whoever supervises it. Knows no Django.

Two HTTP servers: the public one serves HLS, FLV where there is a gateway, and nothing else; hooks, statistics and
control live on a loopback port of their own, because behind a proxy on the same host the whole world comes from
127.0.0.1.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from string import Template
from typing import TypedDict, Unpack

SECRET_HEADER = "X-Media-Secret"  # noqa: S105 the header's name
BOOT_HEADER = "X-Media-Boot"
PULL_HEADER = "X-Media-Pull-Key"

FOLDERS = ("logs", "run", "tmp", "hls")
WORKERS_FOLDERS = ("tmp", "hls")
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared, not bound
QUOTABLE = re.compile(r"[^\"\\${};\n\r]+")
WATCH_PATH = r"^/hls/(?<media_key>[\w.-]{1,64})/(?<media_name>[A-Za-z0-9-]{1,64})/(?<media_file>\w+\.(m3u8|ts))$"
FLV_PATH = r"^/flv/(?<media_key>[\w.-]{1,64})/(?<media_name>[A-Za-z0-9-]{1,64})\.flv$"

# Log level: the rtmp module writes the client's query, and with it the media key, at `info`. The public
# server writes nothing at all: every line of nginx's about a request quotes the address, which holds the key.
# wait_video and interleave stay off: with either on, a stream without video is never delivered.
# worker_processes is 1, because streams, statistics and control live in one worker.
TEMPLATE = Template("""\
load_module "$module";
${user}daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
worker_shutdown_timeout 5s;
pid "$folder/run/nginx.pid";
error_log "$folder/logs/error.log" warn;
events { worker_connections 4096; }

rtmp_auto_push off;
rtmp {
  access_log off;
  server {
    listen $bind:$rtmp_port;
    chunk_size 4096;
    ping 10s;
    ping_timeout 10s;
    timeout 15s;
    notify_method post;
    application live {
      live on;
      wait_key on;
      wait_video off;
      interleave off;
      sync 300ms;
      idle_streams off;
      drop_idle_publisher 10s;

      on_publish http://127.0.0.1:$control_port/hook/publish;
      on_publish_done http://127.0.0.1:$control_port/hook/publish_done;
      on_play http://127.0.0.1:$control_port/hook/play;
      on_play_done http://127.0.0.1:$control_port/hook/play_done;
      on_update http://127.0.0.1:$control_port/hook/update;
      notify_update_timeout 5s;
      notify_update_strict off;
      notify_relay_redirect off;

      hls on;
      hls_path "$folder/hls";
      hls_nested on;
      hls_fragment 1s;
      hls_playlist_length 4s;
      hls_cleanup on;
    }
  }
}

http {
  access_log off;
  server_tokens off;
  default_type application/octet-stream;
  types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
  client_max_body_size 16k;
  client_body_buffer_size 16k;
  client_body_temp_path "$folder/tmp/body";
  proxy_temp_path "$folder/tmp/proxy";
  fastcgi_temp_path "$folder/tmp/fastcgi";
  uwsgi_temp_path "$folder/tmp/uwsgi";
  scgi_temp_path "$folder/tmp/scgi";
  proxy_cache_path "$folder/tmp/watch" keys_zone=watch:1m max_size=16m inactive=1m use_temp_path=off;
  proxy_connect_timeout 1s;
  proxy_read_timeout 4s;
  proxy_http_version 1.1;
  proxy_set_header $secret_header "$secret";
  proxy_set_header $boot_header "$boot-$$pid";

  server {
    listen $bind:$http_port;
    error_log /dev/null emerg;

    location / { return 404; }

    location ~ "$watch_path" {
      auth_request /watch;
      alias "$folder/hls/$$media_name/$$media_file";
      add_header Access-Control-Allow-Origin * always;
      add_header Cache-Control no-store always;
    }

    # nginx counts whole seconds: an answer kept for "1s" serves for up to two.
    location = /watch {
      internal;
      proxy_pass http://$backend/hooks/nginx/hls;
      proxy_pass_request_body off;
      proxy_pass_request_headers off;
      proxy_set_header $secret_header "$secret";
      proxy_set_header $boot_header "$boot-$$pid";
      proxy_set_header X-Media-Key $$media_key;
      proxy_set_header X-Media-Name $$media_name;
      proxy_set_header X-Media-Address $$remote_addr;
      proxy_cache watch;
      proxy_cache_key "$$media_key $$media_name";
      proxy_cache_valid 204 403 1s;
      proxy_cache_lock on;
      proxy_cache_use_stale off;
      proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
    }
$flv  }

  server {
    listen 127.0.0.1:$control_port;
    allow 127.0.0.1;
    deny all;

    location / { return 404; }

    location = /stat {
      if ($$http_$secret_variable != "$secret") { return 403; }
      rtmp_stat all;
      add_header $boot_header "$boot-$$pid";
    }

    location /control/ {
      if ($$http_$secret_variable != "$secret") { return 403; }
      rtmp_control all;
    }

    # The rtmp module speaks HTTP/1.0; a web page in a browser on this machine never does.
    location /hook/ {
      if ($$server_protocol != HTTP/1.0) { return 403; }
      proxy_pass http://$backend/hooks/nginx/;
    }

    # Live streams outlive our absence: only a clear refusal cuts them.
    location = /hook/update {
      if ($$server_protocol != HTTP/1.0) { return 403; }
      proxy_pass http://$backend/hooks/nginx/update;
      proxy_read_timeout 3s;
      proxy_intercept_errors on;
      error_page 400 401 404 405 408 413 429 500 501 502 503 504 =204 @keep;
    }
    location @keep { return 204; }
  }
}
""")


FLV = Template("""
    # The gateway asks Confr itself, also while it sends.
    location ~ "$flv_path" {
      proxy_pass http://127.0.0.1:$flv_port;
      proxy_pass_request_headers off;
      proxy_set_header $secret_header "$secret";
      proxy_set_header X-Media-Key $$media_key;
      proxy_set_header X-Media-Name $$media_name;
      proxy_set_header X-Media-Address $$remote_addr;
      proxy_buffering off;
      proxy_read_timeout 15s;
      add_header Access-Control-Allow-Origin * always;
    }
""")


class Options(TypedDict):
    """Where nginx listens (`bind` for RTMP and HLS; control is always loopback), whom it asks, who it is.

    The backend that it asks listens on `bind` too, at `backend_port`. Is there a gateway for FLV, it listens on
    loopback at `flv_port`.

    As root, name an unprivileged `user`: nginx's workers run as it.
    """

    bind: str
    rtmp_port: int
    http_port: int
    control_port: int
    backend_port: int
    flv_port: int | None
    secret: str
    user: str | None


def prepare(folder: Path, **options: Unpack[Options]) -> Path:
    """Make the folders and write `nginx.conf` (0600); returns its path. To be called before every start.

    The user owns only the two folders that the workers write to; it must be able to reach `folder`, whose
    parents are not touched.
    """
    config = render(folder, **options)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    if user := options["user"]:
        for name in WORKERS_FOLDERS:
            shutil.chown(folder / name, user, _group(user))
    path = folder / "nginx.conf"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(config)
    return path


def render(folder: Path, **options: Unpack[Options]) -> str:
    """The text of the configuration.

    Every rendering has a boot mark of its own; with the worker's pid it makes the boot id, which hooks and
    statistics carry alike: client ids count from 1 again in every worker.

    Raises: FileNotFoundError without nginx or its rtmp module; ValueError for what nginx cannot quote.
    """
    bind, user = options["bind"], options["user"]
    return TEMPLATE.substitute(
        module=_quotable(str(_rtmp_module())),
        user=f'user "{user}" "{_group(user)}";\n' if user else "",
        folder=_quotable(str(folder.resolve())),
        bind=in_url(bind),
        rtmp_port=options["rtmp_port"],
        http_port=options["http_port"],
        control_port=options["control_port"],
        backend=f"{in_url(LOOPBACK.get(bind, bind))}:{options['backend_port']}",
        secret=_quotable(options["secret"]),
        secret_header=SECRET_HEADER,
        secret_variable=SECRET_HEADER.lower().replace("-", "_"),
        boot_header=BOOT_HEADER,
        boot=secrets.token_hex(6),
        flv=_flv(options["flv_port"], options["secret"]),
        watch_path=WATCH_PATH,
    )


def _flv(port: int | None, secret: str) -> str:
    if port is None:
        return ""
    return FLV.substitute(flv_path=FLV_PATH, flv_port=port, secret_header=SECRET_HEADER, secret=_quotable(secret))


def command(config: Path) -> list[str]:
    """How to start nginx, in the foreground, with what `prepare` wrote."""
    return [
        find_nginx(),
        "-p",
        str(config.parent),
        "-c",
        str(config),
        "-e",
        str(config.parent / "logs/error.log"),
    ]


def find_nginx() -> str:
    """Raises: FileNotFoundError."""
    path = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
    if path is None:
        raise FileNotFoundError("nginx is not installed")
    return path


def _rtmp_module() -> Path:
    version = subprocess.run([find_nginx(), "-V"], capture_output=True, text=True, check=True)  # it says so on stderr
    modules = re.search(r"--modules-path=(\S+)", version.stderr)
    module = Path(modules[1] if modules else "/usr/lib/nginx/modules") / "ngx_rtmp_module.so"
    if not module.exists():
        raise FileNotFoundError(f"{module} is not installed; on Debian it is in libnginx-mod-rtmp")
    return module


def _group(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def in_url(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def _quotable(text: str) -> str:
    if not QUOTABLE.fullmatch(text):
        raise ValueError(f"nginx cannot quote {text!r}")
    return text
