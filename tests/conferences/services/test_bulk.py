"""Bulk acts: one act on many conferences, each done once, whoever dies or loses a role meanwhile."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction

from accounts.actors import Actor
from accounts.authentication import staff_actor
from accounts.errors import ApplicationNotFound, BadParameters, NotAllowed, NotFound
from accounts.models import Application, Membership, Staff, StaffRole
from conferences import tasks
from conferences.errors import ConferenceNotFound
from conferences.models import BulkAct, BulkItem, Conference, Event, Role
from conferences.services import bulk, conferences
from conferences.services.bulk import Plan
from tests import factories
from tests.database import statements, together
from tests.factories import Room, until
from tests.server import CHECKOUT
from tests.web import _database


def staff_of(application: Application, role: StaffRole, name: str = "") -> Staff:
    staff = Staff.objects.create_user(name or f"{role}-{secrets.token_hex(3)}")
    Membership.objects.create(staff=staff, application=application, role=role)
    return staff


@pytest.fixture
def operator(application: Application) -> Staff:
    return staff_of(application, StaffRole.OPERATOR, "olga")


def actor(staff: Staff) -> Actor:
    return staff_actor(staff, "192.0.2.7", "request-b")


def plan(verb: str, *rooms: Room, **options: str) -> Plan:
    return Plan(verb, [room.id for room in rooms], options.pop("token", secrets.token_hex(8)), **options)


def states(act: BulkAct) -> list[tuple[str, str]]:
    return list(BulkItem.objects.filter(act=act).order_by("pk").values_list("state", "code"))


def begin(staff: Staff, verb: str, *rooms: Room, **options: str) -> BulkAct:
    return bulk.begin_bulk_act(actor=actor(staff), plan=plan(verb, *rooms, **options))


DONE, ALREADY = ("done", ""), ("already", "")


def test_every_act_goes_through_its_service_in_the_name_of_who_asked(operator: Staff, new_room: Callable[..., Room]):
    rooms = [new_room() for _ in range(2)]
    for room in rooms:
        room.enter("alice", Role.ADMIN)
        room.enter("bob", Role.TALKER)
    expected = {
        "announce": ("message.broadcast", {"content": "five minutes left"}),
        "mute": ("conference.muted", {"reason": "noise"}),
        "unmute": ("conference.muted", {"reason": "noise"}),
        "lock": ("conference.updated", {"reason": "noise"}),
        "unlock": ("conference.updated", {"reason": "noise"}),
        "end": ("conference.closed", {"reason": "noise"}),
    }
    for verb, (kind, personal) in expected.items():
        before = {room.id: len(room.events(kind)) for room in rooms}
        words = {"content": "five minutes left"} if verb == "announce" else {"reason": "noise"}
        act = begin(operator, verb, *rooms, **words)
        assert states(act) == [("waiting", "")] * 2
        assert bulk.do_bulk_acts() == 2
        assert states(act) == [DONE, DONE]
        for room in rooms:
            fact = room.events(kind)[-1]
            assert len(room.events(kind)) == before[room.id] + 1
            assert (fact.actor_kind, fact.actor_id, fact.request_id) == ("staff", str(operator.pk), "request-b")
            assert fact.personal.items() >= ({"actor": "olga", "address": "192.0.2.7"} | personal).items()
        if verb != "announce":
            told = len(Event.objects.all())
            again = begin(operator, verb, *rooms)
            bulk.do_bulk_acts()
            assert states(again) == [ALREADY, ALREADY]
            assert len(Event.objects.all()) == told
    assert {room.row.state for room in rooms} == {"closed"}


def test_what_cannot_be_done_is_refused_item_by_item(operator: Staff, new_room: Callable[..., Room]):
    closed, locked, open_ = new_room(), new_room(), new_room()
    conferences.destroy_conference(actor=closed.backend, confr_id=closed.id)
    conferences.update_conference(actor=locked.backend, confr_id=locked.id, changes={"locked": True})
    act = begin(operator, "lock", closed, locked, open_)
    assert bulk.do_bulk_acts() == 3
    assert states(act) == [("refused", "conference_closed"), ALREADY, DONE]
    assert open_.row.locked


def test_nobody_begins_what_the_role_forbids_or_the_page_does_not_show(
    application: Application, foreign_robot: Actor, new_room: Callable[..., Room], refused, operator: Staff
):
    auditor, moderator = staff_of(application, StaffRole.AUDITOR), staff_of(application, StaffRole.MODERATOR)
    room, other = new_room(), factories.room(foreign_robot)
    for staff, verb in ((auditor, "announce"), (auditor, "end"), (moderator, "end"), (moderator, "lock")):
        with refused(NotAllowed):
            begin(staff, verb, room, **({"content": "hi"} if verb == "announce" else {}))
    for rooms in ([other], [room, other]):
        with refused(ApplicationNotFound):
            begin(operator, "end", *rooms)
        with refused(ConferenceNotFound):
            bulk.begin_bulk_act(actor=actor(operator), plan=plan("end", *rooms), application=application)
    with refused(BadParameters, field="conferences"):
        begin(operator, "end")
    with refused(BadParameters, field="conferences"):
        bulk.begin_bulk_act(actor=actor(operator), plan=Plan("end", [f"X{n}" for n in range(501)], "t"))
    for verb, content in (("announce", ""), ("announce", "x" * 9000), ("end", "hi")):
        with refused(BadParameters, field="content"):
            begin(operator, verb, room, content=content)
    with refused(BadParameters, field="verb"):
        begin(operator, "dance", room)
    with refused(BadParameters, field="token"):
        begin(operator, "end", room, token="")


def test_the_same_wish_is_begun_once(operator: Staff, new_room: Callable[..., Room]):
    room = new_room()
    wish = plan("announce", room, content="hello", token="t")
    acts = together(*[lambda: bulk.begin_bulk_act(actor=actor(operator), plan=wish)] * 4)
    assert len({act.pk for act in acts}) == 1  # type: ignore[union-attr]  # an exception has none
    assert bulk.do_bulk_acts() == 1
    assert len(room.events("message.broadcast")) == 1


def test_a_demoted_moderators_rest_is_refused(application: Application, new_room: Callable[..., Room]):
    staff = staff_of(application, StaffRole.OPERATOR)
    rooms = [new_room() for _ in range(4)]
    act = begin(staff, "end", *rooms)
    assert bulk._do_next(act.pk)
    Membership.objects.filter(staff=staff).update(role=StaffRole.MODERATOR)
    assert bulk._do_next(act.pk)
    Membership.objects.filter(staff=staff).delete()
    assert bulk._do_next(act.pk)
    Membership.objects.create(staff=staff, application=application, role=StaffRole.OWNER)
    Staff.objects.filter(pk=staff.pk).update(is_active=False)
    assert bulk._do_next(act.pk)
    assert states(act) == [
        DONE, ("refused", "not_allowed"), ("refused", "application_not_found"), ("refused", "credentials_invalid")
    ]  # fmt: skip
    assert [room.row.state for room in rooms] == ["closed", "live", "live", "live"]


def test_an_act_that_was_so_already_is_refused_all_the_same_without_the_role(
    application: Application, new_room: Callable[..., Room]
):
    staff, room = staff_of(application, StaffRole.OPERATOR), new_room()
    conferences.destroy_conference(actor=room.backend, confr_id=room.id)
    act = begin(staff, "end", room)
    Membership.objects.filter(staff=staff).update(role=StaffRole.AUDITOR)
    bulk.do_bulk_acts()
    assert states(act) == [("refused", "not_allowed")]


def test_cancelling_leaves_the_rest_undone_and_is_for_who_began(
    application: Application, operator: Staff, new_room: Callable[..., Room], refused
):
    rooms = [new_room() for _ in range(3)]
    act = begin(operator, "end", *rooms)
    bulk._do_next(act.pk)
    colleague = actor(staff_of(application, StaffRole.OWNER))
    with refused(NotFound):
        bulk.cancel_bulk_act(actor=colleague, act_id=act.pk)
    assert bulk.cancel_bulk_act(actor=actor(operator), act_id=act.pk) == 2
    assert bulk.do_bulk_acts() == 0
    assert states(act) == [DONE, ("cancelled", ""), ("cancelled", "")]
    assert [room.row.state for room in rooms] == ["closed", "live", "live"]


def test_acts_take_turns(operator: Staff, new_room: Callable[..., Room]):
    first, second = [new_room() for _ in range(2)], [new_room() for _ in range(2)]
    acts = [begin(operator, "end", *first), begin(operator, "lock", *second)]
    assert bulk.do_bulk_acts() == 4
    assert list(BulkItem.objects.order_by("at").values_list("act", flat=True)) == [acts[0].pk, acts[1].pk] * 2


@pytest.fixture
def breaking() -> Iterator[Callable[[Room], None]]:
    """Have the database fail on every fact of one conference."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE broken (id bigint)")
        cursor.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.conference_id IN (SELECT id FROM broken) THEN RAISE 'broken'; END IF; RETURN NEW; END $$"
        )
        cursor.execute("CREATE TRIGGER fail BEFORE INSERT ON conferences_event FOR EACH ROW EXECUTE FUNCTION fail()")
        yield lambda room: cursor.execute("INSERT INTO broken VALUES (%s)", [room.conference.pk])
        cursor.execute("DROP TABLE broken")
        cursor.execute("DROP FUNCTION fail CASCADE")


