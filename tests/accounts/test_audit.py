"""Whatever is done to a log behind our back shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts import audit, services
from accounts.actors import Actor, ActorKind, system
from accounts.audit import Fault, verify_application, verify_seals
from accounts.log import Fact, link, record
from accounts.models import Application, ApplicationEvent, Seal
from accounts.sql import purging


@pytest.fixture
def logged(application: Application) -> Application:
    """An application with five facts."""
    for name in ("alice", "bob", "carol", "dave"):
        services.issue_user_token(actor=system(), application=application, user=name)
    return application


@pytest.fixture
def tamper(db: None) -> Callable[[str], None]:
    """SQL of somebody who owns the database and has switched the trigger off."""

    def run(sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE accounts_applicationevent DISABLE TRIGGER append_only")
            cursor.execute(sql)
            cursor.execute("ALTER TABLE accounts_applicationevent ENABLE TRIGGER append_only")

    return run


def faults(application: Application) -> list[tuple[int, Fault]]:
    return [(finding.seq, finding.fault) for finding in verify_application(application.pk)]


def seal_faults(newest: int = 0) -> list[tuple[int, Fault]]:
    return [(finding.seq, finding.fault) for finding in verify_seals(Seal.objects.order_by("pk"), newest)]


def rewritten(application: Application) -> Iterator[ApplicationEvent]:
    """The rows with hashes that fit again, as a forger makes them who knows the code but not the key."""
    previous = audit.GENESIS
    for event in ApplicationEvent.objects.filter(application=application).order_by("seq"):
        event.hash = previous = link(previous, event)
        yield event


def test_an_untouched_log_is_whole(logged):
    audit.seal_applications()
    assert faults(logged) == []
    assert seal_faults() == []


def test_a_log_without_facts_is_whole(application):
    untold = Application.objects.create(org="x", app="y", app_id=1, client_id="x", client_secret="x")
    assert faults(untold) == []


@pytest.mark.parametrize(
    "change",
    [
        "type = 'user_token.revoked'",
        "at = at + interval '1 microsecond'",
        "actor_id = '7'",
        "actor_kind = 'staff'",
        "request_id = 'x'",
        """data = '{"user": 1}'""",
        """data = '{"user": 123456789012345678901234567890}'""",
        """before = '{}'""",
        """after = '{}'""",
        """digests = '{}', personal = '{}', salt = ''""",
    ],
)
def test_a_changed_row_shows(logged, tamper, change):
    tamper(f"UPDATE accounts_applicationevent SET {change} WHERE seq = 3")  # noqa: S608 our own text
    assert faults(logged) == [(3, Fault.ROW_CHANGED)]


def test_a_changed_row_with_a_fitting_hash_shows_in_the_next(logged, tamper):
    tamper("UPDATE accounts_applicationevent SET hash = decode(repeat('00', 32), 'hex') WHERE seq = 3")
    assert faults(logged) == [(3, Fault.ROW_CHANGED), (4, Fault.ROW_CHANGED)]


@pytest.mark.parametrize(
    "change", ["""personal = '{"user": "mallory"}'""", "personal = '{}'", "salt = 'x'", "salt = ''"]
)
def test_a_changed_personal_field_shows(logged, tamper, change):
    tamper(f"UPDATE accounts_applicationevent SET {change} WHERE seq = 3")  # noqa: S608 our own text
    assert faults(logged) == [(3, Fault.PERSONAL_CHANGED)]


def test_a_missing_row_shows(logged, tamper):
    tamper("DELETE FROM accounts_applicationevent WHERE seq = 3")
    assert faults(logged) == [(3, Fault.ROW_MISSING)]


def test_a_missing_first_row_shows(logged, tamper):
    tamper("DELETE FROM accounts_applicationevent WHERE seq = 1")
    assert faults(logged) == [(1, Fault.ROW_MISSING)]


def test_a_tail_cut_behind_the_head_shows(logged, tamper):
    tamper("DELETE FROM accounts_applicationevent WHERE seq > 3")
    assert faults(logged) == [(5, Fault.TAIL_CUT)]


def test_a_tail_cut_with_the_head_shows_by_the_seal(logged, tamper):
    audit.seal_applications()
    tamper("DELETE FROM accounts_applicationevent WHERE seq > 3")
    cut = ApplicationEvent.objects.get(seq=3)
    Application.objects.update(last_seq=3, chain_head=cut.hash)
    assert faults(logged) == [(5, Fault.TAIL_CUT)]


def test_a_changed_head_shows(logged):
    Application.objects.update(chain_head=bytes(32))
    assert faults(logged) == [(5, Fault.HEAD_CHANGED)]


def test_a_head_set_back_shows_by_the_seal(logged):
    audit.seal_applications()
    third = ApplicationEvent.objects.get(seq=3)
    Application.objects.update(last_seq=3, chain_head=third.hash)
    assert faults(logged) == [(3, Fault.HEAD_CHANGED)]


def test_a_chain_that_was_rewritten_whole_shows_by_the_seal(logged, tamper):
    audit.seal_applications()
    tamper("UPDATE accounts_applicationevent SET actor_id = '7' WHERE seq = 3")
    for event in rewritten(logged):
        fitting = f"hash = '\\x{event.hash.hex()}' WHERE id = {event.pk}"
        tamper(f"UPDATE accounts_applicationevent SET {fitting}")  # noqa: S608 our own text
        Application.objects.update(chain_head=event.hash)
    assert faults(logged) == [(5, Fault.SEAL_BROKEN)]


def test_growth_after_a_seal_is_no_fault_and_is_sealed_next(logged):
    assert [seal.seq for seal in audit.seal_applications()] == [5]
    assert audit.seal_applications() == []
    services.issue_user_token(actor=system(), application=logged, user="erin")
    assert faults(logged) == []
    assert [seal.seq for seal in audit.seal_applications()] == [6]
    assert faults(logged) == []


@pytest.fixture
def three_seals(logged: Application) -> None:
    for number in range(3):
        audit.seal(f"conference:{number}", 1, bytes(32))


@pytest.mark.usefixtures("three_seals")
@pytest.mark.parametrize("change", ["seq = 9", "head = 'x'", "log = 'y'", "tombstone = true", "mac = 'z'"])
def test_a_forged_seal_shows(change):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE accounts_seal SET {change} WHERE id = 2")  # noqa: S608 our own text
    assert (2, Fault.SEAL_FORGED) in seal_faults()


@pytest.mark.usefixtures("three_seals")
@pytest.mark.parametrize("number", [1, 2])
def test_a_removed_seal_shows(number):
    Seal.objects.filter(pk=number).delete()
    assert seal_faults() == [(number, Fault.SEAL_REMOVED)]


@pytest.mark.usefixtures("three_seals")
def test_a_removed_newest_seal_shows_against_a_number_that_was_noted():
    Seal.objects.filter(pk=3).delete()
    assert seal_faults() == []
    assert seal_faults(newest=3) == [(3, Fault.SEAL_REMOVED)]


@pytest.mark.usefixtures("three_seals")
def test_removing_a_seal_and_numbering_anew_shows():
    Seal.objects.filter(pk=2).delete()
    Seal.objects.filter(pk=3).update(id=2)
    assert seal_faults() == [(2, Fault.SEAL_FORGED)]


@pytest.mark.usefixtures("three_seals")
def test_seals_of_an_older_key_stay_good(settings):
    settings.KEYS = settings.KEYS | {"seals": ["newer", *settings.KEYS["seals"]]}
    audit.seal("conference:3", 1, bytes(32))
    assert seal_faults() == []
    settings.KEYS = settings.KEYS | {"seals": ["newer"]}
    assert seal_faults()[0] == (1, Fault.SEAL_FORGED)


def test_erasing_a_person_leaves_the_proof_whole(logged):
    audit.seal_applications()
    bobs = ApplicationEvent.objects.filter(personal__user="bob")
    assert audit.erase(bobs) == 1
    erased = ApplicationEvent.objects.get(seq=3)
    assert (erased.personal, bytes(erased.salt)) == ({}, b"")
    assert set(erased.digests) == {"user"}
    assert "bob" not in str(ApplicationEvent.objects.values())
    assert faults(logged) == []


def test_a_purged_log_with_its_tombstone_is_no_fault_and_without_one_it_is(logged):
    audit.seal_applications()
    log, head = f"application:{logged.pk}", bytes(Application.objects.get().chain_head)
    with purging():
        ApplicationEvent.objects.all().delete()
    assert verdict(log, rows=0) == [Fault.TAIL_CUT]
    audit.seal(log, 5, head, tombstone=True)
    assert verdict(log, rows=0) == []


def test_a_row_of_a_purged_log_shows(logged):
    audit.seal(f"application:{logged.pk}", 5, bytes(Application.objects.get().chain_head), tombstone=True)
    assert verdict(f"application:{logged.pk}", rows=5) == [Fault.NOT_PURGED]


def verdict(log: str, rows: int) -> list[Fault]:
    events = ApplicationEvent.objects.order_by("seq")[:rows]
    seals = Seal.objects.filter(log=log)
    return [finding.fault for finding in audit.verify_log(log, events, seq=0, head=audit.GENESIS, seals=seals)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_applicationevent SET type = 'x'",
        "UPDATE accounts_applicationevent SET hash = 'x', personal = '{}', salt = ''",
        """UPDATE accounts_applicationevent SET personal = '{"user": "mallory"}'""",
        "DELETE FROM accounts_applicationevent",
    ],
)
def test_the_database_refuses_to_change_or_delete_a_fact(logged, sql):
    before = list(ApplicationEvent.objects.order_by("seq").values())
    with (
        pytest.raises(IntegrityError, match="append only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    assert list(ApplicationEvent.objects.order_by("seq").values()) == before


def test_the_door_for_purging_closes_behind_it(logged):
    with purging():
        ApplicationEvent.objects.filter(seq=5).delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApplicationEvent.objects.filter(seq=4).delete()


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, json_values, max_size=4)


@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=objects, personal=objects, before=st.none() | objects)
def test_whatever_a_fact_holds_comes_back_from_the_database_as_it_was_hashed(application, data, personal, before):
    actor = Actor(ActorKind.SYSTEM, name="系统")
    record(application, Fact("x.happened", actor, data, personal, before=before))
    assert faults(application) == []
