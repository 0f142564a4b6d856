"""The stage of the scenarios: a running Confr, what its media server lists, what its tables hold, and rooms in it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import psycopg
from django.test import override_settings

from conferences.management.demo import Backend, Json, Member, Refused
from conferences.media import ffmpeg, keys
from conferences.media.base import MediaServerAway, Snapshot, StreamStat
from conferences.media.nginx_rtmp import NginxRtmp
from tests.server import CHECKOUT, Confr

T = TypeVar("T")
DEADLINE_SECONDS = 10.0

SEATS = "(SELECT count(*) FROM conferences_member WHERE conference_id = c.id AND state <> 'exited' AND {})::int"
STREAMS = "(SELECT count(*) FROM conferences_stream WHERE conference_id = c.id AND state = 'live' AND seat = '{}')::int"
# Each counter of a conference, and what it counts.
COUNTERS = {
    "talkers": SEATS.format("role >= 3"),
    "audience": SEATS.format("role < 3"),
    "admins": SEATS.format("role = 7"),
    "videos": STREAMS.format("video"),
    "desktops": STREAMS.format("desktop"),
}
COUNTERS_TOLD = f"SELECT {', '.join(COUNTERS)} FROM conferences_conference c WHERE confr_id = %s"  # noqa: S608 no input
COUNTERS_COUNTED = f"SELECT {', '.join(COUNTERS.values())} FROM conferences_conference c WHERE confr_id = %s"  # noqa: S608 no input


def eventually(look: Callable[[], T], *, seconds: float = DEADLINE_SECONDS, what: str = "") -> T:
    """What `look` answers once it is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or look}"
        time.sleep(0.02)
    return found


def fails(process: ffmpeg.Process, *, seconds: float = DEADLINE_SECONDS) -> bool:
    """Whether ffmpeg ends by itself, with an error."""
    return process.wait(seconds) != 0


def measured(**seconds: float) -> None:
    """Say what was measured, in ms: `pytest -s` shows it, and so does a failure."""
    told = ", ".join(f"{what.replace('_', ' ')} {value * 1000:.0f} ms" for what, value in seconds.items())
    print(f"\n{told}")  # noqa: T201 for whoever reads the tests' output


