"""The console's and the wall's addresses: what each role gets, what its acts do, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from accounts.models import Staff
from conferences.dashboard.acts import ACTS
from conferences.media.fake import FakeMediaServer
from conferences.models import Ban, Conference, Event, Member, Role, Stream, Watch
from conferences.services.conferences import destroy_conference
from conferences.services.members import enter
from conferences.services.roles import request_role
from tests import factories
from tests.conferences.dashboard.staff import sign_in, url
from tests.database import all_rows
from tests.factories import Room

ROLES = ["auditor", "moderator", "operator", "owner"]
# Each act with a body that does something, and the roles whose it is.
MODERATORS, OPERATORS = {"moderator", "operator", "owner"}, {"operator", "owner"}
BODIES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "kick": ({"names": ["bob"]}, MODERATORS),
    "ban": ({"names": ["bob"], "seconds": 3600}, MODERATORS),
    "ban_network": ({"network": "203.0.113.0/24"}, MODERATORS),
    "unban": ({"names": ["bob"]}, MODERATORS),
    "mute": ({"names": ["bob"], "kinds": ["audio"], "muted": True}, MODERATORS),
    "mute_all": ({"kinds": ["audio"], "muted": True, "newcomers": True}, MODERATORS),
    "role": ({"names": ["carol"], "role": 3}, MODERATORS),
    "answer": ({"name": "carol", "member": 3, "role": 3, "granted": True}, MODERATORS),
    "stop_stream": ({"stream": "camera__Of_M2"}, MODERATORS),
    "lock": ({"locked": True}, OPERATORS),
    "record": ({"recorded": True}, OPERATORS),
    "announce": ({"content": "hello"}, MODERATORS),
    "send": ({"names": ["bob"], "content": "hello"}, MODERATORS),
    "invite": ({"name": "dora", "role": 3, "seconds": 600}, OPERATORS),
    "end": ({}, OPERATORS),
}


def post(client: Client, name: str, application, room, body: object, **more: str):
    address = url(name, application, confr_id=room.id, **more)
    return client.post(
        address, json.dumps(body), content_type="application/json", headers={"accept": "application/json"}
    )


def act(client: Client, application, room, name: str, body: object):
    return post(client, "act", application, room, body, act=name)


def done(client: Client, application, room, name: str, /, **body: Any) -> dict[str, Any]:
    """The answer of an act that was not refused."""
    response = act(client, application, room, name, body)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def last(room, kind: str) -> Event:
    return Event.objects.filter(conference=room.conference, type=kind).latest("seq")


@pytest.fixture
def stream(room: Room, media: FakeMediaServer) -> Stream:
    return room.publish("bob").stream


# Who may


@pytest.mark.parametrize("role", ROLES)
def test_every_act_is_offered_and_done_or_neither(room, stream, application, role):
    assert set(BODIES) == set(ACTS)
    client = sign_in(application, role)
    page = client.get(url("room", application, confr_id=room.id)).content.decode()
    before = all_rows()
    for name, (body, roles) in BODIES.items():
        if role in roles:
            continue
        response = act(client, application, room, name, body)
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed"), name
        assert f'data-act="{name}"' not in page, name
    assert all_rows() == before
    offered = [name for name, (_, roles) in BODIES.items() if role in roles and f'ask-{name}"' in page]
    assert bool(offered) is (role != "auditor")
    assert ('data-do="watch"' in page) is (role != "auditor")


def test_whatever_is_another_tenants_is_not_there(room, stream, application, foreign):
    client = sign_in(foreign, "owner")
    before = all_rows()
    for whose in (foreign, application):
        assert client.get(url("room", whose, confr_id=room.id)).status_code == 404
        assert client.get(url("measures", whose, confr_id=room.id)).status_code == 404
        assert post(client, "watch", whose, room, {"stream": stream.stream_id}).status_code == 404
        for name, (body, _) in BODIES.items():
            assert act(client, whose, room, name, body).status_code == 404, name
    assert client.get(url("wall_tiles", application)).status_code == 404
    assert client.get(url("wall_tiles", foreign)).json()["tiles"] == []
    assert all_rows() == before


def test_who_is_not_signed_in_sees_and_does_nothing(room, application):
    before = all_rows()
    assert Client().get(url("room", application, confr_id=room.id)).status_code == 302
    assert act(Client(), application, room, "end", {}).status_code == 401
    assert all_rows() == before


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("kick", {"names": []}),
        ("kick", {"names": "bob"}),
        ("kick", {"names": [""]}),
        ("kick", {"names": [7]}),
        ("kick", {"names": ["bob"], "reason": "x" * 201}),
        ("kick", {"names": ["x"] * 501}),
        ("mute", {"names": ["bob"], "kinds": ["smell"], "muted": True}),
        ("mute", {"names": ["bob"], "kinds": [], "muted": True}),
        ("role", {"names": ["bob"], "role": 9}),
        ("ban", {"names": ["bob"], "seconds": -1}),
        ("ban_network", {"network": "everywhere"}),
        ("invite", {"name": "dora", "role": 3, "seconds": 1}),
        ("announce", {"content": ""}),
        ("dance", {}),
        ("end", ["not", "an", "object"]),
    ],
)
def test_a_malformed_act_is_refused_and_changes_nothing(room, application, name, body):
    client = sign_in(application, "owner")
    before = all_rows()
    response = act(client, application, room, name, body)
    assert (response.status_code, response.json()["code"]) == (400, "bad_parameters")
    assert all_rows() == before


def test_an_act_is_posted_with_the_pages_token(room, application):
    client = sign_in(application, "owner")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert act(strict, application, room, "end", {}).status_code == 403
    assert room.row.state == Conference.State.LIVE


# What acts do: the services' own tests say it in full; here that the right one is called, with what was asked


def test_kick_and_ban_with_reason_and_expiry(room, stream, application):
    client = sign_in(application, "moderator")
    answer = done(client, application, room, "kick", names=["bob", "nobody"], reason="spam", allow_rejoin=True)
    assert answer == {"inside": {"bob": True, "nobody": False}}
    exited = last(room, "member.exited")
    assert (exited.actor_kind, exited.personal["reason"], exited.data["reason"]) == ("staff", "spam", 12)
    assert not Ban.objects.exists()

    done(client, application, room, "ban", names=["carol"], seconds=60, reason="r", note="n")
    ban = Ban.objects.get()
    assert (ban.conference, factories.some(ban.user).name, ban.reason, ban.note) == (room.conference, "carol", "r", "n")
    assert ban.expires_at is not None
    assert done(client, application, room, "unban", names=["carol"]) == {"lifted": 1}


def test_a_ban_from_everywhere_and_of_an_address(room, application):
    client = sign_in(application, "moderator")
    room.enter("dora", address="203.0.113.7")
    done(client, application, room, "ban_network", network="203.0.113.7", everywhere=True)
    factories.until(lambda: room.member("dora").state == Member.State.EXITED)
    done(client, application, room, "ban", names=["bob"], everywhere=True)
    factories.until(lambda: room.member("bob").state == Member.State.EXITED)
    assert set(Ban.objects.values_list("conference", flat=True)) == {None}
    assert done(client, application, room, "unban", names=["bob"], everywhere=True) == {"lifted": 1}
    done(client, application, room, "ban_network", network="198.51.100.0/24")
    assert Ban.objects.latest("pk").conference == room.conference


def test_mutes_roles_and_raised_hands(room, application):
    client = sign_in(application, "moderator")
    answer = done(client, application, room, "mute", names=["bob"], kinds=["audio"], muted=True, reason="noise")
    assert answer == {"inside": {"bob": True}}
    assert (room.member("bob").muted, last(room, "member.muted").personal["reason"]) == (["audio"], "noise")
    done(client, application, room, "mute", names=["bob"], kinds=["audio"], muted=False)
    assert room.member("bob").muted == []

    wishes = {"kinds": ["video"], "muted": True, "except_names": ["bob"], "newcomers": False}
    assert done(client, application, room, "mute_all", **wishes) == {"changed": 1}
    assert (room.member("carol").muted, room.member("bob").muted, room.row.mute_newcomers) == (["video"], [], [])

    request_role(actor=room.actor("carol"), confr_id=room.id, role=Role.TALKER, ref="hand-1")
    done(client, application, room, "answer", name="carol", member=3, role=3, granted=True, ref="hand-1")
    answered = last(room, "role.answered")
    assert (room.member("carol").role, answered.data["granted"], answered.data["ref"]) == (3, True, "hand-1")
    done(client, application, room, "role", names=["carol"], role=1)
    assert room.member("carol").role == 1


def test_a_hand_that_finds_no_seat_is_not_granted(new_room, application):
    room = new_room(11, limits={"talkers": 1})
    room.enter("alice", Role.ADMIN)
    room.enter("carol", Role.AUDIENCE)
    client = sign_in(application, "moderator")
    before = all_rows()
    response = act(client, application, room, "answer", {"name": "carol", "member": 2, "role": 3, "granted": True})
    assert (response.status_code, response.json()["code"]) == (409, "talkers_full")
    assert all_rows() == before


def test_streams_messages_lock_recording_and_the_end(room, stream, application):
    client = sign_in(application, "operator")
    done(client, application, room, "stop_stream", stream=stream.stream_id, reason="enough")
    assert last(room, "stream.removed").personal["reason"] == "enough"
    said = done(client, application, room, "announce", content="In five minutes we close.")
    assert last(room, "message.broadcast").seq == said["seq"]
    assert done(client, application, room, "send", names=["bob"], content="psst") == {"inside": {"bob": True}}
    done(client, application, room, "lock", locked=True)
    done(client, application, room, "record", recorded=True)
    assert (room.row.locked, room.row.rec) == (True, True)
    done(client, application, room, "record", recorded=False)
    assert room.row.rec is False
    done(client, application, room, "end", reason="over")
    assert last(room, "conference.closed").personal["reason"] == "over"
    response = act(client, application, room, "lock", {"locked": False})
    assert (response.status_code, response.json()["code"]) == (410, "conference_closed")


def test_the_end_asks_for_the_second_factor_again(room, application):
    client = sign_in(application, "operator")
    Authenticator.objects.create(user=Staff.objects.latest("pk"), type=Authenticator.Type.TOTP, data={"secret": ""})
    response = act(client, application, room, "end", {})
    assert (response.status_code, response.json()["code"]) == (403, "second_factor_needed")
    assert room.row.state == Conference.State.LIVE
    done(client, application, room, "lock", locked=True)


def test_an_invitation_lets_its_user_in(room, application):
    client = sign_in(application, "operator")
    answer = done(client, application, room, "invite", name="dora", role=1, seconds=600)
    page, _, fragment = answer["link"].partition("#")
    assert page.endswith(reverse("dashboard:join"))
    assert base64.b64decode(answer["qr"].partition(",")[2]).startswith(b"<?xml")
    given = parse_qs(fragment)
    assert given["confrId"] == [room.id]
    member = enter(ticket_text=given["ticket"][0], entrance=factories.entrance()).member
    assert (member.user.name, member.role) == ("dora", 1)
    assert Client().get(reverse("dashboard:join")).status_code == 200


# Pages


def test_a_room_that_is_over_says_so(room, application):
    destroy_conference(actor=room.backend, confr_id=room.id)
    page = sign_in(application, "auditor").get(url("room", application, confr_id=room.id))
    assert page.status_code == 200
    assert "This room is over" in page.content.decode()
    assert "data-room" not in page.content.decode()


def test_measures_are_what_the_reconciler_noted(room, stream, application):
    Stream.objects.filter(pk=stream.pk).update(bitrate=640_000, width=360, height=640)
    answer = sign_in(application, "auditor").get(url("measures", application, confr_id=room.id)).json()
    assert answer == {"camera__Of_M2": {"bitrate": 640_000, "width": 360, "height": 640, "at": None, "disobeys": []}}


def test_watching_gives_addresses_a_browser_can_play(room, stream, application):
    client = sign_in(application, "moderator")
    answer = post(client, "watch", application, room, {"stream": stream.stream_id}).json()
    assert answer
    assert "rtmp" not in answer
    watch = Watch.objects.get()
    assert (watch.stream, watch.session_key) == (stream, client.session.session_key)
    assert last(room, "stream.watched").actor_id == str(watch.staff_id)
    refused = post(sign_in(application, "auditor"), "watch", application, room, {"stream": stream.stream_id})
    assert (refused.status_code, Watch.objects.count()) == (403, 1)
    assert post(client, "watch", application, room, {"stream": "none"}).status_code == 404


def test_the_wall_shows_the_streams_of_the_scope_page_by_page(room, new_room, media, application, foreign, monkeypatch):
    monkeypatch.setattr("conferences.dashboard.views.wall.TILES", 2)
    other = factories.room(factories.backend(foreign))
    other.enter("alice", Role.ADMIN)
    foreign_stream = other.publish("alice").stream
    streams = [room.publish("alice").stream, room.publish("bob").stream, room.publish("bob", "mic", "audio").stream]
    client = sign_in(application, "moderator")

    first = client.get(url("wall_tiles", application)).json()
    assert ([tile["pk"] for tile in first["tiles"]], first["total"]) == ([each.pk for each in streams[:2]], 3)
    rest = client.get(url("wall_tiles", application), {"after": first["next"]}).json()
    assert ([tile["pk"] for tile in rest["tiles"]], rest["next"]) == ([streams[2].pk], None)
    assert "mute" in rest["tiles"][0]["may"]

    def shown(**filters: str) -> list[int]:
        return [tile["pk"] for tile in client.get(url("wall_tiles", application), filters).json()["tiles"]]

    assert shown(kind="audio") == [streams[2].pk]
    assert shown(kind="video") == [each.pk for each in streams[:2]]
    assert (shown(text="ALI"), shown(text="nobody"), shown(kind="desktop")) == ([streams[0].pk], [], [])
    assert shown(text=room.id.lower()) == [each.pk for each in streams[:2]]
    both = sign_in(application, "auditor", foreign, "moderator")
    found = {tile["pk"]: tile["may"] for tile in both.get(url("wall_tiles")).json()["tiles"]}
    assert "mute" in found[foreign_stream.pk]
    assert found[streams[0].pk] == []
    assert client.get(url("wall", application)).status_code == 200
