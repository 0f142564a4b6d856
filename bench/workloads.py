"""W1–W7: the work of one run, and its figures. A figure's name says its unit and is its row in the table."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bench.clients import Http, Refused
from bench.members import Broadcast, Member, Room
from bench.server import Server

T = TypeVar("T")

MIX, ADMIN, TALKER = 11, 7, 3
LARGEST = 5000
DEADLINE, PATIENCE = 60, 10
HOLES, GAPS, LOST = "roster holes", "gaps in what a member was told", "pushes lost"


@dataclass(slots=True)
class Cost:
    """What a stretch of work took: its duration, and how much of it the server computed."""

    seconds: float = 0.0
    cpu: float = 0.0


@dataclass
class Run:
    """A fresh server under load, and what was measured so far."""

    server: Server
    http: Http
    figures: dict[str, float] = field(default_factory=lambda: {HOLES: 0, GAPS: 0, LOST: 0})
    _names: itertools.count[int] = field(default_factory=itertools.count)

    async def create(self) -> str:
        wish = {"name": f"bench {next(self._names)}", "password": "pw", "confrType": MIX, "maxTalkerCount": LARGEST}
        confr_id: str = (await self.http.call("POST", "/conferences", wish))["confrId"]
        return confr_id

    async def ticket(self, confr_id: str, index: int) -> str:
        wish = {"memName": f"m{index}", "role": TALKER if index else ADMIN, "maxUses": 1000}
        ticket: str = (await self.http.call("POST", f"/conferences/{confr_id}/tickets", wish))["ticket"]
        return ticket

    async def room(self, size: int) -> tuple[Room, list[str]]:
        """A conference and the tickets for its members, by their indexes."""
        room, tickets = Room(await self.create(), size), [""] * size

        async def fetch(index: int) -> None:
            tickets[index] = await self.ticket(room.confr_id, index)

        await at_once(8, range(size), fetch)
        return room, tickets

    async def enter(self, room: Room, index: int, ticket: str) -> None:
        await Member(room, index, ticket).enter(self.server.port)

    async def end(self, room: Room) -> None:
        """Count what its members were not told, end the conference, and see everybody out."""
        self.figures[HOLES] += room.holes
        self.figures[GAPS] += room.gaps
        await self.http.call("DELETE", f"/conferences/{room.confr_id}")
        await asyncio.wait_for(asyncio.gather(*[member.closed for member in room.members.values()]), DEADLINE)

    @asynccontextmanager
    async def cost(self, name: str) -> AsyncIterator[Cost]:
        """Measure a block; how many cores the server and we took become figures."""
        cost, cpu, own, started = Cost(), self.server.cpu(), time.process_time(), time.perf_counter()
        yield cost
        cost.seconds, cost.cpu = time.perf_counter() - started, self.server.cpu() - cpu
        self.figures[f"{name}: cores, server"] = cost.cpu / cost.seconds
        self.figures[f"{name}: cores, client"] = (time.process_time() - own) / cost.seconds


async def at_once(lanes: int, items: Iterable[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Do `act` to every item, so many at a time."""
    remaining = iter(items)

    async def lane() -> None:
        for item in remaining:
            await act(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())


async def repeat(lanes: int, seconds: float, act: Callable[[int], Awaitable[None]]) -> list[float]:
    """Do `act` with 0, 1, 2 … for so long, and answer how long each took."""
    end, took = time.perf_counter() + seconds, list[float]()

    async def clocked(number: int) -> None:
        started = time.perf_counter()
        await act(number)
        took.append(time.perf_counter() - started)

    numbers = itertools.takewhile(lambda _: time.perf_counter() < end, itertools.count())
    await at_once(lanes, numbers, clocked)
    return took


