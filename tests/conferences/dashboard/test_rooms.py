"""The rooms page over HTTP: what is found, by whom, in how many statements; filters kept; spreadsheets; bulk acts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.actors import Actor
from accounts.models import Staff
from conferences.models import BulkAct, BulkItem, Conference, Role, SavedFilter
from conferences.services import bulk, conferences, roles
from tests import factories
from tests.conferences.dashboard.staff import SignedIn, named, table, url
from tests.database import all_rows, statements
from tests.factories import Room


@pytest.fixture
def three(new_room: Callable[..., Room]) -> dict[str, Room]:
    """alpha: live, locked, recorded, with alice inside. beta: nobody in it, ends by itself. gamma: over."""
    found = {
        "alpha": new_room(12, name="alpha", rec=True, limits={"talkers": 1, "audience": 0}),
        "beta": new_room(10, name="beta", delay_seconds=600),
        "gamma": new_room(11, name="gamma"),
    }
    found["alpha"].enter("alice", Role.ADMIN)
    conferences.update_conference(actor=found["alpha"].backend, confr_id=found["alpha"].id, changes={"locked": True})
    conferences.destroy_conference(actor=found["gamma"].backend, confr_id=found["gamma"].id)
    return found


# The list


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["beta", "alpha"]),
        ("tab=ending", ["beta"]),
        ("tab=closed", ["gamma"]),
        ("q=ALPH", ["alpha"]),
        ("q=ali", ["alpha"]),
        ("q=nobody", []),
        ("type=12", ["alpha"]),
        ("locked=yes", ["alpha"]),
        ("locked=no", ["beta"]),
        ("recording=yes", ["alpha"]),
        ("full=yes", ["alpha"]),
        ("full=no", ["beta"]),
        ("members_min=1", ["alpha"]),
        ("members_max=0", ["beta"]),
        ("sort=name", ["alpha", "beta"]),
        ("sort=-name", ["beta", "alpha"]),
        ("sort=-members", ["alpha", "beta"]),
        ("sort=streams", ["alpha", "beta"]),
        ("sort=created", ["alpha", "beta"]),
        ("sort=ends", ["beta", "alpha"]),
        ("tab=ending&sort=ends", ["beta"]),
        ("created_from=2000-01-01&created_to=2000-12-31", []),
        ("created_from=2000-01-01", ["beta", "alpha"]),
        ("tab=nonsense&type=nonsense&members_min=nonsense&sort=nonsense", ["beta", "alpha"]),
    ],
)
def test_filters_and_sorting_are_in_the_address(application, three, signed_in: SignedIn, query: str, expected):
    client = signed_in(application, "auditor")
    response = client.get(f"{url('rooms', application)}?{query}")
    assert response.status_code == 200
    assert named(response) == expected
    assert len(table(client.get(f"{url('rooms_csv', application)}?{query}"))) == 1 + len(expected)


def test_a_confr_id_is_found_and_a_form_keeps_what_was_asked(application, three, signed_in: SignedIn):
    client = signed_in(application, "auditor")
    address = f"{url('rooms', application)}?q={three['beta'].id[:8].lower()}&locked=no&members_max=7&sort=-name"
    response = client.get(address)
    assert named(response) == ["beta"]
    page = response.content.decode()
    for field in ('name="members_max" value="7"', 'name="sort" value="-name"', '<option value="no" selected>'):
        assert field in page
    assert "<details open>" in page
    assert 'aria-sort="descending"' in page


def test_nobody_sees_rooms_of_others(application, foreign, foreign_robot: Actor, three, signed_in: SignedIn):
    factories.room(foreign_robot, name="secret")
    client = signed_in(application, "owner")
    assert named(client.get(url("rooms"))) == ["beta", "alpha"]
    assert named(client.get(f"{url('rooms')}?application={foreign.app_id}")) == ["beta", "alpha"]
    assert named(client.get(f"{url('rooms')}?q=secret")) == []
    for name in ("rooms", "rooms_csv", "reports", "summary_csv"):
        assert client.get(url(name, foreign)).status_code == 404
        assert Client().get(url(name, application)).status_code == 302
    both = signed_in(application, "auditor", foreign, "owner")
    assert named(both.get(url("rooms"))) == ["secret", "beta", "alpha"]
    assert named(both.get(f"{url('rooms')}?application={foreign.app_id}")) == ["secret"]
    assert named(both.get(url("rooms", application))) == ["beta", "alpha"]


def test_pages_go_on_where_the_last_ended(application, new_room, signed_in: SignedIn):
    for number in range(120):
        new_room(name=f"room-{number:03}")
    client, seen = signed_in(application, "auditor"), []
    address = f"{url('rooms', application)}?sort=name"
    while address:
        response = client.get(address)
        seen += named(response)
        following = re.search(r'rel="next" href="([^"]*)"', response.content.decode())
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"room-{number:03}" for number in range(120)]


def test_raised_hands_are_counted(application, live_room: Room, signed_in: SignedIn):
    client = signed_in(application, "auditor")
    for name in ("carol", "charlie"):
        if name == "charlie":
            live_room.enter("charlie", Role.AUDIENCE)
        roles.request_role(actor=live_room.actor(name), confr_id=live_room.id, role=Role.TALKER)
    assert "2 hands raised" in client.get(url("rooms", application)).content.decode()
    number = live_room.member("carol").number
    roles.answer_request(
        actor=live_room.actor("alice"), confr_id=live_room.id, member=number, role=Role.TALKER, granted=False
    )
    assert "1 hand raised" in client.get(url("rooms", application)).content.decode()
    roles.grant_role(actor=live_room.backend, confr_id=live_room.id, names=["charlie"], role=Role.TALKER)
    assert "raised" not in client.get(url("rooms", application)).content.decode()


def test_two_thousand_rooms_cost_as_many_statements_as_two(application, new_room, signed_in: SignedIn):
    room = new_room(name="first")
    new_room(name="second")
    client = signed_in(application, "moderator")

    def cost(query: str) -> int:
        with statements() as found:
            assert client.get(f"{url('rooms', application)}?{query}").status_code == 200
        return len(found)

    queries = ("", "sort=-members", "sort=streams", "q=o", "tab=ending&sort=ends")
    cost("")
    few = [cost(query) for query in queries]
    copies = []
    for number in range(2000):
        copy = Conference.objects.get(pk=room.conference.pk)
        copy.pk, copy.confr_id, copy.name = None, f"COPY{number:020}", f"room {number}"
        copies.append(copy)
    Conference.objects.bulk_create(copies, batch_size=500)
    assert [cost(query) for query in queries] == few
    assert max(few) <= 12


# Spreadsheets


def test_no_cell_of_a_spreadsheet_is_a_formula(application, new_room, signed_in: SignedIn):
    for name in ("=1+1", "+cmd", "-2", "@sum", 'a,"b"\n'):
        new_room(name=name)
    client = signed_in(application, "auditor")
    response = client.get(f"{url('rooms_csv', application)}?sort=created")
    assert response["Content-Type"].startswith("text/csv")
    header, *rows = table(response)
    assert header[:2] == ["confrId", "Name"]
    assert [row[1] for row in rows] == ["'=1+1", "'+cmd", "'-2", "'@sum", 'a,"b"\n']


# Saved filters


def test_filters_are_saved_shared_and_forgotten(application, foreign, three, signed_in: SignedIn):
    mine, colleague = signed_in(application, "moderator"), signed_in(application, "auditor")
    stranger = signed_in(foreign, "owner")
    wish = {"name": "locked ones", "query": "locked=yes&sort=-name&after=x&evil=1&type=", "shared": "on"}
    response = mine.post(url("save_filter", application), wish)
    assert response.headers["Location"] == f"{url('rooms', application)}?sort=-name&locked=yes"
    mine.post(url("save_filter", application), {"name": "own", "query": "q=alpha"})
    assert named(mine.get(response.headers["Location"])) == ["alpha"]
    assert "locked ones" in colleague.get(url("rooms", application)).content.decode()
    assert ">own" not in colleague.get(url("rooms", application)).content.decode()
    assert "locked ones" not in stranger.get(url("rooms", foreign)).content.decode()
    assert "locked ones" not in mine.get(url("rooms")).content.decode()
    shared = SavedFilter.objects.get(name="locked ones")
    before = all_rows()
    assert colleague.post(url("forget_filter", application, filter_id=shared.pk)).status_code == 404
    assert colleague.post(url("save_filter", application), {**wish, "name": "x"}).status_code == 403
    assert mine.post(url("save_filter", application), {"name": " ", "query": "q=a"}).status_code == 400
    assert mine.get(url("save_filter", application)).status_code == 405
    assert all_rows() == before
    mine.post(url("save_filter", application), {**wish, "query": "q=beta"})
    assert SavedFilter.objects.get(name="locked ones").query == "q=beta"
    assert mine.post(url("forget_filter", application, filter_id=shared.pk)).status_code == 302
    assert list(SavedFilter.objects.values_list("name", flat=True)) == ["own"]


# Bulk acts


def preview(client: Client, scope, verb: str, **fields: object):
    return client.post(url("bulk_preview", scope), {"verb": verb, **fields}, headers={"HX-Request": "true"})


def hidden(response) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', response.content.decode()):
        found.setdefault(name, []).append(value)
    return found


def test_a_bulk_act_from_its_preview_to_its_results(application, three, signed_in: SignedIn):
    client = signed_in(application, "operator")
    ids = [room.id for room in three.values()]
    asked = preview(client, application, "lock", conference=ids)
    page = asked.content.decode()
    assert "Lock: 3 rooms" in page
    for sentence in ("<b>1</b> room will be changed. Members inside: 0.", "<b>1</b> is so already", "<b>1</b> is over"):
        assert sentence in page
    wish = hidden(asked) | {"reason": ["night"]}
    assert BulkAct.objects.count() == 0
    begun = client.post(url("bulk_begin", application), wish)
    again = client.post(url("bulk_begin", application), wish)
    act = BulkAct.objects.get()
    assert begun.headers["Location"] == again.headers["Location"] == url("bulk_act", application, act_id=act.pk)
    waiting = client.get(begun.headers["Location"]).content.decode()
    assert "0 of 3 rooms are settled." in waiting
    assert "every 1s" in waiting
    bulk.do_bulk_acts()
    finished = client.get(begun.headers["Location"]).content.decode()
    assert "Finished: 3 rooms." in finished
    assert "every 1s" not in finished
    assert "The conference is over; create a new one." in finished
    rows = table(client.get(url("bulk_act_csv", application, act_id=act.pk)))
    assert [row[3:5] for row in rows[1:]] == [
        ["was so already", ""], ["done", ""], ["refused", "conference_closed"]
    ]  # fmt: skip
    assert three["beta"].events("conference.updated")[-1].personal["reason"] == "night"


def test_the_whole_filter_is_what_the_preview_counted(application, three, signed_in: SignedIn, monkeypatch):
    client = signed_in(application, "operator")
    asked = preview(client, application, "end", everything="on", query="q=alp")
    assert hidden(asked)["conference"] == [three["alpha"].id]
    assert "<b>1</b> room will be changed. Members inside: 1." in asked.content.decode()
    room = three["alpha"].row
    Conference.objects.bulk_create(
        Conference(
            application=application, confr_id=f"MANY{n:020}", name=f"many {n}", type=10, max_talkers=1, max_videos=1,
            max_audience=1, max_desktops=1, default_role=3,
        )
        for n in range(501)
    )  # fmt: skip
    asked = preview(client, application, "end", everything="on", query="q=many")
    assert "more than 500" in asked.content.decode()
    assert "conference" not in hidden(asked)
    assert room.state == "live"


def test_staff_without_the_role_are_offered_nothing_and_refused(application, foreign, three, signed_in: SignedIn):
    auditor, moderator = signed_in(application, "auditor"), signed_in(application, "moderator")
    stranger = signed_in(foreign, "owner")
    page = auditor.get(url("rooms", application)).content.decode()
    assert 'id="bulk"' not in page
    assert 'name="conference"' not in page
    offered = re.findall(r'name="verb" value="(\w+)"', moderator.get(url("rooms", application)).content.decode())
    assert offered == ["mute", "unmute", "announce"]
    ids = [room.id for room in three.values()]
    wish = {"conference": ids, "token": "t"}
    before = all_rows()
    assert preview(auditor, application, "announce", conference=ids).status_code == 403
    assert preview(moderator, application, "end", conference=ids).status_code == 403
    for client, verb in ((auditor, "announce"), (auditor, "end"), (moderator, "end"), (moderator, "lock")):
        content = {"content": "hi"} if verb == "announce" else {}
        assert client.post(url("bulk_begin", application), {**wish, "verb": verb, **content}).status_code == 403
    assert preview(stranger, application, "end", conference=ids).status_code == 404
    assert preview(stranger, foreign, "end", conference=ids).status_code == 400  # it knows of no such room
    for scope in (application, foreign, "all"):
        assert stranger.post(url("bulk_begin", scope), {**wish, "verb": "end"}).status_code == 404
    assert preview(moderator, application, "dance", conference=ids).status_code == 400
    assert all_rows() == before


def test_ending_rooms_asks_for_the_second_factor_again(application, three, signed_in: SignedIn):
    client = signed_in(application, "operator")
    Authenticator.objects.create(user=Staff.objects.latest("pk"), type=Authenticator.Type.TOTP, data={"secret": ""})
    ids = [three["alpha"].id]
    assert preview(client, application, "end", conference=ids).json()["code"] == "second_factor_needed"
    begun = client.post(url("bulk_begin", application), {"verb": "end", "conference": ids, "token": "t"})
    assert "reauthenticate" in begun.headers["Location"]
    assert not BulkAct.objects.exists()
    assert preview(client, application, "mute", conference=ids).status_code == 200


def test_an_act_is_seen_and_cancelled_by_who_began_it(application, foreign, three, signed_in: SignedIn):
    client, colleague = signed_in(application, "operator"), signed_in(application, "owner")
    wish = {"verb": "end", "conference": [three["alpha"].id, three["beta"].id], "token": "t"}
    client.post(url("bulk_begin", application), wish)
    act = BulkAct.objects.get()
    for name in ("bulk_act", "bulk_act_csv"):
        assert client.get(url(name, application, act_id=act.pk)).status_code == 200
        assert colleague.get(url(name, application, act_id=act.pk)).status_code == 404
        assert client.get(url(name, act_id=act.pk)).status_code == 404
    assert colleague.post(url("bulk_cancel", application, act_id=act.pk)).status_code == 404
    assert client.post(url("bulk_cancel", application, act_id=act.pk)).status_code == 302
    assert set(BulkItem.objects.values_list("state", flat=True)) == {"cancelled"}
    assert bulk.do_bulk_acts() == 0


def test_of_all_applications_those_where_the_role_does_not_suffice_are_refused(
    application, foreign, foreign_robot, three, signed_in: SignedIn
):
    other = factories.room(foreign_robot, name="other")
    client = signed_in(application, "auditor", foreign, "owner")
    asked = preview(client, "all", "end", conference=[three["alpha"].id, other.id])
    assert "of an application where your role does not suffice" in asked.content.decode()
    begun = client.post(url("bulk_begin"), hidden(asked))
    bulk.do_bulk_acts()
    rows = table(client.get(f"{begun.headers['Location']}results.csv"))
    assert sorted([*row[1:5:2], row[4]] for row in rows[1:]) == [
        ["alpha", "refused", "not_allowed"], ["other", "done", ""]
    ]  # fmt: skip
    assert (three["alpha"].row.state, other.row.state) == ("live", "closed")
