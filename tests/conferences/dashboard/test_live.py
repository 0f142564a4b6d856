"""The dashboard's socket, at real web processes."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from redis import Redis

from accounts.models import Membership, Staff, StaffRole
from accounts.threads import in_thread
from conferences import delivery
from conferences.models import Kind, Role
from conferences.services import moderation, oversight
from conferences.services.conferences import destroy_conference
from conferences.services.messages import broadcast
from conferences.services.moderation import Hold, kick_members
from conferences.services.roles import answer_request, request_role
from tests import factories
from tests.conferences.live.conftest import ticket
from tests.dashboard_client import DashboardClient, session_of, staff_member
from tests.live_client import LiveClient
from tests.web import running_web

Open = Callable[..., Awaitable[DashboardClient]]


@pytest.fixture
def moderator(application) -> Staff:
    return staff_member("mona", application=application, role=StaffRole.MODERATOR)


@pytest.fixture
def session(moderator) -> str:
    return session_of(moderator)


@pytest.fixture
async def watch(web) -> AsyncIterator[Open]:
    """`await watch(session, scope=…, conference=…)`: a page's socket, gone after the test."""
    clients = []

    async def open_socket(session: str | None, url: str = web.url, **wish: Any) -> DashboardClient:
        clients.append(await DashboardClient.connect(url, session, **wish))
        return clients[-1]

    yield open_socket
    for client in clients:
        await client.close()


def slug(application) -> str:
    return str(application.app_id)


# A conference


async def test_a_conference_is_shown_whole_and_then_every_fact_of_it(watch, session, application, room, media):
    await in_thread(room.publish, "bob")
    client = await watch(session, scope=slug(application), conference=room.id)
    snapshot = await client.until("snapshot")
    assert snapshot["seq"] == (await in_thread(lambda: room.row)).last_seq
    shown = snapshot["data"]
    assert {member["name"]: member["role"] for member in shown["members"]} == {"alice": 7, "bob": 3, "carol": 1}
    assert [(stream["name"], stream["member"]) for stream in shown["streams"]] == [("bob", 2)]
    assert shown["conference"]["confrId"] == room.id
    assert [fact["seq"] for fact in shown["past"]] == list(range(1, snapshot["seq"] + 1))

    hold = Hold(reason="the-reason")
    await in_thread(kick_members, actor=room.backend, confr_id=room.id, names=["bob"], hold=hold)
    exited = await client.until("member.exited")
    assert exited["actor"] | {"id": ""} == {
        "kind": "application", "id": "", "name": "backend", "address": "192.0.2.1", "reason": "the-reason",
        "before": None, "after": None,
    }  # fmt: skip
    assert exited["data"]["member"] == 2
    assert exited["data"]["reason"] == 12
    assert (await client.until("stream.removed"))["data"]["stream"]["rtcId"] == "camera"
    await client.until("ban.added")
    client.assert_unbroken(snapshot["seq"])


async def test_who_waits_for_a_role_is_in_the_snapshot_until_answered(watch, session, application, room):
    carol = await in_thread(room.actor, "carol")
    await in_thread(request_role, actor=carol, confr_id=room.id, role=Role.TALKER, ref="r1")
    client = await watch(session, scope=slug(application), conference=room.id)
    waiting = (await client.until("snapshot"))["data"]["waiting"]
    assert [(each["member"], each["name"], each["role"], each["ref"]) for each in waiting] == [(3, "carol", 3, "r1")]
    await in_thread(kick_members, actor=room.backend, confr_id=room.id, names=["carol"], hold=Hold())
    assert (await in_thread(oversight.take_whole, room.conference.pk)).waiting == []


async def test_the_past_is_told_with_the_names_of_those_who_have_left(watch, session, application, room):
    carol = await in_thread(room.actor, "carol")
    await in_thread(request_role, actor=carol, confr_id=room.id, role=Role.TALKER, ref="")
    await in_thread(answer_request, actor=room.backend, confr_id=room.id, member=3, role=Role.TALKER, granted=False)
    await in_thread(kick_members, actor=room.backend, confr_id=room.id, names=["carol"], hold=Hold())
    client = await watch(session, scope=slug(application), conference=room.id)
    shown = (await client.until("snapshot"))["data"]
    assert [member["name"] for member in shown["members"]] == ["alice", "bob"]
    assert shown["names"] == {"1": "alice", "2": "bob", "3": "carol"}