def ms(values: Sequence[float], share: float) -> float:
    """The quantile `share` of these seconds, in milliseconds."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] * 1000 if values else float("nan")


async def cold_start(run: Run) -> None:
    """W7: from the start of the web server to the first conference created."""
    while True:
        try:
            await run.create()
            break
        except (OSError, Refused):
            if run.server.process.poll() is not None or time.perf_counter() > run.server.started + DEADLINE:
                raise RuntimeError(f"Confr does not start:\n{run.server.complaint()}") from None
            await asyncio.sleep(0.01)
    run.figures["W7 cold start, s"] = time.perf_counter() - run.server.started


async def creating(run: Run) -> None:
    """W1: conferences created by one caller, then by sixteen."""

    async def create(_: int) -> None:
        await run.create()

    for lanes in (1, 16):
        name = f"W1 create, {lanes} at once"
        async with run.cost(name) as cost:
            took = await repeat(lanes, 3, create)
        run.figures |= {
            f"{name}: per second": len(took) / cost.seconds,
            f"{name}: p50, ms": ms(took, 0.5),
            f"{name}: p99, ms": ms(took, 0.99),
            f"{name}: server µs each": cost.cpu / len(took) * 1e6,
        }


async def storm(run: Run, size: int) -> Room:
    """W2: so many enter one conference, 32 at a time, until each of them knows of each."""
    room, tickets = await run.room(size)
    name, took = f"W2 {size} enter", list[float]()

    async def enter(index: int) -> None:
        started = time.perf_counter()
        await run.enter(room, index, tickets[index])
        took.append(time.perf_counter() - started)

    async with run.cost(name) as cost:
        await at_once(32, range(size), enter)
        await asyncio.wait_for(room.full.wait(), DEADLINE)
    run.figures |= {
        f"{name}: total, s": cost.seconds,
        f"{name}: enter p50, ms": ms(took, 0.5),
        f"{name}: enter p99, ms": ms(took, 0.99),
        f"{name}: told p50, ms": ms(room.delays, 0.5),
        f"{name}: told p99, ms": ms(room.delays, 0.99),
        f"{name}: server µs per notice": cost.cpu / room.notices * 1e6,
    }
    return room


async def broadcasting(run: Run, room: Room) -> None:
    """W3: members of a full conference speak to all: twenty times alone, then four at a time."""
    members, numbers = list(room.members.values()), itertools.count()

    async def broadcast(_: int) -> None:
        """A member may send 20 frames a second, so they take turns."""
        number = next(numbers)
        message = Broadcast(len(members), time.perf_counter(), asyncio.get_running_loop().create_future())
        room.broadcasts[number] = message
        members[number % len(members)].tell("sendBroadcast", content=str(number))
        try:
            await asyncio.wait_for(message.last, PATIENCE)
        except TimeoutError:
            run.figures[LOST] += message.needed - message.count

    name = f"W3 broadcast to {room.size}"
    alone = [await asyncio.wait_for(_clocked(broadcast, 0), DEADLINE) for _ in range(20)]
    async with run.cost(name) as cost:
        took = await repeat(4, 3, broadcast)
    run.figures |= {
        f"{name}: last told p50, ms": ms(alone, 0.5),
        f"{name}: last told p99, ms": ms(alone, 0.99),
        f"{name}: per second": len(took) / cost.seconds,
        f"{name}: server µs per message": cost.cpu / (len(took) * room.size) * 1e6,
    }


async def _clocked(act: Callable[[int], Awaitable[None]], number: int) -> float:
    started = time.perf_counter()
    await act(number)
    return time.perf_counter() - started


async def moderating(run: Run) -> None:
    """W4: in a conference of 50, roles are granted, members kicked, tickets issued."""
    room, tickets = await run.room(50)
    await at_once(8, range(50), lambda index: run.enter(room, index, tickets[index]))
    address = f"/conferences/{room.confr_id}"

    turns = itertools.count()

    async def grant(_: int) -> None:
        """Each call changes a role: every member is raised in one round and lowered in the next."""
        rounds, index = divmod(next(turns), 49)
        role = TALKER if rounds % 2 else ADMIN
        await run.http.call("POST", f"{address}/roles", {"memNames": [f"m{index + 1}"], "role": role})

    granted = 0
    for lanes in (1, 8):
        name = f"W4 grant, {lanes} at once"
        async with run.cost(name) as cost:
            took = await repeat(lanes, 2, grant)
        granted += len(took)
        run.figures |= {f"{name}: per second": len(took) / cost.seconds, f"{name}: p50, ms": ms(took, 0.5)}
        run.figures[f"{name}: server µs each"] = cost.cpu / len(took) * 1e6
    run.figures[LOST] += granted * room.size - await _heard(room, granted * room.size)

    async with run.cost("W4 ticket, 8 at once") as cost:
        took = await repeat(8, 2, _issue(run, room.confr_id))
    run.figures["W4 ticket, 8 at once: per second"] = len(took) / cost.seconds
    await _kick(run, room)
    await run.end(room)


async def _heard(room: Room, roles: int) -> int:
    """How many pushes of roles came, once all did or no more come."""
    deadline = time.perf_counter() + PATIENCE
    while room.roles < roles and time.perf_counter() < deadline:  # noqa: ASYNC110 read once, at the end
        await asyncio.sleep(0.01)
    return room.roles


def _issue(run: Run, confr_id: str) -> Callable[[int], Awaitable[None]]:
    async def issue(number: int) -> None:
        await run.ticket(confr_id, number % 50)

    return issue


async def _kick(run: Run, room: Room) -> None:
    called, told = list[float](), list[float]()
    for index in range(1, 41):
        member, started = room.members.pop(index), time.perf_counter()
        await run.http.call("POST", f"/conferences/{room.confr_id}/kick", {"memNames": [f"m{index}"]})
        called.append(time.perf_counter() - started)
        told.append(await asyncio.wait_for(member.kicked, DEADLINE) - started)
    room.size = len(room.members)
    run.figures |= {"W4 kick: call p50, ms": ms(called, 0.5)}
    run.figures |= {"W4 kick: told p50, ms": ms(told, 0.5), "W4 kick: told p99, ms": ms(told, 0.99)}


async def churning(run: Run) -> None:
    """W5: in 500 conferences of four, one leaves and a new socket enters. W6: what a member costs in memory."""
    before = run.server.pss()
    rooms = list[tuple[Room, list[str]]]()

    async def fill(_: int) -> None:
        room, tickets = await run.room(4)
        for index, ticket in enumerate(tickets):
            await run.enter(room, index, ticket)
        rooms.append((room, tickets))

    await at_once(16, range(250), fill)
    await asyncio.sleep(1)
    run.figures["W6 memory per idle member, KB"] = (run.server.pss() - before) / 1000 / 1024
    await at_once(16, range(250), fill)

    left, entered = list[float](), list[float]()
    chance = random.Random(7)
    chance.shuffle(rooms)

    async def turn(_: int) -> None:
        room, tickets = rooms.pop()
        index = chance.randrange(4)
        gone = room.exits[index] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        room.members[index].leave()
        left.append(await asyncio.wait_for(gone, DEADLINE) - started)
        started = time.perf_counter()
        await run.enter(room, index, tickets[index])
        entered.append(time.perf_counter() - started)
        rooms.insert(chance.randrange(len(rooms)), (room, tickets))

    async with run.cost("W5 leave and enter") as cost:
        await repeat(16, 4, turn)
    operations = len(left) + len(entered)
    run.figures |= {
        "W5 leave and enter: per second": operations / cost.seconds,
        "W5 leave: told p50, ms": ms(left, 0.5),
        "W5 enter: p50, ms": ms(entered, 0.5),
        "W5 enter: p99, ms": ms(entered, 0.99),
        "W5 leave and enter: server µs each": cost.cpu / operations * 1e6,
    }
    await asyncio.sleep(1)  # the last pushes
    for room, _ in rooms:
        run.figures[HOLES] += room.holes
        run.figures[GAPS] += room.gaps


async def measure(server: Server, sizes: Sequence[int], only: Sequence[str]) -> dict[str, float]:
    """One run of the chosen workloads (all, when none is chosen) on a fresh server."""
    run = Run(server, Http(server.port, server.key))
    await cold_start(run)
    run.figures["W6 memory of the web processes, MB"] = server.pss() / 1e6
    if not only or "w1" in only:
        await creating(run)
    if not only or "w4" in only:
        await moderating(run)
    if not only or only.count("w2") + only.count("w3"):
        for size in sizes:
            room = await storm(run, size)
            if size == max(sizes) and (not only or "w3" in only):
                await broadcasting(run, room)
            await run.end(room)
    if not only or only.count("w5") + only.count("w6"):
        await churning(run)
    return run.figures
