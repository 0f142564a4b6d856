"""The dashboard's socket in hostile hands: whatever comes, it answers with a documented code and nothing crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from accounts.models import StaffRole
from accounts.threads import in_thread
from conferences.services.messages import broadcast
from tests.dashboard_client import DEADLINE, DashboardClient, session_of, staff_member
from tests.factories import until
from tests.web import Web, running_web

DOCUMENTED = {1009, 1012, 1013, 4400, 4401, 4403, 4408, 4429}
FAULTS = ("Traceback", "Exception in ASGI", "never retrieved")
NULS = "\0" * 26

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
fields = st.dictionaries(st.sampled_from(["scope", "conference", "lastSeq", "membersAfter", "x"]), values)


@pytest.fixture
def session(application) -> str:
    return session_of(staff_member("mona", application=application, role=StaffRole.MODERATOR))


@pytest.fixture
def faultless(web: Web) -> Iterator[None]:
    """Nothing crashed in the web processes while the test ran."""
    before = len(web.log.read_text())
    yield
    said = web.log.read_text()[before:]
    assert not any(fault in said for fault in FAULTS), said[-5000:]


async def end_of(url: str, frames: list[str | bytes], **headers: str) -> int | None:
    """The code that a socket is closed with after these frames; None where it stays open."""
    address = f"ws{url.removeprefix('http')}/dashboard/live"
    given = {"Origin": url} | headers
    async with connect(address, additional_headers=given, proxy=None, open_timeout=2 * DEADLINE) as socket:
        try:
            for frame in frames:
                await socket.send(frame)
            async for text in socket:
                assert orjson.loads(text)["event"] in {"watching", "snapshot", "members", "beat", "resumed"}
                return None
        except ConnectionClosed:
            pass
        return socket.close_code


@pytest.mark.usefixtures("faultless")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\xff\xfe", 4400),
        (orjson.dumps({"scope": "all"}), 4400),
        (b"\x00" * 2000, 4400),
        ("x" * 70_000, 1009),
        (b"x" * 70_000, 1009),
        ('{"scope": "all", "conference": "\\u0000"}', 4400),
        ('{"scope": "\\u0000"}', 4403),
        ('{"scope": "\\ud800"}', 4400),
        ('{"scope": "9223372036854775808"}', 4403),
        ('{"scope": "all", "lastSeq": 1e999}', 4400),
        ('{"scope": "all", "lastSeq": 9223372036854775808}', 4400),
        ("[" * 1000, 4400),
        ("\ud7ff\U0010ffff", 4400),
        ("", 4400),
    ],
)
async def test_what_is_no_frame_ends_the_socket(web, session, application, frame, code):
    assert await end_of(web.url, [frame], Cookie=f"sessionid={session}") == code


@pytest.mark.usefixtures("faultless")
@pytest.mark.parametrize("conference", [NULS, "%", "' OR 1=1 --", "‮", "a" * 900, "../..", "7Q" * 13])
async def test_a_conference_that_is_none_is_refused(web, session, application, conference):
    wish = orjson.dumps({"scope": str(application.app_id), "conference": conference}).decode()
    assert await end_of(web.url, [wish], Cookie=f"sessionid={session}") in {4400, 4403}


@pytest.mark.usefixtures("faultless")
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "http://["}, 4403),
        ({"Origin": "http://]"}, 4403),
        ({"Origin": "//"}, 4403),
        ({"Origin": "http://evil.example@127.0.0.1"}, 4403),
        ({"Cookie": 'sessionid="\\000aaaaaaaaaa"'}, 4401),
        ({"Cookie": "sessionid=" + "a" * 5000}, 4401),
        ({"Cookie": "sessionid=a; sessionid=b"}, 4401),
        ({"Cookie": "=;;=\\"}, 4401),
    ],
)
async def test_a_head_that_is_none_is_refused(web, application, headers, code):
    assert await end_of(web.url, ['{"scope": "all"}'], **headers) == code


@pytest.mark.usefixtures("faultless")
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=fields | values, later=fields | values)
async def test_made_up_frames_are_told_nothing_and_crash_nothing(web, session, application, first, later):
    frames: list[str | bytes] = [_text(first), _text(later)]
    assert await end_of(web.url, frames, Cookie=f"sessionid={session}") in {None, *DOCUMENTED}


@pytest.mark.usefixtures("faultless")
async def test_frames_after_signing_out_are_heard_by_nobody(web, session, application, room):
    wish = {"scope": str(application.app_id), "conference": room.id}
    client = await DashboardClient.connect(web.url, session, **wish)
    await client.until("snapshot")
    await in_thread(Session.objects.all().delete)
    while client.socket.close_code is None:
        try:
            await client.send(membersAfter=0)
        except ConnectionClosed:
            break
        await asyncio.sleep(0.1)  # slow enough for the limit
    assert await client.closed() == 4401
    assert await (await DashboardClient.connect(web.url, session, **wish)).closed() == 4401


@pytest.mark.usefixtures("faultless")
async def test_a_hundred_sockets_of_one_page_are_told_alike(web, session, application, room):
    wish = {"scope": str(application.app_id), "conference": room.id}
    clients = [await DashboardClient.connect(web.url, session, **wish) for _ in range(100)]
    for client in clients:
        await client.until("snapshot")
    await in_thread(broadcast, actor=room.backend, confr_id=room.id, content="x")
    for client in clients:
        await client.until("message.broadcast")
    for client in clients:
        await client.close()


async def test_who_comes_while_sessions_are_checked_stays(session, application, room, tmp_path):
    """A check that is slow, as on a busy machine, knows nothing of who came meanwhile."""
    other = await in_thread(lambda: session_of(staff_member("otto", superuser=True)))
    with running_web(tmp_path, workers=1) as web:
        first = await DashboardClient.connect(web.url, session, scope="all")
        await first.until("watching")
        late = await DashboardClient.connect(web.url, other)
        locked, unlock = asyncio.Event(), asyncio.Event()
        holding = asyncio.create_task(_hold_sessions(locked, unlock))
        await locked.wait()
        await in_thread(until, _somebody_waits)
        await late.send(scope="all")
        await late.until("watching")
        unlock.set()
        await holding
        await in_thread(Session.objects.filter(session_key=session).delete)
        assert await first.closed() == 4401  # a check later
        await in_thread(broadcast, actor=room.backend, confr_id=room.id, content="x")
        await late.until("changed")
        await late.close()


async def _hold_sessions(locked: asyncio.Event, unlock: asyncio.Event) -> None:
    """Let nobody read the sessions until `unlock` is set."""
    loop = asyncio.get_running_loop()

    def hold() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE django_session")
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(unlock.wait(), loop).result(DEADLINE)
        connection.close()

    await asyncio.to_thread(hold)


def _somebody_waits() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass")
        return cursor.fetchone()[0]


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # what JSON has no number for, or no text
        return repr(value).encode(errors="replace").decode()
