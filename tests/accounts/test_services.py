"""What can be done to accounts: by whom, with what effect, and what the log says of it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from unittest.mock import ANY

import pytest
from django.db import connection
from django.utils import timezone

from accounts import services
from accounts.actors import Actor, ActorKind, system
from accounts.authentication import api_key_actor, forget, user_token_actor
from accounts.errors import (
    ApplicationNotFound,
    BadParameters,
    CredentialsInvalid,
    NotAllowed,
    NotFound,
    ScopeMissing,
    UserNameInvalid,
)
from accounts.log import Fact, record
from accounts.models import ApiKey, Application, ApplicationEvent, Membership, Staff, StaffRole, User, UserToken
from accounts.names import RESERVED_ORGS
from accounts.permissions import RANKS, RULES, Act, allows
from tests.database import together


def test_a_new_application_has_ids_that_vendors_can_carry(application):
    assert application.app_key == "acme#live"
    assert 10**9 <= application.app_id < 2**31
    assert len(application.client_secret) == 32
    assert Application.objects.get(pk=application.pk).client_secret == application.client_secret


def test_a_client_secret_is_unreadable_in_the_database(application):
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_secret FROM accounts_application")
        (stored,) = cursor.fetchone()
    assert application.client_secret not in stored


@pytest.mark.parametrize("org", [*sorted(RESERVED_ORGS), "", "Acme", "a b", "-a", "a" * 33, "a\n", "微信"])
def test_an_organisation_with_a_bad_or_reserved_name_is_refused(db, org):
    with pytest.raises(BadParameters) as refusal:
        services.create_application(actor=system(), org=org, app="live")
    assert refusal.value.fields["fields"] == {"org": ANY}
    assert not Application.objects.exists()


def test_the_same_application_twice_is_refused_and_changes_nothing(application, log_of):
    with pytest.raises(BadParameters):
        services.create_application(actor=system(), org="acme", app="live")
    assert Application.objects.get() == application
    assert log_of(application) == ["application.created"]


def test_an_update_tells_before_and_after_of_what_changed(application):
    changes = {"name": "Acme", "ticket_seconds": 60, "limits": {"10": {"talkers": 4}}}
    row = services.update_application(actor=system(), application=application, changes=changes)
    assert (row.ticket_seconds, row.limits) == (60, {"10": {"talkers": 4}})
    event = ApplicationEvent.objects.get(type="application.updated")
    assert event.before == {"ticket_seconds": 600, "limits": {}}
    assert event.after == {"ticket_seconds": 60, "limits": {"10": {"talkers": 4}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": {"10": {"talkers": -1}}},
        {"limits": {"13": {}}},
        {"limits": None},
        {"name": None},
        {"requests_per_minute": 0},
        {"ticket_seconds": "soon"},
        {"org": "mine"},
        {"client_secret": "mine"},
        {"last_seq": 0},
    ],
)
def test_a_bad_update_is_refused_and_changes_nothing(application, log_of, changes):
    before = Application.objects.values().get()
    with pytest.raises(BadParameters):
        services.update_application(actor=system(), application=application, changes={"name": "x"} | changes)
    assert Application.objects.values().get() == before
    assert log_of(application) == ["application.created"]


def test_an_update_without_a_change_leaves_no_trace(application, log_of):
    services.update_application(actor=system(), application=application, changes={"name": "Acme"})
    assert log_of(application) == ["application.created"]


def test_suspending_twice_is_one_fact(application, log_of):
    for _ in range(2):
        services.suspend_application(actor=system(), application=application, reason="unpaid")
    for _ in range(2):
        services.resume_application(actor=system(), application=application)
    assert log_of(application) == ["application.created", "application.suspended", "application.resumed"]
    assert ApplicationEvent.objects.get(type="application.suspended").personal["reason"] == "unpaid"


def test_a_rotated_client_secret_is_another_and_reading_it_is_a_fact(application, log_of):
    rotated = services.rotate_client_secret(actor=system(), application=application)
    assert rotated.client_secret != application.client_secret
    assert services.read_client_secret(actor=system(), application=application) == rotated.client_secret
    assert log_of(application)[1:] == ["application.secret_rotated", "application.secret_read"]


def test_a_rotated_key_and_its_successor_both_work_within_the_overlap(application, secret, time_machine):
    old = application.keys.get()
    new = services.rotate_api_key(actor=system(), key=old, overlap_seconds=60)
    assert new.key.scopes == old.scopes
    api_key_actor(secret, None, "")
    api_key_actor(new.secret, None, "")
    time_machine.move_to(timezone.now() + timedelta(seconds=61))
    forget()
    api_key_actor(new.secret, None, "")
    with pytest.raises(CredentialsInvalid):
        api_key_actor(secret, None, "")


def test_a_rotation_never_lengthens_a_keys_life(application):
    soon = timezone.now() + timedelta(minutes=1)
    old = services.create_api_key(
        actor=system(), application=application, name="x", scopes=["read"], expires_at=soon
    ).key
    new = services.rotate_api_key(actor=system(), key=old, overlap_seconds=3600).key
    old.refresh_from_db()
    assert (old.expires_at, new.expires_at) == (soon, soon)


def test_a_key_that_is_no_longer_good_cannot_be_rotated(application, secret):
    key = application.keys.get()
    services.revoke_api_key(actor=system(), key=key)
    with pytest.raises(BadParameters):
        services.rotate_api_key(actor=system(), key=key, overlap_seconds=0)
    assert ApiKey.objects.get() == key


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": ["everything"]},
        {"scopes": []},
        {"name": ""},
        {"name": "x" * 101},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_a_key_with_bad_fields_is_refused(application, wrong):
    fields = {"name": "backend", "scopes": ["read"]} | wrong
    with pytest.raises(BadParameters):
        services.create_api_key(actor=system(), application=application, **fields)
    assert not ApiKey.objects.exists()


def test_revoking_a_key_twice_is_one_fact(application, secret, log_of):
    for _ in range(2):
        services.revoke_api_key(actor=system(), key=application.keys.get(), reason="leaked")
    assert log_of(application) == ["application.created", "api_key.created", "api_key.revoked"]


def test_a_user_is_one_however_it_is_written(application, robot):
    for name in ("bob", "acme#live_bob", "acme#live_bob@easemob.com"):
        services.issue_user_token(actor=robot, application=application, user=name)
    assert User.objects.get().name == "bob"
    assert UserToken.objects.count() == 3


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"user": "other#live_bob"}, UserNameInvalid),
        ({"user": ""}, UserNameInvalid),
        ({"seconds": 0}, BadParameters),
        ({"seconds": 31 * 86_400}, BadParameters),
    ],
)
def test_a_bad_user_token_is_refused_and_leaves_nothing(application, robot, wrong, refusal):
    with pytest.raises(refusal):
        services.issue_user_token(actor=robot, application=application, **({"user": "bob"} | wrong))
    assert not User.objects.exists()
    assert not UserToken.objects.exists()


def test_all_tokens_of_a_user_are_revoked_at_once_and_nobody_elses(application, robot, log_of):
    bobs = [services.issue_user_token(actor=robot, application=application, user="bob") for _ in range(2)]
    carols = services.issue_user_token(actor=robot, application=application, user="carol")
    assert services.revoke_user_tokens(actor=robot, application=application, user="bob") == 2
    assert services.revoke_user_tokens(actor=robot, application=application, user="bob") == 0
    for issued in bobs:
        with pytest.raises(CredentialsInvalid):
            user_token_actor(issued.text, None, "")
    user_token_actor(carols.text, None, "")
    assert log_of(application).count("user_token.revoked") == 1


def test_a_token_of_another_application_is_not_found(application, foreign, robot):
    issued = services.issue_user_token(actor=system(), application=foreign, user="bob")
    with pytest.raises(NotFound):
        services.revoke_user_token(actor=robot, application=application, token_id=issued.token.pk)
    with pytest.raises(NotFound):
        services.revoke_user_tokens(actor=robot, application=application, user="bob")
    assert UserToken.objects.get().revoked_at is None


def test_memberships_are_added_changed_and_removed(application, log_of):
    staff = Staff.objects.create_user("eve")
    membership = services.add_membership(actor=system(), application=application, staff=staff, role=StaffRole.AUDITOR)
    services.change_membership(actor=system(), membership=membership, role=StaffRole.OWNER)
    services.change_membership(actor=system(), membership=membership, role=StaffRole.OWNER)
    assert Membership.objects.get().role == StaffRole.OWNER
    services.remove_membership(actor=system(), membership=membership)
    assert not Membership.objects.exists()
    assert log_of(application)[1:] == ["membership.added", "membership.changed", "membership.removed"]
    changed = ApplicationEvent.objects.get(type="membership.changed")
    assert (changed.before, changed.after) == ({"role": "auditor"}, {"role": "owner"})
    assert changed.personal["staff_name"] == "eve"


def test_a_second_or_unknown_role_is_refused(application):
    staff = Staff.objects.create_user("eve")
    services.add_membership(actor=system(), application=application, staff=staff, role=StaffRole.AUDITOR)
    for role in (StaffRole.OWNER, "king"):
        with pytest.raises(BadParameters):
            services.add_membership(actor=system(), application=application, staff=staff, role=role)
    assert Membership.objects.get().role == StaffRole.AUDITOR


def test_no_secret_is_in_the_log(application, secret, robot):
    issued = services.issue_user_token(actor=robot, application=application, user="bob")
    rotated = services.rotate_api_key(actor=system(), key=application.keys.get(), overlap_seconds=1)
    newer = services.rotate_client_secret(actor=system(), application=application)
    told = str(list(ApplicationEvent.objects.values()))
    for hidden in (secret, issued.text, rotated.secret, newer.client_secret, application.client_secret):
        assert hidden not in told


def test_the_log_names_who_from_where_and_in_which_request(application, robot):
    services.issue_user_token(actor=robot, application=application, user="bob")
    event = ApplicationEvent.objects.get(type="user_token.issued")
    assert (event.actor_kind, event.actor_id, event.request_id) == ("application", robot.id, "request-1")
    assert event.personal == {"user": "bob", "actor": robot.name, "address": "192.0.2.1"}


@pytest.mark.parametrize("act", [act for act in Act if act is not Act.CREATE_APPLICATION])
def test_the_table_decides_who_may_act(application, foreign, staff_with, superuser, robot, act):
    rule = RULES[act]
    assert allows(system(), act, application)
    assert allows(superuser, act, application)
    for role in StaffRole:
        actor = staff_with(role)
        assert allows(actor, act, application) == (rule.role is not None and RANKS[role] >= RANKS[rule.role])
        assert not allows(actor, act, foreign)
    assert allows(robot, act, application) == (rule.scope is not None)
    assert not allows(robot, act, foreign)
    user = Actor(ActorKind.USER, application_id=application.pk, id="1")
    assert not allows(user, act, application)


def test_only_superusers_and_the_system_make_applications(application, staff_with, superuser, robot):
    assert allows(superuser, Act.CREATE_APPLICATION)
    for actor in (staff_with(StaffRole.OWNER), robot):
        with pytest.raises((NotAllowed, ApplicationNotFound)):
            services.create_application(actor=actor, org="mine", app="live")
    assert Application.objects.get() == application


def test_staff_switched_off_may_do_nothing(application, staff_with):
    owner = staff_with(StaffRole.OWNER)
    Staff.objects.filter(pk=int(owner.id)).update(is_active=False)
    assert not any(allows(owner, act, application) for act in Act)


def test_a_refused_act_leaves_no_trace(application, foreign, robot, log_of):
    narrow = services.create_api_key(actor=system(), application=application, name="x", scopes=["read"])
    reader = api_key_actor(narrow.secret, None, "")
    before = log_of(application)
    with pytest.raises(ScopeMissing):
        services.issue_user_token(actor=reader, application=application, user="bob")
    with pytest.raises(ApplicationNotFound):
        services.issue_user_token(actor=robot, application=foreign, user="bob")
    with pytest.raises(NotAllowed):
        services.rotate_client_secret(actor=robot, application=application)
    assert log_of(application) == before
    assert not User.objects.exists()


def test_concurrent_acts_number_the_log_without_gaps_and_do_not_deadlock(committed):
    application = services.create_application(actor=system(), org="acme", app="live")

    def work(number: int) -> None:
        for step in range(5):
            services.issue_user_token(actor=system(), application=application, user=f"user{number}-{step}")

    assert together(*[partial(work, number) for number in range(8)]) == [None] * 8
    numbers = ApplicationEvent.objects.order_by("seq").values_list("seq", flat=True)
    assert list(numbers) == list(range(1, 42))


def test_a_fact_outside_a_transaction_is_a_mistake_of_ours(committed):
    application = services.create_application(actor=system(), org="acme", app="live")
    with pytest.raises(RuntimeError):
        record(application, Fact("application.updated", system()))
