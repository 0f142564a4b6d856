"""The audit over HTTP: both logs in one list, filtered, exported, and proved."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Application, ApplicationEvent
from conferences.models import Event
from conferences.services import bans as of_application
from conferences.services import conferences
from conferences.services.moderation import Hold
from tests.conferences.dashboard.staff import SignedIn, table, url
from tests.database import all_rows


def told(client: Client, application: Application | str = "all", **query: str) -> list[str]:
    response = client.get(url("audit", application), query)
    assert response.status_code == 200
    return [row.entry.type for row in response.context["page"]]


def lines(client: Client, application: Application | str = "all", **query: str) -> list[dict[str, Any]]:
    response: Any = client.get(url("audit_lines", application), query)
    return [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]


@pytest.fixture
def happened(application, robot, room, foreign_robot, new_room) -> None:
    """Both logs of the application in turns, and something of another tenant."""
    of_application.ban_users(actor=robot, names=["eve"], hold=Hold(reason="spam"))
    conferences.update_conference(actor=robot, confr_id=room.id, changes={"locked": True})
    of_application.unban_users(actor=robot, names=["eve"])
    of_application.ban_users(actor=foreign_robot, names=["xena"], hold=Hold())


def test_one_list_of_both_logs_the_newest_first(application, foreign, signed_in: SignedIn, happened, room):
    client = signed_in(application, "auditor")
    types = told(client, application)
    assert types[:3] == ["ban.lifted", "conference.updated", "ban.added"]
    assert types[-1] == "application.created"
    assert len(types) == Event.objects.count() + ApplicationEvent.objects.filter(application=application).count()
    assert told(client) == types
    assert client.get(url("audit", foreign)).status_code == 404
    assert told(client, application, action="ban.") == ["ban.lifted", "ban.added"]
    assert told(client, application, room=room.id.lower(), action="conference") == [
        "conference.updated",
        "conference.created",
    ]
    assert told(client, application, actor="ALI", action="member.joined") == ["member.joined"]
    assert told(client, application, actor="nobody") == []
    assert told(client, application, actor="Back", action="ban.added") == ["ban.added"]
    assert told(client, application, kind="staff") == []
    assert told(client, application, end="2020-01-01", begin="2019-01-01") == []
    assert told(client, application, begin="nonsense") == types


def test_its_pages_meet_without_a_gap_also_within_one_instant(application, signed_in: SignedIn, happened, monkeypatch):
    monkeypatch.setattr("conferences.dashboard.paging.turn.__defaults__", (3,))
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # rows of the log cannot be changed otherwise
        cursor.execute("UPDATE conferences_event SET at = (SELECT max(at) FROM conferences_event)")
        cursor.execute("UPDATE accounts_applicationevent SET at = (SELECT max(at) FROM conferences_event)")
        cursor.execute("SET session_replication_role = origin")
    client, address = signed_in(application, "auditor"), url("audit", application)
    forwards, pages = [], []
    while address:
        page = client.get(address).context["page"]
        pages.append([row.mark for row in page])
        forwards += pages[-1]
        last, address = page, page.next_url
    assert len(pages) > 3
    assert forwards == sorted(forwards, reverse=True)
    assert len(forwards) == len({tuple(mark) for mark in forwards})
    assert len(forwards) == Event.objects.count() + ApplicationEvent.objects.filter(application=application).count()
    for expected in reversed(pages[:-1]):
        last = client.get(last.previous_url).context["page"]
        assert [row.mark for row in last] == expected
    assert client.get(url("audit", application), {"after": '["x","y",1]'}).status_code == 400


def test_exports_have_what_the_filter_has(application, signed_in: SignedIn, happened, room, monkeypatch):
    client = signed_in(application, "auditor")
    [lifted, added] = lines(client, application, action="ban.")
    assert (added["type"], added["personal"]["names"], added["actorKind"]) == ("ban.added", ["eve"], "application")
    row = ApplicationEvent.objects.get(application=application, type="ban.added")
    assert (added["seq"], added["hash"], added["digests"]) == (row.seq, bytes(row.hash).hex(), row.digests)
    assert lifted["seq"] == added["seq"] + 1
    [changed] = lines(client, action="conference.updated")
    assert changed["log"] == f"conference:{room.id}"
    monkeypatch.setattr("conferences.dashboard.views.audit.LINES_PER_PIECE", 2)
    assert [line["type"] for line in lines(client, application)] == told(client, application)
    response = client.get(url("audit_csv", application), {"action": "ban.added"})
    rows = table(response)
    assert len(rows) == 2
    assert rows[1][1:] == [
        "acme#live",
        "",
        str(row.seq),
        "ban.added",
        "application",
        "backend",
        "192.0.2.1",
        "eve",
        "spam",
        "request-a",
    ]


def test_details_show_all_of_a_fact_and_nobody_elses(application, foreign, signed_in: SignedIn, happened):
    client = signed_in(application, "auditor")
    fact = Event.objects.get(type="conference.updated")
    shown = client.get(url("audit_details", application, log="conference", pk=fact.pk)).content.decode()
    assert "&quot;locked&quot;: true" in shown
    assert bytes(fact.hash).hex() in shown
    theirs = ApplicationEvent.objects.filter(application=foreign).first()
    assert theirs is not None
    for log in ("application", "conference", "nonsense"):
        assert client.get(url("audit_details", application, log=log, pk=theirs.pk)).status_code == 404


def test_the_chains_are_proved_and_a_changed_row_shows(application, signed_in: SignedIn, happened, room):
    client = signed_in(application, "auditor")
    before = all_rows()
    verdict = client.post(url("verify_audit", application)).context["verdict"]
    assert (verdict.logs, verdict.findings, verdict.is_complete) == (2, [], True)
    assert all_rows() == before
    seq = Event.objects.get(type="conference.updated").seq
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE conferences_event SET data = '{}', actor_id = '7' WHERE type = 'conference.updated'")
        cursor.execute("SET session_replication_role = origin")
    response = client.post(url("verify_audit"), HTTP_HX_REQUEST="true")
    assert [str(each) for each in response.context["verdict"].findings] == [
        f"conference:{room.id} at {seq}: row changed"
    ]
    assert client.post(url("verify_audit") + "?room=NOWHERE").context["verdict"].logs == 1
    assert client.get(url("verify_audit")).status_code == 405
