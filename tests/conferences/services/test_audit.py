"""The proof of conferences' logs: sealed, verified, erased and purged."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core import serializers
from django.db import connection

from accounts.audit import Fault
from accounts.models import ApplicationEvent, Seal
from conferences.models import Conference, Event, Member, Role
from conferences.services.audit import erase_user, purge, seal_logs, verify, verify_conference
from conferences.services.conferences import destroy_conference
from conferences.services.messages import broadcast, send_command
from conferences.services.moderation import Hold, ban_members, kick_members
from conferences.services.roles import grant_role
from tests.database import all_rows


def tamper(sql, *values):
    """What somebody with the database's own rights can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET session_replication_role = origin")


def faults(conference):
    return {finding.fault for finding in verify_conference(conference)}


def test_everything_verifies_after_a_busy_life(room, media):
    room.publish("bob")
    kick_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold(reason="spam"))
    seal_logs()
    destroy_conference(actor=room.backend, confr_id=room.id)
    seal_logs()
    assert list(verify()) == []


def test_sealing_twice_seals_what_grew(room):
    first = seal_logs()
    assert first >= 2  # the application's log and the conference's
    assert seal_logs() == 0
    broadcast(actor=room.backend, confr_id=room.id, content="x")
    assert seal_logs() == 1


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE conferences_event SET data = '{}' WHERE seq = 3", Fault.ROW_CHANGED),
        ("UPDATE conferences_event SET actor_id = '99' WHERE seq = 3", Fault.ROW_CHANGED),
        ("UPDATE conferences_event SET at = at + interval '1 second' WHERE seq = 3", Fault.ROW_CHANGED),
        ('UPDATE conferences_event SET personal = \'{"name": "x"}\' WHERE seq = 3', Fault.PERSONAL_CHANGED),
        ("DELETE FROM conferences_event WHERE seq = 3", Fault.ROW_MISSING),
        ("DELETE FROM conferences_event WHERE seq > 5", Fault.TAIL_CUT),
        ("UPDATE conferences_conference SET chain_head = '\\x00'", Fault.HEAD_CHANGED),
    ],
)
def test_what_is_done_to_a_log_shows(room, sql, fault):
    tamper(sql)
    assert fault in faults(room.conference)


def test_a_tail_that_is_cut_together_with_the_head_shows_against_a_seal(room):
    seal_logs()
    tamper("DELETE FROM conferences_event WHERE seq > 5")
    event = Event.objects.get(conference=room.conference, seq=5)
    tamper("UPDATE conferences_conference SET last_seq = 5, chain_head = %s", bytes(event.hash))
    assert faults(room.conference) & {Fault.TAIL_CUT, Fault.HEAD_CHANGED, Fault.SEAL_BROKEN}


# Erasing


def test_an_erased_user_is_named_nowhere_and_the_proof_stays(room, media, robot):
    name = "margarethe"
    room.enter(name, nick_name=f"nick-of-{name}", ext=f"ext-of-{name}", address="203.0.113.77", device=f"d-{name}")
    room.publish(name)
    actor = room.actor(name, "203.0.113.77")
    broadcast(actor=actor, confr_id=room.id, content=f"I am {name}")
    send_command(actor=room.actor("alice"), confr_id=room.id, names=[name], content="hello")
    grant_role(actor=robot, confr_id=room.id, names=[name], role=Role.ADMIN)
    kick_members(actor=actor, confr_id=room.id, names=["carol"])
    ban_members(actor=robot, confr_id=room.id, names=[name], hold=Hold(reason=f"because of {name}", note=name))
    seal_logs()
    user = room.member(name).user
    assert erase_user(actor=robot, user=user, reason="asked") > 0
    found = {label: rows for label, rows in all_rows().items() if name in str(rows) or "203.0.113.77" in str(rows)}
    assert found == {}
    assert list(verify()) == []
    assert ApplicationEvent.objects.filter(type="user.erased", data__user=user.pk).count() == 1


def test_others_are_left_as_they_were(room, robot):
    broadcast(actor=room.actor("alice"), confr_id=room.id, content="from alice")
    before = [event for event in room.events() if event.personal.get("name") == "alice"]
    erase_user(actor=robot, user=room.member("bob").user)
    after = [event for event in room.events() if event.personal.get("name") == "alice"]
    assert serializers.serialize("json", after) == serializers.serialize("json", before)
    assert room.member("alice").user.name == "alice"


def test_erasing_twice_is_erasing_once(room, robot):
    user = room.member("bob").user
    assert erase_user(actor=robot, user=user) > 0
    user.refresh_from_db()
    erase_user(actor=robot, user=user)
    assert list(verify()) == []


# Purging


def test_a_conference_past_its_retention_goes_whole_and_leaves_a_tombstone(room, new_room, media, clock):
    other = new_room()
    other.enter("alice")
    room.publish("bob")
    kick_members(actor=room.backend, confr_id=room.id, names=["carol"])
    destroy_conference(actor=room.backend, confr_id=room.id)
    clock.shift(settings.RETENTION_DAYS * 86_400 - 60)
    assert purge() == 0
    clock.shift(120)
    assert purge() == 1
    assert purge() == 0
    assert not Event.objects.filter(conference=room.conference).exists()
    assert not Member.objects.filter(conference=room.conference).exists()
    assert Conference.objects.get().pk == other.conference.pk
    assert Seal.objects.get(log=f"conference:{room.id}", tombstone=True).seq > 0
    assert list(verify()) == []


def test_a_live_conference_is_never_purged(room, clock):
    clock.shift(settings.RETENTION_DAYS * 86_400 * 10)
    assert purge() == 0
