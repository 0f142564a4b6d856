"""The HTTP calls of emedia's clients, body by body: status 200 whatever happens, and a negative `error`."""

from __future__ import annotations

import json

import pytest
import requests

from accounts import services
from accounts.actors import Actor, system
from accounts.models import Application
from conferences.models import Ban, Conference, Member, Mix, Role, Ticket
from tests.conferences.vendors.emedia.conftest import CREATE, User
from tests.database import all_rows
from tests.emedia_client import Calls, Json
from tests.factories import Room, until
from tests.web import Web


@pytest.fixture
def alice(user: User) -> Calls:
    return user("alice")


@pytest.fixture
def bob(user: User) -> Calls:
    return user("bob")


@pytest.fixture
def created(alice: Calls) -> Json:
    return alice.ticket(**CREATE)


def room_of(answer: Json, robot: Actor) -> Room:
    return Room(robot, Conference.objects.get(confr_id=answer["confrId"]))


def inside(room: Room, *names: str) -> None:
    for name in names:
        room.enter(name)


# req/ticket


def test_create_answers_both_halves_at_the_top_and_in_data(created: Json) -> None:
    """One build of the mini-program's SDK reads the one, the next reads the other."""
    assert created["error"] == 0
    assert created["data"] == {"roleToken": created["roleToken"], "ticket": created["ticket"]}
    assert (created["type"], created["password"], created["role"], created["rtcCfg"]) == (10, "pw", 7, "{}")


def test_a_ticket_is_a_json_text_with_what_sdks_read(created: Json, web: Web, alice: Calls) -> None:
    assert isinstance(created["ticket"], str)
    ticket = json.loads(created["ticket"])
    assert ticket["url"] == f"ws://127.0.0.1:{web.port}/easemob/rtc/ws"
    assert (ticket["type"], ticket["confrId"], ticket["memName"]) == ("CONFR", created["confrId"], alice.uid)
    assert ticket["tktId"].startswith(f"{created['confrId']}TK")


def test_a_password_that_was_left_out_is_generated_and_an_empty_one_is_none(alice: Calls, bob: Calls) -> None:
    without = {name: value for name, value in CREATE.items() if name != "password"}
    generated = alice.ticket(**without)["password"]
    assert len(generated) >= 8
    free = alice.ticket(**without, password="")
    assert free["password"] == ""
    assert bob.ticket(confrId=free["confrId"], password="", role=9)["error"] == 0


def test_a_type_that_was_left_empty_is_communication(alice: Calls) -> None:
    assert alice.ticket(**CREATE | {"confrType": ""})["type"] == 10


@pytest.mark.parametrize(("wish", "granted"), [(9, 3), (7, 3), (3, 3), (1, 1), ("3", 3), (None, 3)])
def test_a_joiners_wish_is_granted_at_most_at_the_ceiling(
    wish: object, granted: int, created: Json, bob: Calls
) -> None:
    body = {} if wish is None else {"role": wish}
    assert bob.ticket(confrId=created["confrId"], password="pw", **body)["role"] == granted


def test_the_query_of_newer_sdks_means_nothing(created: Json, bob: Calls) -> None:
    path = f"/easemob/rtc/req/ticket?_ct=1600000000000&CONFRID={created['confrId']}&REGION=cn"
    body: Json = {"uid": bob.uid, "token": bob.token, "confrId": created["confrId"], "password": "pw", "role": 3}
    more: Json = {"terminal": {}, "rec": True, "supportWechatMiniProgram": True, "useVCodes": ["H264", "VP8"]}
    assert bob(path, **body, **more)["error"] == 0


