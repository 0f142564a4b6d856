"""The bans of the staff, over HTTP: what is found, added and lifted, by whom, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.staticfiles.finders import get_finder
from django.test import Client
from django.utils import timezone

from accounts.models import Application, ApplicationEvent
from conferences.models import Ban, Event
from conferences.services import bans as of_application
from conferences.services import conferences, moderation
from conferences.services.moderation import Hold
from tests.conferences.dashboard.staff import SignedIn, table, url
from tests.database import all_rows


def found(client: Client, application: Application | str = "all", **query: str) -> list[str]:
    """Whom the list names, in its order."""
    response = client.get(url("bans", application), query)
    assert response.status_code == 200
    return [row.whom for row in response.context["rows"]]


@pytest.fixture
def banned(robot, room, foreign_robot) -> dict[str, Ban]:
    """bob: kicked out of the room. eve and a range: out of all rooms. ivan: not any more. xena: another tenant's."""
    moderation.kick_members(actor=robot, confr_id=room.id, names=["bob"])
    [eve] = of_application.ban_users(actor=robot, names=["eve"], hold=Hold(reason="spam", note="seen <b>twice</b>"))
    network = of_application.ban_addresses(actor=robot, network="203.0.113.0/24", hold=Hold(reason="=cmd()"))
    [ivan] = of_application.ban_users(actor=robot, names=["ivan"], hold=Hold(seconds=60))
    Ban.objects.filter(pk=ivan.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    [xena] = of_application.ban_users(actor=foreign_robot, names=["xena"], hold=Hold())
    return {"eve": eve, "network": network, "bob": Ban.objects.get(user__name="bob"), "ivan": ivan, "xena": xena}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["203.0.113.0/24", "eve", "bob"]),
        ({"state": "expired"}, ["ivan"]),
        ({"state": "any"}, ["ivan", "203.0.113.0/24", "eve", "bob"]),
        ({"state": "lifted"}, []),
        ({"state": "nonsense"}, ["203.0.113.0/24", "eve", "bob"]),
        ({"cause": "kick"}, ["bob"]),
        ({"q": "SPAM"}, ["eve"]),
        ({"q": "203.0.113.77"}, ["203.0.113.0/24"]),
        ({"q": "203.0.114.1"}, []),
        ({"room": "nowhere"}, []),
    ],
)
def test_bans_are_found(application, signed_in: SignedIn, banned, query, expected):
    assert found(signed_in(application, "auditor"), application, **query) == expected


def test_the_page_shows_no_others_and_no_markup(application, foreign, signed_in: SignedIn, banned):
    client = signed_in(application, "auditor", foreign, "auditor")
    assert found(client)[0] == "xena"
    assert found(client, foreign) == ["xena"]
    page = client.get(url("bans", application)).content.decode()
    assert "seen &lt;b&gt;twice&lt;/b&gt;" in page
    assert 'id="new-ban"' not in page
    alone = signed_in(application, "moderator")
    assert found(alone) == ["203.0.113.0/24", "eve", "bob"]
    assert alone.get(url("bans", foreign)).status_code == 404
    assert b'id="new-ban"' in alone.get(url("bans", application)).content


def test_the_spreadsheet_has_what_the_filter_has(application, signed_in: SignedIn, banned):
    response = signed_in(application, "auditor").get(url("bans_csv", application), {"q": "cmd"})
    rows = table(response)
    assert len(rows) == 2
    assert rows[1][:6] == ["203.0.113.0/24", "acme#live", "", "banned", "standing", "'=cmd()"]


@pytest.mark.parametrize(
    ("wish", "count", "users"),
    [
        ({"names": "eve\nmallory, eve"}, 2, {"eve", "mallory"}),
        ({"names": "bob", "room": True, "seconds": "3600"}, 1, {"bob"}),
        ({"network": "2001:db8::/48"}, 1, {None}),
        ({"network": "198.51.100.7", "room": True}, 1, {None}),
    ],
)
def test_a_moderator_bans(application, signed_in: SignedIn, room, wish, count, users):
    wish |= {"room": room.id.lower()} if wish.get("room") else {}
    data = {"application": str(application.app_id), "reason": "spam", "note": "n", **wish}
    client = signed_in(application, "moderator")
    response = client.post(url("add_ban", application), data, follow=True)
    assert response.redirect_chain == [(url("bans", application), 302)]
    made = Ban.objects.filter(application=application)
    assert {ban.user.name if ban.user else None for ban in made} == users
    assert made.count() == count
    for ban in made:
        assert (ban.reason, ban.note, ban.author.partition(":")[0]) == ("spam", "n", "staff")
        assert (ban.conference is not None) == ("room" in wish)
        assert (ban.expires_at is not None) == ("seconds" in wish)
    log = (
        Event.objects.filter(type="ban.added") if "room" in wish else ApplicationEvent.objects.filter(type="ban.added")
    )
    assert [(fact.actor_kind, fact.personal["reason"]) for fact in log] == [("staff", "spam")]


