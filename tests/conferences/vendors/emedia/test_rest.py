"""Easemob's REST for backends: tokens, users, conferences, recordings, with true status codes."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.actors import system
from accounts.authentication import forget
from accounts.models import Application, User, UserPassword, UserToken
from conferences.media.fake import FakeMediaServer
from conferences.models import Ban, CloseReason, Conference, Member, Recording, Role, Stream, Take
from tests.api_client import key_of
from tests.database import all_rows
from tests.emedia_client import Json
from tests.factories import Room, until


class Backend:
    """Calls at `/{org}/{app}` with one credential."""

    def __init__(self, application: Application, credential: str | None = None) -> None:
        self.application, self.credential = application, credential
        self.client = Client()

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"/{self.application.org}/{self.application.app}{path}"
        raw = b"" if body is None else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {self.credential}"} if self.credential else {}
        response = self.client.generic(method, url, raw, content_type="application/json", headers=headers)
        return response.status_code, orjson.loads(response.content) if response.content else None

    def token(self, **body: Any) -> tuple[int, Any]:
        return self("POST", "/token", body)

    def client_credentials(self) -> Json:
        secret = {"client_id": self.application.client_id, "client_secret": self.application.client_secret}
        status, answer = self.token(grant_type="client_credentials", **secret)
        assert status == 200, answer
        found: Json = answer
        return found


@pytest.fixture
def anybody(application: Application) -> Backend:
    return Backend(application)


@pytest.fixture
def backend(application: Application, anybody: Backend) -> Backend:
    return Backend(application, anybody.client_credentials()["access_token"])


# Tokens and users


def test_the_client_secret_is_worth_a_token_that_acts_for_the_application(
    anybody: Backend, application: Application
) -> None:
    answer = anybody.client_credentials()
    assert (answer["expires_in"], answer["application"]) == (86_400, str(application.app_id))
    status, made = Backend(application, answer["access_token"])("POST", "/conferences", {"password": "pw"})
    assert (status, made["error"]) == (200, 0)


def test_an_app_key_may_be_written_with_capitals(anybody: Backend, application: Application) -> None:
    given = {"client_id": application.client_id, "client_secret": application.client_secret}
    body = {"grant_type": "client_credentials", **given}
    address = f"/{application.org.upper()}/{application.app.title()}/token"
    assert anybody.client.post(address, body, content_type="application/json").status_code == 200


@pytest.mark.parametrize("change", [{"client_secret": "x"}, {"client_id": "x"}])
def test_another_secret_is_worth_nothing(change: Json, anybody: Backend, application: Application) -> None:
    given = {"client_id": application.client_id, "client_secret": application.client_secret} | change
    status, answer = anybody.token(grant_type="client_credentials", **given)
    assert (status, answer["error"], answer["exception"]) == (401, -100, "credentials_invalid")


def test_a_new_client_secret_makes_the_tokens_of_the_old_one_worthless(
    backend: Backend, application: Application
) -> None:
    assert backend("GET", "/audio/NONE")[0] == 404
    services.rotate_client_secret(actor=system(), application=application)
    forget()
    assert backend("GET", "/audio/NONE")[0] == 401


def test_a_token_is_of_one_application(foreign: Application, backend: Backend) -> None:
    status, answer = Backend(foreign, backend.credential)("POST", "/conferences", {})
    assert (status, answer["error"]) == (404, -706)
    assert not Conference.objects.exists()


@pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: t + "A", lambda t: "at_" + "A" * 43, lambda t: "at_"])
def test_a_forged_token_is_refused(spoil: Any, backend: Backend, application: Application) -> None:
    assert Backend(application, spoil(backend.credential))("POST", "/conferences", {})[0] == 401


def test_a_token_ends(backend: Backend, clock: Any) -> None:
    clock.shift(86_401)
    assert backend("POST", "/conferences", {})[0] == 401


def test_a_registered_user_signs_in_with_its_password(backend: Backend, anybody: Backend) -> None:
    status, answer = backend("POST", "/users", {"username": "bob", "password": "secret"})
    assert (status, answer["entities"]) == (200, [{"type": "user", "username": "bob", "activated": True}])
    status, answer = anybody.token(grant_type="password", username="bob", password="secret")
    assert (status, answer["user"]["username"]) == (200, "bob")
    token = UserToken.objects.get()
    assert (token.user.name, answer["access_token"][:3]) == ("bob", "ut_")
    assert "secret" not in UserPassword.objects.get().digest
    ticket = {"uid": "bob", "token": answer["access_token"], "confrType": 10}
    made = Client().post("/easemob/rtc/req/ticket", orjson.dumps(ticket), content_type="application/json")
    assert made.json()["error"] == 0


@pytest.mark.parametrize(
    ("username", "password"), [("bob", "wrong"), ("nobody", "secret"), ("alice", "secret"), ("alice", "")]
)
def test_another_password_is_refused(username: str, password: str, backend: Backend, anybody: Backend) -> None:
    """alice has no password: a backend vouches for her."""
    backend("POST", "/users", {"username": "bob", "password": "secret"})
    User.objects.named(backend.application.pk, ["alice"])
    before = all_rows()
    status, answer = anybody.token(grant_type="password", username=username, password=password)
    assert (status, answer["error"]) in {(401, -100), (400, -200)}
    assert all_rows() == before


def test_guesses_have_an_end(backend: Backend, anybody: Backend) -> None:
    backend("POST", "/users", {"username": "bob", "password": "secret"})

    def status(password: str) -> int:
        return anybody.token(grant_type="password", username="bob", password=password)[0]

    # On a slow machine one comes back between the two.
    until(lambda: status("wrong") == status("secret") == 429, 60)


def test_users_are_registered_by_the_backend_only_and_once(backend: Backend, anybody: Backend) -> None:
    bob = {"username": "bob", "password": "secret"}
    assert anybody("POST", "/users", bob)[0] == 401
    assert not User.objects.exists()
    status, answer = backend("POST", "/users", [bob, {"username": "acme#live_carol", "password": "secret"}])
    assert (status, [user["username"] for user in answer["entities"]]) == (200, ["bob", "carol"])
    status, answer = backend("POST", "/users", {"username": "bob", "password": "other"})
    assert (status, answer["exception"]) == (409, "user_name_taken")


def test_a_user_whom_a_token_was_minted_for_may_be_registered(backend: Backend, robot: Any) -> None:
    services.issue_user_token(actor=robot, application=backend.application, user="bob")
    assert backend("POST", "/users", {"username": "bob", "password": "secret"})[0] == 200
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "user", [{"username": "bob"}, {"password": "x"}, {"username": "a#b", "password": "x"}, {"username": 5}, "bob"]
)
def test_who_cannot_be_registered_is_not(user: Any, backend: Backend) -> None:
    assert backend("POST", "/users", user)[0] == 400
    assert not User.objects.exists()


@pytest.mark.parametrize("body", [{}, {"grant_type": "implicit"}, {"grant_type": "password", "username": "bob"}])
def test_another_grant_is_refused(body: Json, anybody: Backend) -> None:
    status, answer = anybody.token(**body)
    assert (status, answer["error"]) == (400, -200)


def test_an_application_that_is_suspended_gets_no_token(anybody: Backend, application: Application) -> None:
    services.suspend_application(actor=system(), application=application)
    secret = {"client_id": application.client_id, "client_secret": application.client_secret}
    status, answer = anybody.token(grant_type="client_credentials", **secret)
    assert (status, answer["error"]) == (403, -708)


# Conferences


def test_a_conference_is_created_as_documented(backend: Backend) -> None:
    wish = {
        "confrType": 10, "password": "password123", "confrDelayMillis": 360000, "memDefaultRole": 1,
        "allowAudienceTalk": True, "creator": "alice", "rec": False, "recMerge": False,
        "supportWechatMiniProgram": True, "useVCodes": ["H264", "VP8"], "maxTalkerCount": 6, "maxVideoCount": 6,
        "maxAudienceCount": 600, "confrId": "",
    }  # fmt: skip
    status, made = backend("POST", "/conferences", wish)
    conference = Conference.objects.get()
    assert (status, made.pop("expireDate")[:2]) == (200, "20")
    assert made == {
        "error": 0, "id": conference.confr_id, "type": 10, "mixed": False, "password": "password123",
        "audienceLimit": 600, "talkerLimit": 6, "allowAudienceTalk": True,
    }  # fmt: skip
    assert (conference.creator and conference.creator.name, conference.default_role) == ("alice", Role.AUDIENCE)
    assert conference.delay_seconds == 360


def test_a_password_is_generated_and_told_once(backend: Backend) -> None:
    _, made = backend("POST", "/conferences", {})
    assert len(made["password"]) >= 8
    assert "password" not in backend("GET", f"/conferences/{made['id']}")[1]


def test_a_conference_is_shown_with_who_is_inside(backend: Backend, room: Room) -> None:
    status, shown = backend("GET", f"/conferences/{room.id}")
    assert (status, shown["id"], shown["talkerLimit"]) == (200, room.id, 9)
    assert shown["mems"] == [
        {"memberId": f"{room.id}M{number}", "memName": f"acme#live_{name}", "role": role}
        for number, name, role in ((1, "alice", 7), (2, "bob", 3), (3, "carol", 1))
    ]


def test_a_conference_is_ended(backend: Backend, room: Room) -> None:
    assert backend("DELETE", f"/conferences/{room.id}") == (200, {"error": 0})
    assert room.row.close_reason == CloseReason.DESTROYED
    status, answer = backend("DELETE", f"/conferences/{room.id}")
    assert (status, answer["error"]) == (410, -506)


@pytest.mark.parametrize("form", ["bob", "acme%23live_bob", "acme%23live_bob%40easemob.com"])
def test_a_member_is_kicked_by_its_name(form: str, backend: Backend, room: Room) -> None:
    assert backend("DELETE", f"/conferences/{room.id}/{form}") == (200, {"error": 0})
    assert room.member("bob").state == Member.State.EXITED


def test_who_is_not_inside_is_kept_out_all_the_same(backend: Backend, room: Room) -> None:
    assert backend("DELETE", f"/conferences/{room.id}/charlie") == (200, {"error": 0})
    assert Ban.objects.get().user == User.objects.get(name="charlie")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/bob")])
def test_a_conference_that_is_not_there_is_404(method: str, path: str, backend: Backend) -> None:
    status, answer = backend(method, f"/conferences/NONE{path}")
    assert (status, answer["error"], answer["exception"]) == (404, -301, "conference_not_found")
    assert answer["errorMessage"] == answer["error_description"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET"])
def test_a_method_that_there_is_not_is_405(method: str, backend: Backend) -> None:
    assert backend(method, "/conferences")[0] == 405


def test_without_a_token_nothing_is_done(anybody: Backend, room: Room) -> None:
    before = all_rows()
    calls = [
        ("POST", "/conferences"),
        ("GET", f"/conferences/{room.id}"),
        ("DELETE", f"/conferences/{room.id}"),
        ("DELETE", f"/conferences/{room.id}/bob"),
        ("GET", f"/audio/{room.id}"),
    ]
    assert [anybody(method, path, {})[0] for method, path in calls] == [401] * 5
    assert all_rows() == before


def test_a_key_may_do_what_its_scopes_say(application: Application, room: Room) -> None:
    reader = Backend(application, key_of(application, "read"))
    assert reader("GET", f"/conferences/{room.id}")[0] == 200
    status, answer = reader("DELETE", f"/conferences/{room.id}")
    assert (status, answer["error"]) == (403, -101)


def test_an_application_that_is_none_is_404(committed: None) -> None:
    response = Client().post("/nobody/live/token", b"{}", content_type="application/json")
    assert (response.status_code, response.json()["error"]) == (404, -706)


# Recordings


@pytest.fixture
def recorded(room: Room, media: FakeMediaServer) -> list[Recording]:
    """Bob's camera, alice's screen, both merged, and one that is not ready."""
    take = Take.objects.create(conference=room.conference, started_at=timezone.now())
    streams: list[Stream | None] = [room.publish("bob").stream, room.publish("alice", "screen", "desktop").stream, None]
    made = [
        Recording(
            application=room.conference.application,
            conference=room.conference,
            take=take,
            kind="stream" if stream else "merged",
            stream=stream,
            member=stream.member if stream else None,
            state="ready",
            started_at=timezone.now(),
        )
        for stream in streams
    ]
    unfinished = Recording(
        application=room.conference.application,
        conference=room.conference,
        take=take,
        stream=room.publish("bob", "other", "audio").stream,
    )
    return Recording.objects.bulk_create([*made, unfinished])


WINDOW = "20200101000000/20990101000000"


@pytest.mark.parametrize(
    ("path", "which"),
    [
        ("/audio/{id}", [0, 1, 2]),
        ("/audio/bob/{id}", [0]),
        ("/audio/acme%23live_alice/{id}", [1]),
        (f"/audio/{WINDOW}/0/100", [0, 1]),
        (f"/audio/{WINDOW}/0/1", [0]),
        (f"/audio/{WINDOW}/{{first}}/100", [1]),
        (f"/audio/merge/{WINDOW}/0/100", [2]),
        ("/audio/20200101000000/20200201000000/0/100", []),
    ],
)
def test_recorded_files_are_found(
    path: str, which: list[int], backend: Backend, room: Room, recorded: list[Recording]
) -> None:
    status, found = backend("GET", path.format(id=room.id, first=recorded[0].pk))
    assert (status, [record["id"] for record in found]) == (200, [str(recorded[index].pk) for index in which])


def test_a_record_has_the_vendors_fields(backend: Backend, room: Room, recorded: list[Recording]) -> None:
    camera, screen, merged = backend("GET", f"/audio/{room.id}")[1]
    assert {
        name: camera[name] for name in ("owner", "confrId", "confrType", "memberId", "userName", "pubStreamId")
    } == {
        "owner": "acme#live",
        "confrId": room.id,
        "confrType": 10,
        "memberId": f"{room.id}M2",
        "userName": "bob",
        "pubStreamId": "camera__Of_M2",
    }
    assert [record["recordType"] for record in (camera, screen, merged)] == [
        "ONLY_REC_ONE_AV",
        "ONLY_REC_ONE_DESKTOP",
        "MERGE_ALL",
    ]
    assert camera["memberName"] == "acme#live_bob"
    assert re.fullmatch(r"\d{14}", camera["recordTime"])
    assert camera["url"].endswith(".mp4")
    assert (merged["memberId"], merged["userName"], merged["expireTime"]) == ("", "", "")


@pytest.mark.parametrize(
    "path",
    [f"/audio/{WINDOW}/0/101", f"/audio/{WINDOW}/0/0", f"/audio/{WINDOW}/x/1", "/audio/2020/20200201000000/0/100"],
)
def test_a_question_that_makes_no_sense_is_refused(path: str, backend: Backend) -> None:
    status, answer = backend("GET", path)
    assert (status, answer["error"]) == (400, -200)


def test_recordings_of_a_conference_that_is_not_there_are_404(backend: Backend) -> None:
    assert backend("GET", "/audio/NONE")[0] == 404
    assert backend("GET", "/audio/bob/NONE")[0] == 404


def test_recordings_of_another_tenant_are_not_there(
    foreign: Application, room: Room, recorded: list[Recording]
) -> None:
    backend = Backend(foreign, key_of(foreign))
    assert backend("GET", f"/audio/{room.id}")[0] == 404
    assert backend("GET", f"/audio/{WINDOW}/0/100") == (200, [])


# Both halves together


def test_a_backend_of_a_third_party_has_its_whole_way(backend: Backend, anybody: Backend) -> None:
    """Token, user, room, ticket, role, end: what other people's clients of the vendor's servers do."""

    def rtc(path: str, **body: Any) -> Json:
        answer = Client().post(f"/easemob/rtc/{path}", orjson.dumps(body), content_type="application/json")
        found: Json = answer.json()
        return found

    for name in ("alice", "bob"):
        assert backend("POST", "/users", {"username": name, "password": "secret"})[0] == 200
    token = anybody.token(grant_type="password", username="alice", password="secret")[1]["access_token"]
    who = {"memName": "acme#live_alice", "token": token}
    status, room = backend("POST", "/conferences/room", {"roomName": "daily", "password": "pw", **who})
    assert (status, room["error"], room["isCreator"]) == (200, 0, True)
    wish = {"uid": "acme#live_alice", "token": token, "confrId": room["confrId"], "password": "pw"}
    ticket = rtc("req/ticket", **wish)
    assert (ticket["error"], ticket["role"], ticket["data"]["roleToken"]) == (0, 7, ticket["roleToken"])
    members = Room(system(), Conference.objects.get())
    members.enter("bob")
    assert rtc("chanage/roles", uids=["bob"], role="1", roleToken=ticket["roleToken"]) == {"error": 0}
    assert members.member("bob").role == Role.AUDIENCE
    assert rtc("disband/conference", roleToken=ticket["roleToken"]) == {"error": 0}
    assert members.row.state == Conference.State.CLOSED