class Stage:
    """One running Confr, seen as its application sees it (`backend`) and as its operator does (the rest)."""

    def __init__(self, server: Confr, api_key: str) -> None:
        self.server = server
        self.min_free_bytes = 0
        self.backend = Backend(server.url, api_key)
        self._keys: dict[str, list[str]] = json.loads((server.var / "keys.json").read_text())
        port = (server.var / "control_port").read_text().strip()
        with override_settings(MEDIA_CONTROL_URL=f"http://127.0.0.1:{port}", KEYS=self._keys):
            self._media = NginxRtmp()

    # The media server

    def listed(self) -> Snapshot:
        """What the media server lists. It is asked again while a busy machine keeps it from answering in time."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                return self._media.list_streams()
            except MediaServerAway:
                if time.monotonic() > deadline:
                    raise

    def stat(self, media_name: str) -> StreamStat | None:
        """What the media server says of one stream, None when it lists none."""
        return next((stream for stream in self.listed().streams if stream.name == media_name), None)

    def drop_publisher(self, media_name: str) -> int:
        return self._media.drop_publisher(media_name)

    def mint(self, action: keys.Action, media_name: str, member_id: int, *, seconds: float) -> str:
        """A media key with the server's own signature that is good for so long, or was so long ago."""
        with override_settings(KEYS=self._keys):
            return keys.issue(action, media_name, member_id, int(time.time() + seconds))

    @property
    def media_secret(self) -> str:
        return self._keys["media"][0]

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{(self.server.var / 'control_port').read_text().strip()}"

    @property
    def media_url(self) -> str:
        return f"http://127.0.0.1:{self.server.media_http_port}"

    # The tables

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement in the server's database."""
        with psycopg.connect(self.server.environment["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *values: object) -> Any:
        """The first value of the first row, None without a row."""
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    # Its commands

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return manage(self.server, *arguments)

    # Rooms

    @contextmanager
    def room(self, *names: str, confr_type: int = 10, **config: Any) -> Iterator[Room]:
        """A conference that the first of `names` creates, with all of them inside; over at the end."""
        with self.empty_room(names[0], confr_type=confr_type, **config) as room:
            for name in names:
                room.enter(name)
            yield room

    @contextmanager
    def empty_room(self, creator: str, *, confr_type: int = 10, **config: Any) -> Iterator[Room]:
        """The same, with nobody inside."""
        with ExitStack() as stack:
            room = Room(self, stack, creator, confr_type, config)
            yield room
            room.destroy()

    def ghosts(self) -> set[str]:
        """The media names of streams that are live by the table and not published at the media server."""
        rows = self.rows("SELECT media_name FROM conferences_stream WHERE state = 'live'")
        return {name for (name,) in rows} - {stream.name for stream in self.listed().streams if stream.publisher}


class Published:
    """A stream that a member pushes: its names, its addresses and its publisher."""

    def __init__(self, room: Room, owner: str, push: Json) -> None:
        self.room, self.owner = room, owner
        self.stream_id: str = push["streamId"]
        self.url: str = push["rtmp"]
        self.media_name = media_name(self.url)

    def start(self, **options: Any) -> ffmpeg.Process:
        self.process = self.room.stack.enter_context(ffmpeg.publish(self.url, **options))
        return self.process

    @property
    def stat(self) -> StreamStat | None:
        return self.room.stage.stat(self.media_name)

    @property
    def state(self) -> str:
        """offered, live or ended: what the table says."""
        sql = "SELECT state FROM conferences_stream WHERE media_name = %s"
        return str(self.room.stage.value(sql, self.media_name))

    def open_sessions(self) -> list[tuple[str, str]]:
        """(action, client id) of everybody who is at the media server as far as the table knows."""
        return self.room.stage.rows(
            "SELECT action, client_id FROM conferences_mediasession s JOIN conferences_stream t ON t.id = s.stream_id "
            "WHERE media_name = %s AND closed_at IS NULL ORDER BY s.id",
            self.media_name,
        )

    def until_live(self, *, seconds: float = DEADLINE_SECONDS) -> StreamStat:
        """Wait until the media server has seen what is in it."""

        def seen() -> StreamStat | None:
            stat = self.stat
            return stat if stat and stat.bytes_in and (stat.video_codec or stat.audio_codec) else None

        found = eventually(seen, seconds=seconds, what=f"{self.stream_id} is listed: {self.process.log}")
        assert found is not None
        return found

    def until_gone(self, *, seconds: float = DEADLINE_SECONDS) -> None:
        eventually(lambda: self.stat is None, seconds=seconds, what=f"{self.stream_id} is not listed any more")


class Room:
    """A conference, its members' clients, and whatever they push and play. Made by `Stage.room`."""

    def __init__(self, stage: Stage, stack: ExitStack, creator: str, confr_type: int, config: Json) -> None:
        self.stage, self.stack = stage, stack
        created = stage.backend.call(
            "POST", "/conferences", confrType=confr_type, creator=creator, password="", **config
        )
        self.confr_id: str = created["confrId"]
        self.tickets: dict[str, Json] = {creator: created}
        self.members: dict[str, Member] = {}

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def call(self, method: str, tail: str, **body: Any) -> Json:
        """One call of the application about this conference."""
        return self.stage.backend.call(method, f"/conferences/{self.confr_id}{tail}", **body)

    def ticket(self, name: str, **wishes: Any) -> Json:
        self.tickets[name] = self.call("POST", "/tickets", memName=name, **wishes)
        return self.tickets[name]

    def enter(self, name: str, **wishes: Any) -> Member:
        ticket = self.tickets.get(name) or self.ticket(name, **wishes)
        self.members[name] = self.stack.enter_context(Member(name, ticket["url"], ticket["ticket"]))
        return self.members[name]

    def offer(self, owner: str, rtc_id: str = "camera", **wish: Any) -> Published:
        """Where `owner` may push; nobody pushes yet."""
        return Published(self, owner, self[owner].ask("pubStream", rtcId=rtc_id, **wish))

    def publish(self, owner: str, rtc_id: str = "camera", kind: str = "video", **options: Any) -> Published:
        """`owner` pushes a real stream, which the media server lists."""
        stream = self.offer(owner, rtc_id, **({"kind": kind} if kind else {}))
        stream.start(**options)
        stream.until_live()
        return stream

    def offer_by_backend(self, owner: str, rtc_id: str = "camera", kind: str = "video") -> Published:
        """The same, asked for by the application: the owner's client is somebody else's."""
        return Published(self, owner, self.call("POST", "/streams/publish", memName=owner, rtcId=rtc_id, kind=kind))

    def play_by_backend(self, viewer: str, stream: Published) -> ffmpeg.Player:
        url = self.call("POST", f"/streams/{stream.stream_id}/play", memName=viewer)["rtmp"]
        return self.stack.enter_context(ffmpeg.play(url))

    def play_url(self, viewer: str, stream: Published, protocol: str = "rtmp") -> str:
        return str(self[viewer].ask("subStream", streamId=stream.stream_id)[protocol])

    def play(self, viewer: str, stream: Published, *, kind: str = "video") -> ffmpeg.Player:
        """`viewer` plays, and media comes."""
        player = self.stack.enter_context(ffmpeg.play(self.play_url(viewer, stream)))
        assert player.wait_for_packets(1, kind=kind, timeout=15), player.log
        return player

    def member_id(self, name: str) -> int:
        """The primary key of the latest seat of `name`."""
        return int(
            self.stage.value(
                "SELECT m.id FROM conferences_member m JOIN conferences_conference c ON c.id = m.conference_id "
                "JOIN accounts_user u ON u.id = m.user_id WHERE confr_id = %s AND u.name = %s ORDER BY m.id DESC",
                self.confr_id,
                name,
            )
        )

    def counters(self) -> Json:
        """The seat counters of the conference, which must be what its rows add up to."""
        [told] = self.stage.rows(COUNTERS_TOLD, self.confr_id)
        [counted] = self.stage.rows(COUNTERS_COUNTED, self.confr_id)
        assert told == counted, dict(zip(COUNTERS, zip(told, counted, strict=True), strict=True))
        return dict(zip(COUNTERS, told, strict=True))

    def events(self, *types: str) -> list[str]:
        """The types of the conference's facts in order, of these types only when some are given."""
        rows = self.stage.rows(
            "SELECT e.type FROM conferences_event e JOIN conferences_conference c ON c.id = e.conference_id "
            "WHERE confr_id = %s ORDER BY seq",
            self.confr_id,
        )
        return [kind for (kind,) in rows if not types or kind in types]

    def count(self, kind: str, stream: Published) -> int:
        """How many facts of this type there are about one stream."""
        return sum(fact["type"] == kind and fact["data"]["stream"]["id"] == stream.stream_id for fact in self.facts())

    def facts(self, since: int = 0) -> list[Json]:
        """The facts with a greater number, as hubs get them, straight from the table."""
        rows = self.stage.rows(
            "SELECT seq, e.type, e.data, personal FROM conferences_event e "
            "JOIN conferences_conference c ON c.id = e.conference_id WHERE confr_id = %s AND seq > %s ORDER BY seq",
            self.confr_id,
            since,
        )
        return [{"seq": seq, "type": kind, "at": 0, "data": data, "personal": who} for seq, kind, data, who in rows]

    def destroy(self) -> None:
        state = self.call("GET", "")["state"]
        if state == "live":
            self.call("DELETE", "")


def media_name(url: str) -> str:
    """The name at the media server in a push or play address."""
    return url.partition("?")[0].rpartition("/")[2]


def manage(server: Confr, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a `manage.py` command against a running server."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def demo_stage(server: Confr) -> Stage:
    """With the demo's application."""
    return Stage(server, server.demo["api_key"])


def application_stage(server: Confr, *, grace_seconds: int) -> Stage:
    """With an application of its own, whose members have this long to come back."""
    app_key = f"scenario#{secrets.token_hex(6)}"
    made = manage(server, "create_application", app_key)
    assert made.returncode == 0, made.stderr
    made = manage(server, "create_api_key", app_key, "--name", "test")
    assert made.returncode == 0, made.stderr
    stage = Stage(server, json.loads(made.stdout)["api_key"])
    stage.rows(
        "UPDATE accounts_application SET grace_seconds = %s WHERE org = 'scenario' AND app = %s",
        grace_seconds,
        app_key.partition("#")[2],
    )
    return stage


__all__ = [
    "DEADLINE_SECONDS",
    "Published",
    "Refused",
    "Room",
    "Stage",
    "application_stage",
    "demo_stage",
    "eventually",
    "fails",
    "manage",
    "media_name",
]