@pytest.mark.parametrize(
    ("wish", "status", "said"),
    [
        ({}, 200, "one of both"),
        ({"names": "eve", "network": "203.0.113.1"}, 200, "one of both"),
        ({"names": "\n".join(f"u{n}" for n in range(501))}, 200, "At most 500 names"),
        ({"names": "eve", "seconds": "1"}, 200, "valid choice"),
        ({"network": "300.1.1.1"}, 400, "malformed"),
        ({"names": "eve", "room": "NOWHERE"}, 404, "nothing here"),
        ({"names": "x" * 65}, 400, "user name is invalid"),
    ],
)
def test_what_makes_no_ban_is_said_and_changes_nothing(application, signed_in: SignedIn, room, wish, status, said):
    client = signed_in(application, "moderator")
    before = all_rows()
    response = client.post(url("add_ban", application), {"application": str(application.app_id), **wish})
    assert response.status_code == status
    assert said in response.content.decode()
    if status == 200:
        assert 'id="new-ban" aria-labelledby="new-ban-title" data-open' in response.content.decode()
    after = all_rows()
    assert after == before


def test_many_are_lifted_each_by_itself(application, signed_in: SignedIn, robot, room, banned):
    moderation.unban_members(actor=robot, confr_id=room.id, names=["bob"])
    chosen = [banned[name].pk for name in ("eve", "network", "bob")]
    response = signed_in(application, "moderator").post(url("lift_bans"), {"ban": chosen})
    told = {whom: refusal.code if refusal else None for _, whom, refusal in response.context["results"]}
    assert told == {"203.0.113.0/24": None, "eve": None, "bob": "ban_not_found"}
    assert not Ban.objects.standing(timezone.now()).filter(application=application).exists()
    lifts = ApplicationEvent.objects.filter(application=application, type="ban.lifted")
    assert sorted(fact.data["bans"][0] for fact in lifts) == sorted(chosen[:2])


def test_a_ban_of_a_room_that_is_over_cannot_be_chosen(application, signed_in: SignedIn, robot, room, banned):
    conferences.destroy_conference(actor=robot, confr_id=room.id)
    client = signed_in(application, "moderator")
    shown = {row.whom: row.can_be_lifted for row in client.get(url("bans", application)).context["rows"]}
    assert shown == {"203.0.113.0/24": True, "eve": True, "bob": False}
    response = client.post(url("lift_bans", application), {"ban": [banned["bob"].pk]})
    assert [refusal.code for _, _, refusal in response.context["results"]] == ["conference_closed"]


@pytest.mark.parametrize(
    ("role", "chosen", "status"),
    [("auditor", "eve", 403), ("moderator", "xena", 404), ("moderator", "nonsense", 400), ("moderator", None, 400)],
)
def test_what_may_not_be_lifted_stays(application, signed_in: SignedIn, banned, role, chosen, status):
    client = signed_in(application, role)
    before = all_rows()
    ids = [] if chosen is None else [banned[chosen].pk if chosen in banned else chosen]
    assert client.post(url("lift_bans", application), {"ban": ids}).status_code == status
    if role == "auditor":
        assert client.post(url("add_ban", application), {"names": "eve"}).status_code == 403
    assert all_rows() == before
    assert client.get(url("lift_bans", application)).status_code in {403, 405}


def test_without_the_browser_libraries_pages_say_what_to_do(
    application, signed_in: SignedIn, settings, tmp_path, caplog
):
    settings.STATICFILES_DIRS = [tmp_path]
    get_finder.cache_clear()  # type: ignore[attr-defined]  # type: ignore[attr-defined]  # the stubs know only the function
    response = signed_in(application, "auditor").get(url("bans", application))
    get_finder.cache_clear()  # type: ignore[attr-defined]  # type: ignore[attr-defined]  # the stubs know only the function
    assert response.status_code == 503
    assert b"script/server" in response.content
    assert "static/vendor/tabler.min.css is missing" in caplog.text