def test_a_broken_conference_stops_nobody(
    operator: Staff, new_room: Callable[..., Room], breaking: Callable[[Room], None]
):
    rooms = [new_room() for _ in range(3)]
    breaking(rooms[1])
    act = begin(operator, "lock", *rooms)
    assert bulk.do_bulk_acts() == 3
    assert states(act) == [DONE, ("refused", "internal"), DONE]
    assert [room.row.locked for room in rooms] == [True, False, True]


def test_a_worker_that_is_killed_in_the_middle_does_nothing_twice(operator: Staff, new_room: Callable[..., Room]):
    rooms = [new_room() for _ in range(6)]
    act = begin(operator, "announce", *rooms, content="hello")
    worker = [
        sys.executable,
        "-c",
        "import django; django.setup(); from conferences import tasks; tasks.do_bulk_acts()",
    ]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": _database()}
    with transaction.atomic():
        Conference.objects.select_for_update().get(pk=rooms[3].conference.pk)  # the worker will wait for it
        killed = subprocess.Popen(worker, cwd=CHECKOUT, env=environment)
        try:
            until(somebody_waits_for_us, 30)
        finally:
            killed.kill()
            killed.wait()
    assert states(act) == [DONE] * 3 + [("waiting", "")] * 3
    until(lambda: lock_is_free("confr:do_bulk_acts"))
    tasks.do_bulk_acts()
    assert states(act) == [DONE] * 6
    assert [len(room.events("message.broadcast")) for room in rooms] == [1] * 6


def somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def lock_is_free(name: str) -> bool:
    """Whether the database has noticed that who held it is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s)), pg_advisory_unlock(hashtext(%s))", [name, name])
        return bool(cursor.fetchone()[0])


def test_an_item_costs_as_many_statements_in_any_act(operator: Staff, new_room: Callable[..., Room]):
    def cost(size: int) -> int:
        act = begin(operator, "lock", *[new_room() for _ in range(size)])
        with statements() as found:
            bulk._do_next(act.pk)
        return len(found)

    cost(1)  # the application is remembered from here on
    assert cost(2) == cost(8) <= 17


def test_old_acts_are_forgotten(operator: Staff, new_room: Callable[..., Room], clock, settings):
    act = begin(operator, "end", new_room())
    bulk.do_bulk_acts()
    assert bulk.purge() == 0
    clock.shift((settings.RETENTION_DAYS + 1) * 86400)
    assert bulk.purge() == 1
    assert not BulkAct.objects.filter(pk=act.pk).exists()
