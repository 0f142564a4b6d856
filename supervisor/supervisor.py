"""Starts everything in order, keeps it running, and stops it in the reverse order."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from supervisor import banner, programs
from supervisor.child import Child
from supervisor.embedded import START_SECONDS, Server, postgres_server, redis_server
from supervisor.errors import StartError
from supervisor.output import say
from supervisor.process import Program
from supervisor.settings import Settings
from supervisor.state import State, check_ports

_POLL_SECONDS = 0.02
_ASK_SECONDS = 0.2
_ANSWER_SECONDS = 5.0
_COMPLAIN_SECONDS = 20.0


class Supervisor:
    """All children of one Confr, in the order of their start."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._children: list[Child] = []
        self._socket_folders: list[Path] = []
        self._keepers = asyncio.TaskGroup()
        self._keeping: list[asyncio.Task[None]] = []
        self._environment = dict(os.environ)

    async def run_command(self, arguments: Sequence[str]) -> None:
        """Run one `manage.py` command beside nothing but the database and Redis, e.g. `restore`.

        Raises: StartError, in a group, also when the command fails.
        """
        self._clean_up()
        async with self._keepers:
            await self._start_stores()
            await self._run_once(programs.manage(*arguments, environment=self._environment))
            for keeping in self._keeping:
                keeping.cancel()

    async def run(self) -> None:
        """Start everything and keep it running until cancelled. Raises: StartError, in a group."""
        self._clean_up()
        check_ports(self._settings.bind, self._settings.ports)
        is_first_start = not self._state.demo_file.exists()
        async with self._keepers:
            await self._start_stores()
            await self._run_once(programs.manage("migrate", environment=self._environment))
            missing = self._start_nginx() if self._settings.runs_media else None
            self._keep(programs.control_worker(self._settings, self._environment))
            self._keep(programs.processing_worker(self._settings, self._environment))
            self._keep(programs.media_worker(self._environment))
            self._keep(programs.web(self._settings, self._environment))
            if is_first_start:
                await self._run_once(programs.manage("ensure_demo", environment=self._environment))
            await self._until_ready()
            say(banner.ready(self._settings, self._state, missing=missing, show_demo=is_first_start))

    async def stop(self) -> None:
        """Stop what runs, the last started first, so that nobody loses what it still needs."""
        if self._children:
            say("stopping")
        for child in reversed(self._children):
            await child.stop()
        for folder in self._socket_folders:
            shutil.rmtree(folder)
        shutil.rmtree(self._state.run)
        say("stopped")

    def _clean_up(self) -> None:
        for name in self._state.clean_up():
            say(f"ended {name} of an earlier run")

    async def _start_stores(self) -> None:
        settings = self._settings
        database = settings.database_url or await self._serve(postgres_server(settings.var / "postgres"))
        redis = settings.redis_url or await self._serve(redis_server(settings.var / "redis"))
        shared = {"CONFR_VAR": str(settings.var), "DATABASE_URL": database, "REDIS_URL": redis}
        self._state.tell_environment(shared)
        self._environment |= shared
        self._environment |= {"PROMETHEUS_MULTIPROC_DIR": str(self._state.metrics), "PYTHONUNBUFFERED": "1"}

    async def _serve(self, server: Server) -> str:
        """Keep one of our own servers, and wait until it answers. Returns its URL."""
        self._socket_folders.append(server.sockets)
        self._state.remember_sockets(server.program.name, server.sockets)
        child = self._keep(server.program)
        await _until(lambda: child.pid is not None and server.is_ready(child.pid), what=server.program.name)
        return server.url

    def _start_nginx(self) -> str | None:
        """Start the media server, and its gateway if it is asked for. Returns what is missing for it, if anything."""
        control_port = self._state.private_port("control_port")
        flv_port = self._state.private_port("flv_port") if self._settings.flv else None
        self._environment["CONFR_MEDIA_CONTROL_URL"] = f"http://127.0.0.1:{control_port}"
        try:
            self._keep(programs.nginx(self._settings, control_port=control_port, flv_port=flv_port))
        except FileNotFoundError as error:
            return str(error)
        if flv_port:
            self._keep(programs.flv_gateway(self._settings, self._environment, port=flv_port))
        return None

    def _keep(self, program: Program) -> Child:
        child = Child(program, self._state.pid_file(program.name))
        child.start()
        self._children.append(child)
        self._keeping.append(self._keepers.create_task(child.keep()))
        return child

    async def _run_once(self, program: Program) -> None:
        child = Child(program, self._state.pid_file(program.name))
        child.start()
        self._children.append(child)
        if code := await child.ended():
            raise StartError(f"{program.name} failed with exit code {code}: its own words are above")
        self._children.remove(child)

    async def _until_ready(self) -> None:
        complain_at = time.monotonic() + _COMPLAIN_SECONDS
        while (answer := await self._readiness()) != "":
            if time.monotonic() > complain_at:
                say(f"not ready yet: {answer}")
                complain_at = time.monotonic() + _COMPLAIN_SECONDS
            await asyncio.sleep(_ASK_SECONDS)

    async def _readiness(self) -> str:
        """What is in the way, in the words of /readyz; empty when nothing is."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(self._settings.local_host, self._settings.port)
                try:
                    writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    answer = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return "the web server does not answer"
        head, _, body = answer.partition(b"\r\n\r\n")
        return "" if head.split()[1:2] == [b"200"] else body.decode(errors="replace")


async def _until(is_true: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_true():
        if time.monotonic() > deadline:
            raise StartError(f"{what} does not answer after {START_SECONDS:.0f} s: its own words are above")
        await asyncio.sleep(_POLL_SECONDS)
