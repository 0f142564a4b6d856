"""The Now and the System page, through the whole of Django."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import StaffRole
from accounts.redis import client, key
from conferences import health
from conferences.dashboard import alerts
from conferences.models import Sample
from conferences.services.conferences import update_conference
from tests import factories
from tests.dashboard_client import session_of, staff_member


@pytest.fixture(autouse=True)
def _nothing_remembered():
    alerts._media.clear()
    client().delete(key("jobs"), *(key("job", job.name) for job in health.jobs()))


@pytest.fixture
def sampled(committed):
    """Somebody looked just now."""
    return Sample.objects.create(at=timezone.now())


def browser(**who) -> Client:
    session = Client()
    session.cookies["sessionid"] = session_of(staff_member(f"staff-{len(who)}", **who))
    return session


@pytest.fixture
def auditor(application) -> Client:
    return browser(application=application, role=StaffRole.AUDITOR)


@pytest.fixture
def root(committed) -> Client:
    return browser(superuser=True)


def page(session: Client, address: str, status: int = 200, **headers: str) -> str:
    response = session.get(f"/dashboard/{address}", headers=headers)
    assert response.status_code == status, response.content
    return response.content.decode()


def test_now_shows_what_there_is(auditor, application, room, media, sampled):
    room.publish("bob")
    text = page(auditor, f"{application.app_id}/")
    for name, value in {"conferences": 1, "members": 3, "streams": 1, "joins": 3}.items():
        assert f'id="now-{name}">{value}<' in text
    assert f"/{application.app_id}/rooms/{room.id}/" in text
    assert "now-alert " not in text


def test_each_part_is_to_be_had_alone(auditor, application, room):
    for part in ("alerts", "figures", "busiest", "refusals"):
        text = page(auditor, f"{application.app_id}/now/{part}/", HX_Request="true")
        assert f'id="now-{part}"' in text
        assert "<html" not in text
    page(auditor, f"{application.app_id}/now/other/", 404)


def test_the_number_of_queries_does_not_depend_on_what_there_is(application, robot, media, sampled):
    session = browser(application=application, role=StaffRole.AUDITOR)
    slug = application.app_id
    factories.room(robot).enter("alice")
    page(session, f"{slug}/")  # what is read once per process
    with CaptureQueriesContext(connection) as few:
        page(session, f"{slug}/")
    for number in range(30):
        room = factories.room(robot, 12, name=f"room {number}")
        room.enter("alice")
        for step in range(5):
            Sample.objects.get_or_create(application=application, at=timezone.now() - timedelta(seconds=step))
    factories.fake()
    with CaptureQueriesContext(connection) as many:
        page(session, f"{slug}/")
    assert len(many) == len(few), [query["sql"] for query in many]
    assert len(many) <= 18


def test_nothing_of_another_tenant_is_shown(auditor, application, foreign, foreign_robot, sampled):
    elsewhere = factories.room(foreign_robot, name="their secret")
    elsewhere.enter("mallory")
    Sample.objects.create(application=foreign, at=sampled.at, members=7, refused=1, refusals={"banned": 1})
    Sample.objects.filter(application=None).update(refused=1, refusals={"credentials_invalid": 1})
    for address in ("all/", f"{application.app_id}/"):
        text = page(auditor, address)
        assert 'id="now-members">0<' in text
        assert "their secret" not in text
        assert "banned" not in text
        assert "credentials_invalid" not in text
    lines = auditor.get("/dashboard/all/series/1/").json()
    assert {value for value in lines["members"] if value is not None} <= {0}
    for address in (f"{foreign.app_id}/", f"{foreign.app_id}/now/figures/", f"{foreign.app_id}/series/1/"):
        page(auditor, address, 404)


def test_series_have_a_gap_where_nobody_looked(auditor, application):
    step = datetime.fromtimestamp(timezone.now().timestamp() // 10 * 10 - 60, UTC)
    for age in (0, 20):
        Sample.objects.create(at=step + timedelta(seconds=age))
        Sample.objects.create(application=application, at=step + timedelta(seconds=age), members=2, joins=1, refused=2)
    lines = auditor.get(f"/dashboard/{application.app_id}/series/1/").json()
    begin = lines["at"].index(int(step.timestamp()))
    assert lines["members"][begin : begin + 3] == [2, None, 2]
    assert lines["joins"][begin] == 6
    assert lines["refused"][begin] == 12
    assert len(lines["at"]) == 360
    assert auditor.get(f"/dashboard/{application.app_id}/series/2/").status_code == 404


def test_refusals_are_shown_by_cause(auditor, application, sampled):
    Sample.objects.create(application=application, at=sampled.at, refused=3, refusals={"banned": 2, "talkers_full": 1})
    text = page(auditor, f"{application.app_id}/")
    assert text.index("<code>banned</code>") < text.index("<code>talkers_full</code>")
    assert "All talkers&#x27; seats are taken" in text


def test_alerts_say_what_needs_somebody(auditor, root, application, media, new_room, sampled):
    room = new_room(10)
    room.enter("alice")
    update_conference(actor=room.backend, confr_id=room.id, changes={"max_talkers": 1})
    media.away = True
    health.job_failed("reconcile_media", ValueError("a secret"))
    Sample.objects.create(application=application, at=sampled.at, repairs=2)
    text = page(auditor, f"{application.app_id}/")
    assert "The media server does not answer" in text
    assert "Full rooms: 1" in text
    assert f"/dashboard/{application.app_id}/rooms/?full=yes" in text
    assert "Streams set right in the last 10 minutes: 2" in text
    assert "Background jobs" not in text
    assert "/dashboard/system/" not in text
    text = page(root, "all/")
    assert "Background jobs fail: reconcile_media" in text
    assert "a secret" not in text
    assert "/dashboard/system/#jobs" in text


def test_an_alert_says_that_nobody_looks(auditor, application, sampled):
    late = "Background jobs are late"
    assert late not in page(auditor, f"{application.app_id}/")
    Sample.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert late in page(auditor, f"{application.app_id}/")


# System


def test_system_shows_each_part(root, application, room, media):
    health.job_done("reconcile_media", 0.25)
    health.job_failed("purge", ValueError("a secret"))
    text = page(root, "system/")
    for part in (
        "database",
        "migrations",
        "Redis",
        "background jobs",
        "media server",
        "PostgreSQL",
        "reconcile_media",
        "0.250 s",
    ):
        assert part in text
    assert "ValueError" in text
    assert "a secret" not in text
    assert "<html" not in page(root, "system/", HX_Request="true")


def test_system_is_for_superusers(application, room):
    session = browser(application=application, role=StaffRole.OWNER)
    text = page(session, "system/", 403)
    assert "PostgreSQL" not in text
    assert "/dashboard/system/" not in page(session, f"{application.app_id}/")


def test_system_without_the_media_server_says_so(root, media):
    media.away = True
    text = page(root, "system/")
    assert "away" in text