@pytest.mark.parametrize(
    "form", ["{name}", "{app_key}_{name}", "{app_key}_{name}@easemob.com", "{app_key}_{name}@x.cn"]
)
def test_one_person_in_every_form_of_its_name(form: str, application: Application, created: Json, bob: Calls) -> None:
    bob.uid = form.format(app_key=application.app_key, name="bob")
    answer = bob.ticket(confrId=created["confrId"], password="pw")
    assert json.loads(answer["ticket"])["memName"] == f"{application.app_key}_bob@easemob.com"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"token": "ut_forged"}, -100),
        ({"token": ""}, -200),
        ({"token": None}, -200),
        ({"uid": "charlie"}, -100),
        ({"uid": "other#app_bob"}, -200),
        ({"uid": ""}, -200),
        ({"confrId": "NONE"}, -301),
        ({"password": "wrong"}, -508),
        ({"password": None}, -508),
        ({"role": 5}, -200),
        ({"role": "x"}, -200),
        ({"confrId": 5}, -200),
    ],
)
def test_who_may_not_join_is_told_why_and_nothing_changes(change: Json, error: int, created: Json, bob: Calls) -> None:
    before = all_rows()
    body = {"uid": bob.uid, "token": bob.token, "confrId": created["confrId"], "password": "pw", "role": 9}
    answer = bob("/easemob/rtc/req/ticket", **body | change)
    assert (answer["error"], bool(answer["errorMessage"])) == (error, True)
    assert answer.keys() == {"error", "errorMessage"}
    assert all_rows() == before


@pytest.mark.parametrize(
    "change", [{"confrType": 13}, {"confrType": 14}, {"maxTalkerCount": "many"}, {"password": "x" * 65}]
)
def test_a_conference_that_cannot_be_is_not_made(change: Json, alice: Calls) -> None:
    assert alice.ticket(**CREATE | change)["error"] == -200
    assert not Conference.objects.exists()


def test_a_conference_of_another_application_is_not_there(
    created: Json, web: Web, foreign: Application, foreign_robot: Actor
) -> None:
    token = services.issue_user_token(actor=foreign_robot, application=foreign, user="mallory").text
    mallory = Calls(web.url, f"{foreign.app_key}_mallory", token)
    assert mallory.ticket(confrId=created["confrId"], password="pw")["error"] == -301
    assert mallory.rtc("disband/conference", created["roleToken"])["error"] == 0  # who has it, is alice


def test_a_backend_may_ask_for_its_users_with_its_key(web: Web, application: Application, created: Json) -> None:
    key = services.create_api_key(actor=system(), application=application, name="k", scopes=["conferences"]).secret
    backend = Calls(web.url, f"{application.app_key}_dora", key)
    assert backend.ticket(confrId=created["confrId"], role=7)["role"] == 7
    made = backend.ticket(**CREATE)
    assert (made["role"], Ticket.objects.get(conference__confr_id=made["confrId"]).user.name) == (7, "dora")


def test_a_conference_that_is_over_is_506(created: Json, alice: Calls, bob: Calls) -> None:
    assert alice.rtc("disband/conference", created["roleToken"]) == {"error": 0}
    assert bob.ticket(confrId=created["confrId"], password="pw")["error"] == -506
    assert alice.rtc("disband/conference", created["roleToken"])["error"] == -506


# conferences/room


def test_a_room_is_made_once_and_its_config_counts_for_the_first(alice: Calls, bob: Calls) -> None:
    config: Json = {
        "maxTalkerCount": 4,
        "maxVideoCount": 2,
        "maxAudienceCount": 7,
        "maxPubDesktopCount": 1,
        "rec": True,
    }
    first = alice.room("daily", password="", supportWechatMiniProgram=True, nickName="Al", ext={"a": 1}, **config)
    second = bob.room("daily", password="", maxTalkerCount=9)
    assert (first["error"], first["isCreator"], second["isCreator"]) == (0, True, False)
    assert first["confrId"] == second["confrId"]
    assert first["roleToken"].startswith("rt_")
    conference = Conference.objects.get()
    assert (conference.max_talkers, conference.max_videos, conference.max_audience) == (4, 2, 7)
    assert (conference.max_desktops, conference.rec, conference.name) == (1, True, "daily")


def test_a_room_has_its_password_and_is_of_the_application_in_its_address(alice: Calls, bob: Calls) -> None:
    alice.room("daily", password="pw")
    before = all_rows()
    assert bob.room("daily", password="wrong")["error"] == -508
    assert bob.room("", password="pw")["error"] == -200
    body = {"roomName": "daily", "memName": bob.uid, "token": bob.token, "password": "pw"}
    assert bob("/acme/other/conferences/room", **body)["error"] == -706
    assert bob("/other/live/conferences/room", **body)["error"] == -706
    assert all_rows() == before


