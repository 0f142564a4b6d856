"""Facts: how they are born, numbered, chained, told, and what anybody sees of them."""

from __future__ import annotations

import threading

import pytest
from django.db import connections, transaction
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from accounts.actors import Actor, ActorKind, system
from accounts.errors import Busy
from conferences import delivery
from conferences.errors import ConferenceNotFound, TicketInvalid
from conferences.events import (
    CATALOGUE,
    Audience,
    Viewer,
    changing,
    changing_at_the_door,
    changing_id,
    neutral,
    staff_viewer,
    view,
)
from conferences.models import Conference, Event, Role
from conferences.services.audit import verify_conference
from conferences.services.members import leave
from conferences.services.messages import broadcast
from conferences.services.moderation import Hold, kick_members
from tests.factories import some

AUDIT = {"actor", "address", "reason", "request_id", "actor_kind", "actor_id", "before", "after"}


def fact(name, /, seq=1, personal=None, **data):
    return {"seq": seq, "type": name, "at": 0, "data": data, "personal": personal or {}}


# Numbers and chain


def test_facts_are_numbered_without_gaps_and_chained(room, media):
    room.publish("bob")
    kick_members(actor=room.backend, confr_id=room.id, names=["bob"])
    assert [event.seq for event in room.events()] == list(range(1, room.row.last_seq + 1))
    assert list(verify_conference(room.row)) == []


def test_a_refused_command_uses_no_number(room):
    def fail():
        with changing(room.backend, room.id) as change:
            change.record("member.lost", system(), data={"member": 1})
            change.conference.talkers = 99
            raise RuntimeError

    before = room.row
    with pytest.raises(RuntimeError):
        fail()
    after = room.row
    assert (after.last_seq, after.chain_head, after.talkers) == (before.last_seq, before.chain_head, before.talkers)


def test_a_command_that_changes_nothing_writes_nothing(room, published):
    published.facts()
    with changing(room.backend, room.id):
        pass
    assert published.facts() == []


def test_thousands_of_facts_at_once_are_one_commit(room, published):
    published.facts()
    with changing(room.backend, room.id) as change:
        for number in range(2500):
            change.record("member.lost", system(), data={"member": number})
    assert list(verify_conference(room.row)) == []
    assert [fact["data"]["member"] for fact in published.facts()] == list(range(2500))


def test_a_mutable_column_that_is_changed_in_place_is_written(room):
    with changing(room.backend, room.id) as change:
        change.conference.attributes["a"] = "b"
        change.conference.mute_newcomers.append("audio")
    assert (room.row.attributes, room.row.mute_newcomers) == ({"a": "b"}, ["audio"])


def test_only_what_the_catalogue_knows_is_a_fact(room):
    with pytest.raises(KeyError), changing(room.backend, room.id) as change:
        change.record("member.teleported", system())


def test_an_event_row_cannot_be_changed_or_deleted(room):
    event = room.events()[0]
    for change in (
        lambda: Event.objects.filter(pk=event.pk).update(type="member.lost"),
        lambda: Event.objects.filter(pk=event.pk).delete(),
        lambda: Conference.objects.filter(pk=room.conference.pk).delete(),
    ):
        with pytest.raises(Exception, match="append only"), transaction.atomic():
            change()
    assert list(verify_conference(room.row)) == []


# The lock


def test_another_tenants_or_no_conference_is_not_found(room, foreign_robot):
    for actor, confr_id in ((foreign_robot, room.id), (room.backend, "NONE"), (room.backend, "")):
        with pytest.raises(ConferenceNotFound), changing(actor, confr_id):
            pass
    with pytest.raises(ConferenceNotFound), changing_id(0):
        pass
    with pytest.raises(TicketInvalid), changing_at_the_door(room.conference.pk, {0: None}):
        pass


def test_confr_itself_and_unbound_staff_may_lock_any(room):
    for actor in (system(), Actor(ActorKind.STAFF, None, "1")):
        with changing(actor, room.id) as change:
            assert change.conference.pk == room.conference.pk


def test_who_waits_two_seconds_for_the_lock_is_told_to_come_back(room):
    held, release = threading.Event(), threading.Event()

    def hold():
        with changing_id(room.conference.pk):
            held.set()
            release.wait(10)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    try:
        with pytest.raises(Busy) as info:
            broadcast(actor=room.backend, confr_id=room.id, content="x")
        assert info.value.retry_after == 1
    finally:
        release.set()
        thread.join()
    broadcast(actor=room.backend, confr_id=room.id, content="x")


def test_commands_inside_one_transaction_share_the_lock(room):
    with transaction.atomic(), changing_id(room.conference.pk) as change:
        change.record("member.lost", system(), data={"member": 1})
    broadcast(actor=room.backend, confr_id=room.id, content="x")
    assert list(verify_conference(room.row)) == []


# Telling


