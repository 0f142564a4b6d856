"""Confr as a peer of a comparison harness: what a harness asks of a peer, said in Confr's words.

The harness brings its own `jsonpeer`, `services` and `wsclient`; put this folder on PYTHONPATH and name
`peer_confr:Confr`.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from base import now
from jsonpeer import RestPeer
from services import start_postgres, start_redis
from wsclient import Http, ws_connect

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from supervisor import programs, settings  # noqa: E402  the line above finds it

PUSH = re.compile(rb'"event":"(\w+)"(?:.*?"memName":"m(\d+)")?')
NAME = re.compile(rb'"memName":"m(\d+)"')
CURSOR = re.compile(rb'"cursor":(\d+)')
CONTENT = re.compile(rb'"content":"(\d+)"')
ADMIN, TALKER = 7, 3
MIX = 11


class Confr(RestPeer):
    name = "confr"
    port, rest = 25980, "/api/v1/"
    notes = (
        "Confr: PostgreSQL (fsync on), Redis, uvicorn --workers 2 as the supervisor starts it; permissions, events, "
        "audit chain and rate limits on; backing services included in CPU and PSS; broadcasts by the members in turn"
    )

    async def start_backing(self):
        self.env = {
            "CONFR_VAR": self.dir,
            "CONFR_PORT": str(self.port),
            "CONFR_WORKERS": os.environ.get("BENCH_WORKERS", "2"),
            "CONFR_MEDIA_SERVER": "conferences.media.fake.FakeMediaServer",
            "DATABASE_URL": f"postgres://bench@{start_postgres(self)}/bench",
            "REDIS_URL": start_redis(self),
            "PROMETHEUS_MULTIPROC_DIR": self.dir,
        }
        self.key = await asyncio.to_thread(self.prepare_database)

    def prepare_database(self):
        command = [sys.executable, "-m", "bench.prepare"]
        return subprocess.check_output(command, cwd=CHECKOUT, env=os.environ | self.env, text=True).strip()

    def launch(self):
        self.http = Http(self.port, headers=f"Authorization: Bearer {self.key}\r\n")
        self.tk, self.inside, self.raised = {}, {}, set()
        environment = os.environ | self.env
        web = programs.web(settings.from_environment(environment), environment)
        self.spawn(web.command, env=dict(web.environment), cwd=web.folder)

    async def create_room(self, i):
        wish = {"name": f"r{i}", "password": "pw", "confrType": MIX, "maxTalkerCount": 5000}
        return (await self.http.post("/api/v1/conferences", wish))["confrId"]

    async def destroy_room(self, room):
        raise NotImplementedError

    async def ticket(self, room, idx):
        wish = {"memName": f"m{idx}", "role": TALKER if idx else ADMIN, "maxUses": 1000}
        self.tk[room, idx] = (await self.http.post(f"/api/v1/conferences/{room}/tickets", wish))["ticket"]

    async def join(self, room, m):
        m.hub.sent[m.idx] = now()
        m.ws = await ws_connect(self.port, "/live", m.msg, timeout=60)
        m.ws.on_close = m.closed
        reply = await m.ask(frame("enter", ticket=self.tk[room, m.idx]), b'{"id"')
        while cursor := CURSOR.search(reply):
            reply = await m.ask(frame("listMembers", cursor=int(cursor[1]), limit=1000), b'{"id"')
        m.joined = True
        self.inside.setdefault(room, {})[m.idx] = m
        return m

    def on_msg(self, m, p):
        if p.startswith(b'{"id"'):
            self.on_reply(m, p)
            return
        event, number = PUSH.search(p).groups()
        if event == b"onMemberJoined":
            if not m.known[int(number)]:
                m.hub.on_join(m, int(number))
        elif event == b"onBroadcast":
            m.hub.on_event(m, int(CONTENT.search(p)[1]))
        elif event == b"onMemberExited":
            m.hub.on_leave(m, int(number))
        elif event == b"onRoleChanged":
            m.hub.roles += 1
        elif event == b"onConferenceExit":
            m.closed()

    def on_reply(self, m, p):
        if b'"error"' in p:
            raise RuntimeError(p)
        for number in set(map(int, NAME.findall(p))):
            if not m.known[number]:
                m.hub.on_join(m, number)

    async def broadcast(self, m, seq):
        """A member may send 20 frames a second, so they take turns."""
        members = list(self.inside[m.room].values())
        members[seq % len(members)].ws.send(frame("sendBroadcast", content=str(seq)))

    async def grant(self, room, m, i):
        """Raised and lowered in turn, so that every call changes something and everybody is told."""
        role = TALKER if m in self.raised else ADMIN
        self.raised ^= {m}
        await self.http.post(f"/api/v1/conferences/{room}/roles", {"memNames": [m.nick], "role": role})

    async def kick(self, room, m):
        await self.http.post(f"/api/v1/conferences/{room}/kick", {"memNames": [m.nick]})

    async def leave(self, m):
        del self.inside[m.room][m.idx]
        m.ws.send(frame("exit"))


def frame(operation, **data):
    return json.dumps({"id": 1, "op": operation, "data": data})