def test_an_address_may_have_capitals(bob: Calls) -> None:
    body = {"roomName": "daily", "memName": bob.uid, "token": bob.token, "password": "pw"}
    assert bob("/Acme/Live/conferences/room", **body)["error"] == 0


def test_a_room_without_a_config_is_a_room(alice: Calls) -> None:
    """The SDK stumbles over its own missing config afterwards: the room ends by itself when nobody enters it."""
    assert alice.room("daily", password="")["error"] == 0
    assert Conference.objects.get().delay_seconds == 120


# Moderation


@pytest.mark.parametrize("form", ["bob", "acme#live_bob", "acme#live_bob@easemob.com"])
@pytest.mark.parametrize("role", [1, "1"])
def test_roles_change_for_every_form_of_a_name(
    form: str, role: object, created: Json, alice: Calls, robot: Actor
) -> None:
    room = room_of(created, robot)
    inside(room, "alice", "bob")
    assert alice.rtc("chanage/roles", created["roleToken"], uids=[form], role=role) == {"error": 0}
    assert room.member("bob").role == Role.AUDIENCE


def test_roles_go_down_by_oneself_and_not_up(created: Json, bob: Calls, robot: Actor) -> None:
    room = room_of(created, robot)
    token = bob.ticket(confrId=created["confrId"], password="pw")["roleToken"]
    inside(room, "alice", "bob")
    assert bob.rtc("role/degrade", token, uids=[bob.uid], role=1) == {"error": 0}
    assert bob.rtc("role/degrade", token, uids=["alice"], role=1)["error"] == -702
    assert bob.rtc("chanage/roles", token, uids=[bob.uid], role=7)["error"] == -702
    assert [room.member(name).role for name in ("alice", "bob")] == [7, 1]


def test_whom_the_web_sdk_calls_by_the_conference_as_well(created: Json, alice: Calls, robot: Actor) -> None:
    room = room_of(created, robot)
    inside(room, "alice", "bob", "carol")
    here = created["confrId"]
    assert alice.rtc("kick/member", created["roleToken"], confrId=here, uids=["bob"])["error"] == 0
    assert alice.rtc("kick/member", created["roleToken"], confrId="ANOTHER", uids=["carol"])["error"] == -101
    assert room.member("carol").state == Member.State.PRESENT
    assert alice.rtc("disband/conference", created["roleToken"], confrId={"id": here}, rest=1)["error"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chanage/roles", {"uids": ["bob"], "role": 1}),
        ("role/degrade", {"uids": ["bob"], "role": 1}),
        ("kick/member", {"uids": ["bob"]}),
        ("disband/conference", {}),
        ("confr/attrs/update", {"cattrs": [{"key": "a", "val": "b", "op": "UPDATE"}]}),
        ("confr/attrs/update", {"cstate": {"muteAll": True}}),
    ],
)
@pytest.mark.parametrize("role_token", [None, "", "rt_1_forged"])
def test_without_a_role_token_nothing_is_moderated(
    role_token: str | None, path: str, body: Json, created: Json, alice: Calls, robot: Actor
) -> None:
    inside(room_of(created, robot), "alice", "bob")
    before = all_rows()
    assert alice.rtc(path, role_token, **body)["error"] == -101
    assert all_rows() == before


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("chanage/roles", {"uids": ["bob"], "role": 9}, -200),
        ("chanage/roles", {"uids": ["bob"]}, -200),
        ("chanage/roles", {"uids": [], "role": 1}, -200),
        ("chanage/roles", {"uids": "bob", "role": 1}, -200),
        ("chanage/roles", {"uids": ["nobody"], "role": 1}, -504),
        ("chanage/roles", {"uids": ["other#app_bob"], "role": 1}, -200),
        ("kick/member", {}, -200),
        ("kick/member", {"uids": ["alice"]}, -101),
        ("confr/attrs/update", {"cattrs": [{"val": "b"}]}, -200),
        ("confr/attrs/update", {"cattrs": [{"key": "a", "val": "x" * 17000}]}, -200),
        ("confr/attrs/update", {"cattrs": "a"}, -200),
        ("confr/attrs/update", {"cstate": {"muteAll": "perhaps"}}, -200),
        ("confr/attrs/update", {}, -200),
        ("confr/attrs/update", {"cattrs": [{"key": "a", "val": "b"}], "cstate": {"muteAll": True}}, -200),
    ],
)
def test_what_cannot_be_moderated_so_is_refused_and_nothing_changes(
    path: str, body: Json, error: int, created: Json, alice: Calls, robot: Actor
) -> None:
    inside(room_of(created, robot), "alice", "bob")
    before = all_rows()
    assert alice.rtc(path, created["roleToken"], **body)["error"] == error
    assert all_rows() == before


