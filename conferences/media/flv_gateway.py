"""HTTP-FLV for nginx-rtmp, which has none: `python -m conferences.media.flv_gateway`, behind nginx's public port.

One ffmpeg per stream pulls it over RTMP as long as somebody watches; all its viewers share what it brings. May a
viewer watch, Confr is asked at the beginning and then once a second, as for HLS: its first clear no ends the
connection. Knows no Django. nginx has read the request, so that its head is nginx's own.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import signal
from argparse import ArgumentParser
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from conferences.media import ffmpeg, flv
from conferences.media.nginx_conf import BOOT_HEADER, PULL_HEADER, SECRET_HEADER, in_url

ASK_SECONDS = 1.0
ANSWER_SECONDS = 4.0
MAX_VIEWERS = 100
MAX_BEHIND_BYTES = 4 << 20  # of a viewer who is too slow for the stream
READ_BYTES = 65536
KEY_FRAME_SECONDS = 3.0  # what has no picture after that is taken for sound alone

logger = logging.getLogger("flv")


@dataclass(frozen=True, slots=True)
class Options:
    """Where we listen on loopback, and Confr and nginx on `host`; the file with the secret they know us by."""

    port: int
    host: str
    backend_port: int
    rtmp_port: int
    keys_file: Path

    @property
    def secret(self) -> str:
        secret: str = json.loads(self.keys_file.read_text())["media"][0]
        return secret


def command(options: Options) -> list[str]:
    """How to start the gateway with Python."""
    named = {name.replace("_", "-"): getattr(options, name) for name in Options.__slots__}
    return ["-m", "conferences.media.flv_gateway", *(f"--{name}={value}" for name, value in named.items())]


def main() -> None:
    """Serve until SIGTERM."""
    parser = ArgumentParser()
    for name, kind in {"port": int, "host": str, "backend-port": int, "rtmp-port": int, "keys-file": Path}.items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    logging.basicConfig(format="%(message)s")
    asyncio.run(serve(Options(**vars(parser.parse_args()))))


async def serve(options: Options) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = await asyncio.start_server(Gateway(options).serve, "127.0.0.1", options.port)
    await stopped.wait()
    server.close()


class Refused(Exception):
    """The viewer gets nothing but this status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks for the stream `name`, by what nginx says."""

    name: str
    key: str
    address: str


class Gateway:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._secret = options.secret
        self._streams: dict[str, Stream] = {}
        self._viewers = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection, from the request until the viewer, the stream or the right to watch is gone."""
        self._viewers += 1
        try:
            viewer = await self._read_viewer(reader)
            pull_key = await self._ask(viewer)
            _begin(writer, HTTPStatus.OK)
            with self._watching(viewer.name, pull_key, writer) as stream:
                await self._until_over(viewer, stream, reader, writer)
        except Refused as refusal:
            _begin(writer, refusal.status)
        finally:
            self._viewers -= 1
            writer.close()

    async def _read_viewer(self, reader: StreamReader) -> Viewer:
        """Raises: Refused, when it was not nginx that asked, or too many watch."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                headers = _headers(await reader.readuntil(b"\r\n\r\n"))
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            raise Refused(HTTPStatus.BAD_REQUEST) from None
        if not hmac.compare_digest(headers.get(SECRET_HEADER.lower(), "").encode(), self._secret.encode()):
            raise Refused(HTTPStatus.FORBIDDEN)
        if self._viewers > MAX_VIEWERS:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        return Viewer(headers["x-media-name"], headers["x-media-key"], headers["x-media-address"])

    async def _ask(self, viewer: Viewer) -> str:
        """The key with which the stream may be pulled, while the viewer may watch it.

        Raises: Refused: FORBIDDEN by Confr, BAD_GATEWAY when it does not answer.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, headers = await self._call_backend(viewer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Refused(HTTPStatus.BAD_GATEWAY) from None
        if status == HTTPStatus.NO_CONTENT:
            return headers[PULL_HEADER.lower()]
        raise Refused(HTTPStatus.FORBIDDEN if status == HTTPStatus.FORBIDDEN else HTTPStatus.BAD_GATEWAY)

    async def _call_backend(self, viewer: Viewer) -> tuple[int, Mapping[str, str]]:
        options = self._options
        reader, writer = await asyncio.open_connection(options.host, options.backend_port)
        try:
            lines = {
                "Host": f"{in_url(options.host)}:{options.backend_port}",
                SECRET_HEADER: self._secret,
                BOOT_HEADER: "flv",
                "X-Media-Name": viewer.name,
                "X-Media-Key": viewer.key,
                "X-Media-Address": viewer.address,
            }
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            writer.write(f"GET /hooks/nginx/flv HTTP/1.0\r\n{head}\r\n".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()
        return int(answer.split(None, 2)[1]), _headers(answer)

    async def _until_over(self, viewer: Viewer, stream: Stream, reader: StreamReader, writer: StreamWriter) -> None:
        gone = asyncio.create_task(_end_of(reader))
        try:
            while await _goes_on(gone, stream.puller):
                if not await self._may_stay(viewer):
                    writer.transport.abort()  # what has not been sent yet is for this viewer no more
                    break
        finally:
            gone.cancel()

    async def _may_stay(self, viewer: Viewer) -> bool:
        """Who watches already goes on while Confr is away, like every live stream."""
        try:
            await self._ask(viewer)
        except Refused as refusal:
            return refusal.status != HTTPStatus.FORBIDDEN
        return True

    @contextmanager
    def _watching(self, name: str, pull_key: str, writer: StreamWriter) -> Iterator[Stream]:
        stream = self._streams.get(name)
        if stream is None or stream.puller.done():
            url = f"rtmp://{in_url(self._options.host)}:{self._options.rtmp_port}/live/{name}?key={pull_key}"
            stream = self._streams[name] = Stream(name, url)
        stream.join(writer)
        try:
            yield stream
        finally:
            stream.leave(writer)
            if stream.is_deserted and self._streams.get(name) is stream:
                del self._streams[name]
                stream.puller.cancel()


class Stream:
    """One stream: its `puller`, which ends with it, and who watches."""

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._newcomers: set[StreamWriter] = set()
        self._viewers: set[StreamWriter] = set()
        self.puller = asyncio.create_task(self._pull(url))

    @property
    def is_deserted(self) -> bool:
        return not self._newcomers | self._viewers

    def join(self, writer: StreamWriter) -> None:
        self._newcomers.add(writer)

    def leave(self, writer: StreamWriter) -> None:
        self._newcomers.discard(writer)
        self._viewers.discard(writer)

    async def _pull(self, url: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *ffmpeg.GUARD, str(os.getpid()), "0", *_pulling(url),
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        assert process.stdout
        listener = asyncio.create_task(_end_at_new_track(process))
        try:
            await self._relay(process.stdout)
        except flv.FlvInvalid:
            logger.warning("%s: what ffmpeg brings cannot be relayed", self._name)
        finally:
            listener.cancel()
            _kill(process)
            await process.wait()

    async def _relay(self, source: StreamReader) -> None:
        reader = flv.Reader()
        opening: flv.Opening | None = None
        while data := await source.read(READ_BYTES):
            for tag in reader.feed(data):
                opening = opening or flv.Opening(reader.header)
                opening.add(tag)
                self._tell(tag.content, opening)

    def _tell(self, content: bytes, opening: flv.Opening) -> None:
        for viewer in self._viewers:
            viewer.write(content)
        if self._newcomers:
            whole = bytes(opening)
            for viewer in self._newcomers:
                viewer.write(whole)
            self._viewers |= self._newcomers
            self._newcomers.clear()
        self._cut_the_slow()

    def _cut_the_slow(self) -> None:
        for viewer in self._viewers:
            if viewer.transport.get_write_buffer_size() > MAX_BEHIND_BYTES:
                viewer.transport.abort()


async def _end_at_new_track(process: Process) -> None:
    """What comes to a stream that only sounded, such as its picture, is there for those who come again."""
    assert process.stderr
    said = ""
    while data := await process.stderr.read(READ_BYTES):
        said = (said + data.decode(errors="replace"))[-READ_BYTES:]
        if ffmpeg.NEW_TRACK.search(said):
            _kill(process)


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


async def _goes_on(*ends: asyncio.Task[None]) -> bool:
    """Whether a second passes and none of them is done."""
    done, _ = await asyncio.wait(ends, timeout=ASK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return not done


async def _end_of(reader: StreamReader) -> None:
    """A viewer says no more until it hangs up."""
    with suppress(ConnectionError):
        await reader.read()


def _pulling(url: str) -> Sequence[str]:
    copied = [*ffmpeg.TRACKS, "-c", "copy", *ffmpeg.INTERLEAVE, "-flush_packets", "1"]
    return ["ffmpeg", *ffmpeg.QUIET, *ffmpeg.live_input(url, analyze=KEY_FRAME_SECONDS), *copied, "-f", "flv", "pipe:1"]


def _begin(writer: StreamWriter, status: HTTPStatus) -> None:
    head = "Content-Type: video/x-flv\r\nCache-Control: no-store\r\nConnection: close\r\n"
    writer.write(f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode())


def _headers(head: bytes) -> dict[str, str]:
    """The fields of a request or an answer, their names in small letters."""
    pairs = (line.partition(":") for line in head.decode("latin-1").splitlines()[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


if __name__ == "__main__":
    main()
