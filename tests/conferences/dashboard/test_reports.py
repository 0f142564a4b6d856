"""Reports over HTTP: a life of a room told, replayed, added up and put into spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from accounts.actors import system
from conferences.models import Conference, Event, ExitReason, Kind, Member, Role
from conferences.services import audit, conferences, members, moderation, roles
from conferences.services.moderation import Hold
from tests.conferences.dashboard.staff import SignedIn, named, table, url
from tests.database import statements
from tests.factories import Room


@pytest.fixture
def told(new_room: Callable[..., Room], alice, bob, carol, charlie, media, clock: time_machine.Traveller) -> Room:
    """A meeting of 40 minutes: alice all the time, bob for two stays and with a lost socket, carol promoted and
    kicked, charlie muted."""
    room = new_room(11, name="standup")

    def minutes(count: int) -> None:
        clock.shift(timedelta(minutes=count))

    room.enter("alice", Role.ADMIN)
    room.enter("bob", Role.TALKER)
    room.publish("bob")
    minutes(10)
    room.lose("bob")
    minutes(2)
    members.sweep_lost()
    room.enter("carol", Role.AUDIENCE)
    minutes(3)
    room.enter("bob", Role.TALKER)
    roles.grant_role(actor=room.actor("alice"), confr_id=room.id, names=["carol"], role=Role.TALKER)
    room.publish("carol")
    minutes(5)
    moderation.kick_members(actor=room.actor("alice"), confr_id=room.id, names=["carol"], hold=Hold(reason="=rude"))
    room.enter("charlie", Role.TALKER)
    moderation.mute_members(
        actor=room.actor("alice"), confr_id=room.id, names=["charlie"], kinds=[Kind.AUDIO], muted=True, reason="loud"
    )
    moderation.mute_all(actor=room.backend, confr_id=room.id, kinds=[Kind.VIDEO], muted=True)
    minutes(20)
    conferences.destroy_conference(actor=room.backend, confr_id=room.id, reason="over")
    return room


def text(response) -> str:
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))


def test_attendance_adds_up_stays_roles_and_publishing(application, told: Room, signed_in: SignedIn):
    client = signed_in(application, "auditor")
    header, *rows = table(client.get(url("attendance_csv", application, confr_id=told.id)))
    assert header[3:] == [
        "Entries", "Seconds in the room", "Seconds as admin", "Seconds as talker", "Seconds as audience",
        "Seconds publishing", "Seconds reconnecting",
    ]  # fmt: skip
    minutes = {row[0]: [int(row[3]), *(round(int(each) / 60) for each in row[4:])] for row in rows}
    assert minutes == {
        "alice": [1, 40, 40, 0, 0, 0, 0],
        "bob": [2, 37, 0, 37, 0, 12, 2],
        "carol": [1, 8, 0, 5, 3, 5, 0],
        "charlie": [1, 20, 0, 20, 0, 0, 0],
    }
    page = text(client.get(url("report", application, confr_id=told.id)))
    assert "Inside at most 3" in page
    for row in ("bob", "0:37:0", "0:12:0"):
        assert row in page


def test_a_report_tells_who_was_moderated_by_whom_and_why(application, told: Room, signed_in: SignedIn):
    page = text(signed_in(application, "auditor").get(url("report", application, confr_id=told.id)))
    acts = page[page.index("Kicks, bans and mutes") :]
    for words in (
        "kept out after a kick carol alice =rude",
        "kicked carol alice =rude",
        "muted: audio charlie alice loud",
    ):
        assert words in acts
    assert "everybody muted: video backend" in acts
    assert acts.count("charlie") == 1  # "mute all" is told once, not for each


def test_the_replay_shows_who_was_there_and_what_was_live(application, told: Room, signed_in: SignedIn):
    client = signed_in(application, "auditor")

    def moment(seq: int) -> str:
        found = text(client.get(f"{url('report_moment', application, confr_id=told.id)}?seq={seq}"))
        return found[: found.index("# At Event")]

    facts = {event.seq: event for event in told.events()}
    lost = next(seq for seq, fact in facts.items() if fact.type == "member.lost")
    kicked = max(seq for seq, fact in facts.items() if fact.data.get("reason") == ExitReason.KICKED)
    assert "Inside: 0. Live streams: 0." in moment(1)
    assert "Inside: 2. Live streams: 1." in moment(lost)
    assert "bob talker, reconnecting" in moment(lost)
    assert "Inside: 3. Live streams: 1." in moment(kicked - 2)  # the stream goes first, then the member
    assert "carol talker" in moment(kicked - 1)
    assert "carol" not in moment(kicked)
    assert moment(10**9) == moment(max(facts))
    assert "Inside: 0." in moment(max(facts))
    assert moment(0) == moment(1)
    # It opens where most were inside.
    assert "Inside: 3." in text(client.get(url("report", application, confr_id=told.id)))


def test_events_are_exported_whole_and_no_cell_is_a_formula(application, told: Room, signed_in: SignedIn):
    header, *rows = table(signed_in(application, "auditor").get(url("events_csv", application, confr_id=told.id)))
    assert [int(row[0]) for row in rows] == [event.seq for event in told.events()]
    assert header[9] == "Reason"
    assert {row[9] for row in rows} >= {"'=rude", "loud", "over"}


def test_lives_of_one_room_are_told_apart_and_linked(application, new_room, signed_in: SignedIn, clock):
    lives = []
    for _ in range(3):
        lives.append(new_room(name="standup"))
        conferences.destroy_conference(actor=lives[-1].backend, confr_id=lives[-1].id)
        clock.shift(60)
    lives.append(new_room(name="standup"))
    new_room(name="other")
    client = signed_in(application, "auditor")

    def links(room: Room) -> dict[str, str]:
        page = client.get(url("report", application, confr_id=room.id)).content.decode()
        return dict(re.findall(r'rel="(prev|next)" href="[^"]*/([A-Z0-9]{24})/"', page))

    ids = [room.id for room in lives]
    assert [links(room) for room in lives] == [
        {"next": ids[1]}, {"prev": ids[0], "next": ids[2]}, {"prev": ids[1], "next": ids[3]}, {"prev": ids[2]}
    ]  # fmt: skip
    listed = client.get(url("reports", application))
    assert named(listed) == ["standup"] * 3
    assert re.findall(r"[A-Z0-9]{24}(?=</div>)", listed.content.decode()) == ids[2::-1]


def test_what_ended_is_listed_and_summed_by_day(application, told: Room, new_room, signed_in: SignedIn, clock):
    clock.shift(timedelta(days=2))
    lonely = new_room(name="lonely")
    conferences.destroy_conference(actor=lonely.backend, confr_id=lonely.id)
    client = signed_in(application, "auditor")
    ended = [f"{Conference.objects.get(name=name).closed_at:%Y-%m-%d}" for name in ("standup", "lonely")]
    assert named(client.get(url("reports", application))) == ["lonely", "standup"]
    assert named(client.get(f"{url('reports', application)}?begin={ended[1]}&end={ended[1]}")) == ["lonely"]
    assert named(client.get(f"{url('reports', application)}?q=STAND")) == ["standup"]
    header, *rows = table(client.get(url("summary_csv", application)))
    assert header[:4] == ["Day", "Conferences", "Entries", "Users"]
    assert [row[:4] for row in rows] == [[ended[0], "1", "5", "4"], [ended[1], "1", "0", "0"]]
    assert [[round(float(each)) for each in row[4:]] for row in rows] == [[105, 40], [0, 0]]
    for query in ("begin=2026-02-01&end=2026-01-01", "begin=2020-01-01&end=2026-01-01"):
        assert "Choose at most a year" in text(client.get(f"{url('reports', application)}?{query}"))
        assert client.get(f"{url('summary_csv', application)}?{query}").status_code == 400


def test_a_live_conference_has_a_report_too(application, room: Room, signed_in: SignedIn, clock):
    clock.shift(600)
    client = signed_in(application, "auditor")
    assert "still inside" in text(client.get(url("report", application, confr_id=room.id)))
    rows = table(client.get(url("attendance_csv", application, confr_id=room.id)))[1:]
    assert [(row[0], row[2], round(int(row[4]) / 60)) for row in rows] == [
        ("alice", "", 10), ("bob", "", 10), ("carol", "", 10)
    ]  # fmt: skip


def test_an_empty_life_and_an_erased_user(application, new_room, told: Room, signed_in: SignedIn):
    client = signed_in(application, "auditor")
    assert "Nobody entered" in text(client.get(url("report", application, confr_id=new_room().id)))
    user = Member.objects.get(conference=told.conference, user__name="carol").user
    audit.erase_user(actor=system(), user=user)
    for name in ("report", "attendance_csv", "events_csv"):
        response = client.get(url(name, application, confr_id=told.id))
        body = b"".join(response) if response.streaming else response.content
        assert b"carol" not in body
        assert b"bob" in body


def test_nobody_reads_reports_of_others(application, foreign, told: Room, signed_in: SignedIn):
    stranger, auditor = signed_in(foreign, "owner"), signed_in(application, "auditor")
    for name in ("report", "report_moment", "attendance_csv", "events_csv"):
        assert auditor.get(url(name, application, confr_id=told.id)).status_code == 200
        assert auditor.get(url(name, application, confr_id="NOSUCH")).status_code == 404
        assert auditor.get(url(name, confr_id=told.id)).status_code == 404  # a report is of one application
        for scope in (application, foreign):
            assert stranger.get(url(name, scope, confr_id=told.id)).status_code == 404
        assert Client().get(url(name, application, confr_id=told.id)).status_code == 302
    assert named(stranger.get(url("reports"))) == []


def test_a_long_conference_costs_as_many_statements_as_a_short_one(application, new_room, signed_in: SignedIn):
    client = signed_in(application, "auditor")
    room = new_room(11)
    for name in ("alice", "bob"):
        room.enter(name)

    def cost(name: str) -> int:
        with statements() as found:
            assert client.get(url(name, application, confr_id=room.id)).status_code == 200
        return len(found)

    cost("report")
    few = [cost("report"), cost("report_moment")]
    for number in range(30):
        room.enter(f"m{number}", Role.AUDIENCE)
        room.lose(f"m{number}")
    assert [cost("report"), cost("report_moment")] == few
    assert max(few) <= 16
    assert Event.objects.filter(conference=room.conference).count() > 90