def test_a_kick_holds(created: Json, alice: Calls, bob: Calls, robot: Actor) -> None:
    room = room_of(created, robot)
    answer = bob.ticket(confrId=created["confrId"], password="pw")
    inside(room, "alice", "bob")
    assert alice.rtc("kick/member", created["roleToken"], uids=[bob.uid]) == {"error": 0}
    assert Ban.objects.get().user_id == room.member("bob").user_id
    assert bob.ticket(confrId=created["confrId"], password="pw")["error"] == -701
    assert bob.rtc("confr/attrs/update", answer["roleToken"], cattrs=[{"key": "a", "val": "b"}])["error"] == -101


def test_any_member_writes_attributes(created: Json, bob: Calls, robot: Actor) -> None:
    room = room_of(created, robot)
    token = bob.ticket(confrId=created["confrId"], password="pw")["roleToken"]
    inside(room, "alice", "bob")
    changes = [{"key": "a", "val": "1", "op": "UPDATE"}, {"key": "b", "val": 2}, {"key": "c", "op": "DEL"}]
    assert bob.rtc("confr/attrs/update", token, cattrs=changes)["error"] == -200  # attributes are texts
    changes[1] = {"key": "b", "val": {"x": 2}}
    assert bob.rtc("confr/attrs/update", token, cattrs=changes) == {"error": 0}
    assert room.row.attributes == {"a": "1", "b": '{"x":2}'}


# Looking in


def test_who_knows_the_password_may_look_in(created: Json, bob: Calls, robot: Actor, application: Application) -> None:
    inside(room_of(created, robot), "alice", "carol")
    shown = bob("/easemob/rtc/select/confr", uid=bob.uid, token=bob.token, confrId=created["confrId"], password="pw")
    assert shown["confr"] == {
        "id": created["confrId"],
        "type": 10,
        "memTotal": 2,
        "audienceTotal": 0,
        "talkers": [f"{application.app_key}_{name}@easemob.com" for name in ("alice", "carol")],
    }
    wrong = {"uid": bob.uid, "token": bob.token, "confrId": created["confrId"], "password": "wrong"}
    assert bob("/easemob/rtc/select/confr", **wrong)["error"] == -508


def test_who_is_inside_needs_no_password_to_look(created: Json, alice: Calls) -> None:
    body = {"uid": alice.uid, "token": alice.token, "confrId": created["confrId"]}
    assert alice("/easemob/rtc/select/confr", **body)["error"] == 0


# What is not offered, and what is no call


def test_a_live_is_a_mix_from_its_start_to_its_end(created: Json, alice: Calls, robot: Actor) -> None:
    def act(path: str, method: str = "POST", **body: object) -> Json:
        return alice.rtc(path, created["roleToken"], method, confrId=created["confrId"], **body)

    room = room_of(created, robot)
    room.enter("alice", Role.ADMIN)
    stream, _ = room.offer("alice")
    canvas = {"bgclr": "0xFF8000", "w": 640, "h": "360", "fps": 20, "bps": 900_000, "codec": "H264"}
    live = act("livecfg", liveCfg={"layoutStyle": "GRID", "canvas": canvas})
    mix = Mix.objects.get(pk=int(live["liveId"]))
    assert (live["error"], live["streamId"], live["rtmp"][:7]) == (0, "mix-1__Of_M0", "rtmp://")
    assert (mix.layout, mix.background, mix.width, mix.height, mix.fps) == ("grid", 0xFF8000, 640, 360, 20)

    region = {"sid": stream.stream_id, "x": 0, "y": 0, "w": 320, "h": 180, "style": "fill", "zorder": 2}
    assert act("live/layout", liveId=live["liveId"], regions=[region])["error"] == 0
    mix.refresh_from_db()
    assert (mix.layout, mix.inputs[0]["layer"], mix.inputs[0]["fit"]) == ("", 2, "fill")
    region["sid"] = "cam__Of_M9"
    assert act("live/layout", liveId=live["liveId"], regions=[region])["error"] == -531
    assert act("live/layout", liveId=live["liveId"], regions=[])["error"] == -532
    assert act("delete/live", "DELETE", liveId=live["liveId"])["error"] == 0
    assert act("delete/live", "DELETE", liveId=live["liveId"])["error"] == -533
    mix.refresh_from_db()
    assert mix.state == "stopped"