def test_nothing_is_told_before_the_commit_nor_without_one(room, published):
    published.facts()
    with transaction.atomic():
        broadcast(actor=room.backend, confr_id=room.id, content="x")
        assert published.facts() == []
    assert published.types() == ["message.broadcast"]
    with transaction.atomic():
        broadcast(actor=room.backend, confr_id=room.id, content="x")
        transaction.set_rollback(True)
    assert published.facts() == []


def test_what_is_told_is_what_the_table_says(room, published):
    published.facts()
    room.enter("dora", nick_name="D")
    leave(actor=room.actor("dora"), confr_id=room.id, user_id=room.member("dora").user_id)
    told = published.facts()
    assert told == [neutral(event) for event in room.events()[-len(told) :]]


def test_without_redis_a_command_succeeds_all_the_same(room, monkeypatch):
    away = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(delivery, "client", lambda: away)
    before = room.row.last_seq
    broadcast(actor=room.backend, confr_id=room.id, content="x")
    assert room.row.last_seq == before + 1


def test_a_note_has_no_number_and_no_row(room, published):
    published.facts()
    before = room.row.last_seq
    delivery.notify(room.conference.pk, {"type": "counts", "data": {}})
    assert published.facts() == [{"seq": 0, "type": "counts", "data": {}}]
    assert room.row.last_seq == before


# What anybody sees


def test_audit_fields_leave_by_no_way(room, media):
    room.publish("bob")
    kick_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold(reason="the-reason"))
    for event in room.events():
        told = neutral(event)
        assert set(told) == {"seq", "type", "at", "data", "personal", "audit"}
        for number in range(1, 5):
            for role in Role:
                seen = view(told, Viewer(number, role))
                if seen is None:
                    continue
                assert "192.0.2.1" not in str(seen)
                assert "the-reason" not in str(seen)
                assert not (seen.data.keys() & AUDIT) - {"reason"}
                assert seen.data.keys() <= CATALOGUE[event.type].public
                assert seen.audit is None


def test_the_staff_sees_every_fact_whole(live_room, media):
    live_room.publish("bob")
    kick_members(actor=live_room.backend, confr_id=live_room.id, names=["bob"], hold=Hold(reason="the-reason"))
    seen = [some(view(neutral(event), staff_viewer())) for event in live_room.events()]
    assert [each.type for each in seen] == live_room.types()
    exited = next(each for each in seen if each.type == "member.exited")
    assert exited.audit is not None
    assert exited.data["reason"] == 12
    assert exited.audit["reason"] == "the-reason"
    assert (exited.audit["kind"], exited.audit["address"]) == ("application", "192.0.2.1")


@pytest.mark.parametrize("kind", CATALOGUE)
def test_a_member_sees_only_the_public_fields(kind):
    everything = dict.fromkeys([*CATALOGUE[kind].public, "secret", "users", "bans", "tickets"], 1)
    told = fact(kind, personal={"name": "x", "names": ["x"], "network": "n"}, **everything, to=[5])
    for role in Role:
        seen = view(told, Viewer(5, role))
        if seen is not None:
            assert seen.data.keys() <= CATALOGUE[kind].public


def test_facts_for_the_staff_reach_no_member():
    staff = {name for name, row in CATALOGUE.items() if row.audience is Audience.STAFF}
    assert staff >= {"conference.created", "ticket.issued", "ticket.revoked", "ticket.expired", "member.lost"}
    assert staff >= {"member.returned", "ban.added", "ban.lifted", "media.repaired"}
    for kind in staff:
        assert not CATALOGUE[kind].public
        for role in Role:
            assert view(fact(kind, member=5, to=[5]), Viewer(5, role)) is None


@pytest.mark.parametrize("kind", ["message.sent", "stream.refused"])
def test_directed_facts_reach_whom_they_name(kind):
    told = fact(kind, member=1, to=[2, 3])
    assert [bool(view(told, Viewer(number, Role.ADMIN))) for number in (1, 2, 3, 4)] == [False, True, True, False]
    assert view(fact(kind, member=1), Viewer(1, Role.ADMIN)) is None


@pytest.mark.parametrize("kind", ["member.joined", "member.exited", "member.muted"])
def test_silent_facts_reach_their_subject_alone(kind):
    told = fact(kind, member=2, silent=True)
    assert [bool(view(told, Viewer(number, Role.ADMIN))) for number in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize(("mark", "others"), [("appears", "member.joined"), ("vanishes", "member.exited")])
def test_a_role_change_in_live_is_a_coming_or_going_to_others(mark, others):
    told = fact("role.changed", member=2, role=3, **{mark: True})
    assert some(view(told, Viewer(2, 3))).type == "role.changed"
    assert some(view(told, Viewer(1, 7))).type == others


def test_view_changes_nothing_it_is_given():
    told, viewer = fact("role.changed", personal={"name": "x"}, member=2, role=3), Viewer(1, 7)
    before = repr((told, viewer))
    view(told, viewer)
    assert repr((told, viewer)) == before