async def test_members_beyond_the_first_page_are_asked_for(watch, session, application, room, monkeypatch):
    client = await watch(session, scope=slug(application), conference=room.id)
    assert (await client.until("snapshot"))["data"]["cursor"] is None
    await client.send(membersAfter=1)
    page = (await client.until("members"))["data"]
    assert [member["name"] for member in page["members"]] == ["bob", "carol"]
    assert page["cursor"] is None


async def test_two_moderators_hear_the_same_and_each_other(watch, session, application, room):
    other = await in_thread(session_of, await in_thread(staff_member, "otto", superuser=True))
    clients = [await watch(each, scope=slug(application), conference=room.id) for each in (session, other)]
    snapshots = [await client.until("snapshot") for client in clients]
    assert snapshots[0]["data"] == snapshots[1]["data"]
    moderator = await in_thread(factories.staff, application)
    await in_thread(
        moderation.mute_members, actor=moderator, confr_id=room.id, names=["bob"], kinds=[Kind.AUDIO], muted=True
    )
    facts = [await client.until("member.muted") for client in clients]
    assert facts[0]["data"] == facts[1]["data"]
    assert facts[0]["actor"]["name"] == "moderator"


async def test_what_was_missed_is_told_exactly_after_the_web_process_was_killed(session, application, room, tmp_path):
    wish = {"scope": slug(application), "conference": room.id}
    with running_web(tmp_path) as web:
        client = await DashboardClient.connect(web.url, session, **wish)
        since = (await client.until("snapshot"))["seq"]
        await in_thread(broadcast, actor=room.backend, confr_id=room.id, content="1")
        await client.until("message.broadcast")
        for worker in web.workers():
            worker.kill()
        assert await client.closed() == 1006
        for content in "23":
            await in_thread(broadcast, actor=room.backend, confr_id=room.id, content=content)
        back = await DashboardClient.connect(web.url, session, **wish, lastSeq=client.last_seq)
        await back.until("message.broadcast", lambda frame: frame["data"]["content"] == "3")
        assert back.frames[0]["event"] == "resumed"
        client.frames += back.frames
        client.assert_unbroken(since)
        assert [fact["data"]["content"] for fact in client.facts] == ["1", "2", "3"]
        web.terminate()
        assert await back.closed() == 1012


async def test_a_number_from_the_future_gets_a_snapshot(watch, session, application, room):
    client = await watch(session, scope=slug(application), conference=room.id, lastSeq=10_000)
    await client.until("snapshot")


async def test_the_end_of_a_conference_does_not_end_the_socket(watch, session, application, room):
    client = await watch(session, scope=slug(application), conference=room.id)
    await client.until("snapshot")
    await in_thread(destroy_conference, actor=room.backend, confr_id=room.id)
    await client.until("conference.closed")
    await client.send(membersAfter=0)
    assert (await client.until("members"))["data"]["members"] == []


# Many conferences


async def test_a_scope_hears_what_changed_and_where_at_most_once_a_second(watch, session, application, room, web):
    client = await watch(session, scope=slug(application))
    await client.until("watching")
    alice = await LiveClient.enter(web.live, await ticket(room, "alice"))
    for content in "123456":
        await in_thread(broadcast, actor=room.backend, confr_id=room.id, content=content)
    told = await client.until("changed", lambda frame: "members" in frame["data"]["topics"])
    assert told["data"]["conferences"] == [room.id]
    await in_thread(kick_members, actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold())
    last = await client.until("changed", lambda frame: "bans" in frame["data"]["topics"])
    times = [frame["heard"] for frame in client.frames if frame["event"] == "changed"]
    assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(times)), times
    assert "audit" in last["data"]["topics"]
    await alice.close()


async def test_a_scope_hears_nothing_of_other_applications(watch, session, application, room, foreign_robot):
    elsewhere = await in_thread(factories.room, foreign_robot)
    everything = await in_thread(session_of, await in_thread(staff_member, "otto", superuser=True))
    own, every = await watch(session, scope="all"), await watch(everything, scope="all")
    await own.until("watching")
    await every.until("watching")
    await in_thread(broadcast, actor=elsewhere.backend, confr_id=elsewhere.id, content="x")
    await every.until("changed", lambda frame: elsewhere.id in frame["data"]["conferences"])
    await in_thread(broadcast, actor=room.backend, confr_id=room.id, content="x")
    await own.until("changed", lambda frame: room.id in frame["data"]["conferences"])
    assert all(elsewhere.id not in frame["data"].get("conferences", ()) for frame in own.frames if "data" in frame)


