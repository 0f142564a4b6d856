"""The samples in deploy/ do what they say."""

from __future__ import annotations

import datetime
import http.client
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.sync.server import ServerConnection, serve

from conferences.media.nginx_conf import find_nginx
from supervisor.settings import CHECKOUT
from tests.server import free_ports
from tests.supervisor.stand_ins import eventually

pytestmark = pytest.mark.media

HOST, MEDIA_HOST = "confr.example.org", "media.confr.example.org"
FRAME = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/confr.conf;
}}
"""


def self_signed(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def tell_headers(connection: ServerConnection) -> None:
    """A backend that answers a socket with the headers that it got."""
    assert connection.request
    connection.send(json.dumps(dict(connection.request.headers.raw_items())))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory) -> Iterator[int]:
    """The sample's nginx with free ports and a certificate of its own; the port for TLS."""
    folder = tmp_path_factory.mktemp("proxy")
    self_signed(folder)
    plain, secure, nobody = free_ports(3)
    with serve(tell_headers, "127.0.0.1", 0) as backend:
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        sample = (CHECKOUT / "deploy/nginx/confr.conf").read_text()
        lines = [line for line in sample.splitlines() if "listen [::]" not in line]
        ours = (
            "\n".join(lines)
            .replace("listen 80;", f"listen 127.0.0.1:{plain};")
            .replace("listen 443 ", f"listen 127.0.0.1:{secure} ")
            .replace("127.0.0.1:8000", f"127.0.0.1:{backend.socket.getsockname()[1]}")
            .replace("127.0.0.1:8080", f"127.0.0.1:{nobody}")
            .replace(f"/etc/letsencrypt/live/{HOST}", str(folder))
        )
        (folder / "confr.conf").write_text(ours)
        (folder / "nginx.conf").write_text(FRAME.format(folder=folder))
        nginx = subprocess.Popen([find_nginx(), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")])
        try:
            eventually(lambda: (folder / "nginx.pid").exists() or nginx.poll() is not None)
            assert nginx.poll() is None, (folder / "error.log").read_text()
            yield secure
        finally:
            nginx.terminate()
            nginx.wait(10)
            backend.shutdown()


@pytest.fixture
def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def status(port: int, context: ssl.SSLContext, host: str, path: str) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    return connection.getresponse().status


async def test_a_socket_passes_the_proxy_and_cannot_forge_its_address(proxy, trusting):
    # Not the client with threads: before Python 3.13 two of them that use one TLS connection at once may lose a write.
    async with connect(
        f"wss://{HOST}/live",
        sock=socket.create_connection(("127.0.0.1", proxy)),
        ssl=trusting,
        additional_headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http"},
    ) as client:
        headers = {name.lower(): value for name, value in json.loads(await client.recv()).items()}

    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["upgrade"] == "websocket"


def test_the_hooks_are_not_for_the_world(proxy, trusting):
    assert status(proxy, trusting, HOST, "/hooks/nginx/publish") == 404


def test_the_media_address_serves_nothing_but_hls(proxy, trusting):
    assert status(proxy, trusting, MEDIA_HOST, "/stat") == 404
    assert status(proxy, trusting, MEDIA_HOST, "/hls/key/name/index.m3u8") == 502  # nobody is behind it here
