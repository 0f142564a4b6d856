"""Nothing crosses between tenants, and roles count: over every operation that there is, by the table of addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

import pytest
from django.utils import timezone

from accounts import services
from accounts.actors import system
from conferences.api.operations import operation_of
from conferences.api.serializers.base import Shape
from conferences.api.urls import urlpatterns
from conferences.models import Recording, Take
from conferences.services import bans, mixes
from conferences.services.moderation import Hold
from tests.api_client import Api, problem, refused, refused_somehow

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Operation:
    """One operation and where it is; `body` is what its documentation shows."""

    id: str
    method: str
    route: str
    body: dict | None
    query: str

    def path(self, **ids):
        return "/" + re.sub(r"<\w+:(\w+)>", lambda found: str(ids[found[1]]), self.route) + self.query


def _operations():
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "view_class", None)
        for method in METHODS:
            contract = operation_of(view, method) if view else None
            if contract:
                body = _example(contract.body) if contract.body else None
                query = "?key=topic" if contract.id == "deleteConferenceAttrs" else ""
                yield Operation(contract.id, method, str(pattern.pattern), body, query)


def _example(shape: type[Shape]):
    return shape.EXAMPLE or {"memName": "bob"}


OPERATIONS = {operation.id: operation for operation in _operations()}
ABOUT_ONESELF = {"exitConference", "pubStream", "subStream"}
ABOUT_A_RECORDING = [row.id for row in OPERATIONS.values() if "recordingId" in row.route]
ABOUT_A_CONFERENCE = [row for row in OPERATIONS.values() if "confrId" in row.route]


def test_every_operation_of_the_product_is_there():
    promised = {
        *("createConference", "getConference", "listConferences", "updateConference", "destroyConference"),
        *("getConferenceTkt", "listTickets", "revokeTicket", "joinRoom", "listMembers", "kickMembersById", "grantRole"),
        *("muteMembers", "muteAll", "banMembers", "unbanMembers", "listBans", "listStreams", "stopStream", "pubStream"),
        *("subStream", "exitConference", "setConferenceAttrs", "deleteConferenceAttrs", "sendBroadcast"),
        *("sendCommand", "listEvents", "createUserToken", "revokeUserToken", "startRecording", "stopRecording"),
        *("pauseRecording", "resumeRecording", "listRecordings", "getRecording", "deleteRecording"),
    }
    assert promised <= OPERATIONS.keys()


@pytest.fixture
def ids(room, media):
    """What exists in the application of the cast."""
    stream = room.publish("alice").stream
    mix = mixes.start_mix(actor=room.backend, confr_id=room.id, layout="grid")
    (ban,) = bans.ban_users(actor=room.backend, names=["zed"], hold=Hold())
    token = services.issue_user_token(actor=system(), application=room.conference.application, user="bob")
    take = Take.objects.create(conference=room.conference, started_at=timezone.now(), ended_at=timezone.now())
    recording = Recording.objects.create(
        application=room.conference.application, conference=room.conference, take=take, kind="merged", state="ready"
    )
    return {
        "recordingId": recording.pk,
        "confrId": room.id,
        "ticketId": str(room.ticket("dave").ticket),
        "streamId": stream.stream_id,
        "mixId": mix.pk,
        "banId": ban.pk,
        "tokenId": token.token.pk,
    }


def test_a_foreign_conference_is_not_there(ids, foreign_backend, foreign):
    token = services.issue_user_token(actor=system(), application=foreign, user="bob")
    for caller in (foreign_backend, Api(token.text)):
        for row in ABOUT_A_CONFERENCE:
            document = refused_somehow(partial(caller, row.method, row.path(**ids), row.body))
            assert document["status"] == 404, (row, document)


@pytest.mark.parametrize("name", ["liftUserBan", "revokeUserToken", *ABOUT_A_RECORDING])
def test_a_foreign_row_is_not_there(name, ids, foreign_backend):
    row = OPERATIONS[name]
    assert refused_somehow(lambda: foreign_backend(row.method, row.path(**ids), row.body))["status"] == 404


def test_a_stranger_does_nothing(ids, stranger):
    for row in OPERATIONS.values():
        refused(partial(stranger, row.method, row.path(**ids), row.body), 401, "not_authenticated")


@pytest.mark.parametrize("name", ["listConferences", "listUserBans", "listApplicationRecordings"])
def test_lists_of_the_application_show_nothing_foreign(name, ids, foreign_backend):
    row = OPERATIONS[name]
    document = foreign_backend(row.method, row.path(**ids)).json()
    assert (document["items"], document["total"]) == ([], 0)


# Roles: what each is answered, by its code ("" is yes). Whoever is not named here is refused with not_allowed.

ADMIN, TALKER, AUDIENCE, OUTSIDER = "alice", "bob", "carol", "charlie"
EVERYBODY = {ADMIN, TALKER, AUDIENCE, OUTSIDER}
INSIDE = {ADMIN, TALKER, AUDIENCE}
MAY = {
    "createConference": EVERYBODY,
    "joinRoom": EVERYBODY,
    "listConferences": set(),
    "getConference": INSIDE,
    "updateConference": {ADMIN},
    "destroyConference": {ADMIN},
    "getConferenceTkt": EVERYBODY,
    "listTickets": {ADMIN},
    "revokeTickets": {ADMIN},
    "revokeTicket": {ADMIN},
    "listMembers": INSIDE,
    "kickMembersById": {ADMIN},
    "grantRole": {ADMIN},
    "muteMembers": {ADMIN},
    "muteAll": {ADMIN},
    "exitConference": INSIDE,
    "banMembers": {ADMIN},
    "listBans": {ADMIN},
    "liftBan": {ADMIN},
    "unbanMembers": {ADMIN},
    "listStreams": INSIDE,
    "pubStream": {ADMIN, TALKER},
    "subStream": INSIDE,
    "getStreamSnapshot": INSIDE,
    "startMix": {ADMIN},
    "listMixes": {ADMIN},
    "getMix": {ADMIN},
    "updateMix": {ADMIN},
    "stopMix": {ADMIN},
    "stopStream": {ADMIN},
    "setConferenceAttrs": INSIDE,
    "deleteConferenceAttrs": INSIDE,
    "sendBroadcast": INSIDE,
    "sendCommand": INSIDE,
    "listEvents": set(),
    "banUsers": set(),
    "listUserBans": set(),
    "liftUserBan": set(),
    "unbanUsers": set(),
    "createUserToken": set(),
    "revokeUserToken": set(),
    "revokeUserTokens": set(),
    "startRecording": {ADMIN},
    "stopRecording": {ADMIN},
    "pauseRecording": {ADMIN},
    "resumeRecording": {ADMIN},
    "listRecordings": {ADMIN},
    "listApplicationRecordings": set(),
    "getRecording": {ADMIN},
    "deleteRecording": {ADMIN},
    "retryRecording": {ADMIN},
    "holdRecording": set(),
}
# A yes that the cast cannot have: the right was there, what is asked for was not.
YES = {"ban_not_found", "member_not_found", "picture_not_ready", "recording_off", "recording_not_failed"}


def test_the_matrix_is_total():
    assert MAY.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_roles_do_what_the_matrix_says(name, ids, as_user):
    row = OPERATIONS[name]
    for who in (OUTSIDER, AUDIENCE, TALKER, ADMIN):  # who may least comes first: an admin's call may end the room
        response = as_user(who)(row.method, row.path(**ids), _body(row))
        if who in MAY[name]:
            assert response.status_code < 300 or response.json()["code"] in YES, response.content
        elif who == OUTSIDER and name in ABOUT_ONESELF:
            problem(response, 404, "member_not_found")
        else:
            problem(response, 403, "not_allowed")


def _body(row):
    """The example, about the caller or about nobody."""
    if row.body is None or row.id in {"createUserToken", "revokeUserTokens"}:
        return row.body
    body = {key: value for key, value in row.body.items() if key not in {"memName", "creator", "name"}}
    return body | ({"memNames": ["zed"]} if "memNames" in body else {})