def test_a_relay_to_a_cdn_is_refused_by_its_own_code(created: Json, alice: Calls) -> None:
    wish = {"cdn": "rtmp://cdn.example/a", "layoutStyle": "GRID"}
    answer = alice.rtc("livecfg", created["roleToken"], confrId=created["confrId"], liveCfg=wish)
    assert (answer["error"], bool(answer["errorMessage"])) == (-530, True)
    assert not Mix.objects.exists()


def test_a_refusal_names_the_fields_that_are_wrong(created: Json, alice: Calls) -> None:
    kick = alice.rtc("kick/member", created["roleToken"], uids=[])
    assert kick["errorMessage"].endswith("correct the fields that are named. (uids)")
    assert alice.rtc("chanage/roles", created["roleToken"], uids=["bob"])["errorMessage"].endswith("(role)")
    assert alice("/easemob/rtc/req/ticket", uid="x")["errorMessage"].endswith("(token)")


def test_another_method_is_a_refusal_like_any_other(alice: Calls) -> None:
    assert alice("/easemob/rtc/req/ticket", method="GET")["error"] == -200


def test_an_address_that_confr_does_not_know_is_refused_with_507(alice: Calls) -> None:
    assert alice("/easemob/rtc/qoe/upload", method="GET")["error"] == -507
    assert alice("/easemob/server.json")["error"] == -507


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes, web: Web) -> None:
    response = requests.post(f"{web.url}/easemob/rtc/req/ticket", data=body, timeout=10)
    assert (response.status_code, response.json()["error"]) == (200, -200)


def test_the_message_is_in_the_callers_language(created: Json, bob: Calls, web: Web) -> None:
    body = {"uid": bob.uid, "token": bob.token, "confrId": created["confrId"], "password": "wrong"}
    answer = requests.post(
        f"{web.url}/easemob/rtc/req/ticket", json=body, headers={"Accept-Language": "zh-CN"}, timeout=10
    )
    assert answer.json() == {"error": -508, "errorMessage": "密码错误；请向邀请人确认。"}


def test_pages_of_any_origin_may_call_without_credentials(web: Web) -> None:
    for path in ("/easemob/rtc/req/ticket", "/acme/live/conferences/room"):
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        preflight = requests.options(f"{web.url}{path}", headers=asked, timeout=10)
        assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")
        answer = requests.post(f"{web.url}{path}", json={}, headers={"Origin": "https://app.example"}, timeout=10)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
    closed = requests.get(f"{web.url}/admin/login/", headers={"Origin": "https://app.example"}, timeout=10)
    assert "Access-Control-Allow-Origin" not in closed.headers


def test_guesses_at_a_password_have_an_end(created: Json, bob: Calls) -> None:
    errors = [bob.ticket(confrId=created["confrId"], password=f"wrong{n}")["error"] for n in range(12)]
    assert set(errors[:10]) == {-508}
    assert errors[-1] == -701
    assert bob.ticket(confrId=created["confrId"], password="pw")["error"] == -701


def test_a_suspended_application_is_708(application: Application, alice: Calls) -> None:
    services.suspend_application(actor=system(), application=application)

    until(lambda: alice.ticket(**CREATE)["error"] == -708)


def test_the_log_does_not_hold_a_members_media_address(created: Json, alice: Calls, web: Web) -> None:
    secret = "1.AAAAAAAAAAAAAAAAAAAAAA"
    alice(f"/easemob/rtc/media/{secret}", op="pubS", rtcId="a")
    lines = [line for line in web.log.read_text().splitlines() if "confr.access" in line]
    assert any('"path":"/easemob/rtc/media/"' in line for line in lines)
    assert not any(secret in line for line in lines)