async def test_what_redis_lost_is_told_some_seconds_later(watch, session, application, room, monkeypatch):
    client = await watch(session, scope=slug(application))
    await client.until("watching")
    monkeypatch.setattr(delivery, "client", lambda: Redis(host="127.0.0.1", port=1))
    await in_thread(broadcast, actor=room.backend, confr_id=room.id, content="x")
    await client.until("changed", lambda frame: frame["data"] == {"topics": ["audit"], "conferences": [room.id]})


async def test_acts_on_the_application_itself_are_told_too(watch, session, application):
    client = await watch(session, scope=slug(application))
    await client.until("watching")
    await in_thread(factories.change_application, application, grace_seconds=7)
    told = await client.until("changed", lambda frame: "bans" in frame["data"]["topics"])
    assert told["data"] == {"topics": ["audit", "bans"], "conferences": []}


# Who may


async def test_another_tenants_conference_is_refused(watch, session, application, foreign, foreign_robot):
    elsewhere = await in_thread(factories.room, foreign_robot)
    for wish in (
        {"scope": slug(application), "conference": elsewhere.id},
        {"scope": slug(foreign), "conference": elsewhere.id},
        {"scope": slug(foreign)},
        {"scope": "all", "conference": elsewhere.id},
        {"scope": "1' OR 1=1"},
    ):
        client = await watch(session, **wish)
        assert await client.closed() == 4403, wish
        assert client.frames == []


async def test_only_pages_of_our_own_may_open_it(web, session, application):
    for origin in ("https://evil.example", None, "null", f"http://127.0.0.1:{web.port + 1}"):
        client = await DashboardClient.connect(web.url, session, origin=origin)
        assert await client.closed() == 4403


@pytest.mark.parametrize("given", [None, "0" * 32, "not-a-key"])
async def test_without_a_session_nobody_watches(watch, given, application):
    assert await (await watch(given, scope=slug(application))).closed() == 4401


def sign_out(person: Staff) -> None:
    Session.objects.all().delete()


def switch_off(person: Staff) -> None:
    Staff.objects.filter(pk=person.pk).update(is_active=False)


def change_password(person: Staff) -> None:
    Staff.objects.filter(pk=person.pk).update(password="!other")


def demote(person: Staff) -> None:
    Membership.objects.filter(staff=person).update(role=StaffRole.AUDITOR)


def remove(person: Staff) -> None:
    Membership.objects.filter(staff=person).delete()


@pytest.mark.parametrize(
    ("act", "code"), [(sign_out, 4401), (switch_off, 4401), (change_password, 4401), (demote, 4403), (remove, 4403)]
)
async def test_a_session_that_is_worth_less_loses_its_sockets_within_a_second(
    watch, session, moderator, application, room, act, code
):
    clients = [
        await watch(session, scope=slug(application)),
        await watch(session, scope="all"),
        await watch(session, scope=slug(application), conference=room.id),
    ]
    await clients[2].until("snapshot")
    await clients[1].until("watching")
    started = time.monotonic()
    await in_thread(act, moderator)
    assert {await client.closed() for client in clients} == {code}
    assert time.monotonic() - started < 1.0


# What a client may send


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ('{"scope": 1}', 4400),
        ('{"scope": "all", "lastSeq": -1}', 4400),
        ('{"scope": "all", "more": 1}', 4400),
        ('{"scope": "' + "a" * 2000 + '"}', 1009),
    ],
)
async def test_bad_frames_end_the_socket(watch, session, text, code):
    client = await watch(session)
    await client.socket.send(text)
    assert await client.closed() == code


async def test_a_flood_of_frames_ends_the_socket(watch, session, application, room):
    client = await watch(session, scope=slug(application), conference=room.id)
    for _ in range(40):
        await client.send(membersAfter=0)
    assert await client.closed() == 4429


async def test_a_second_frame_in_a_scope_is_a_mistake(watch, session):
    client = await watch(session, scope="all")
    await client.send(membersAfter=0)
    assert await client.closed() == 4400
