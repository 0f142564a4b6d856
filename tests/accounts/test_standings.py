"""What open sessions of the staff are worth: asked for many at once, true at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import services
from accounts.actors import system
from accounts.models import Membership, Staff, StaffRole
from accounts.standings import standings
from tests.database import statements


@pytest.fixture
def keys(application, foreign):
    """The sessions of an owner here, a moderator of two applications, and a superuser."""
    people = {"owner": [application], "moderator": [application, foreign], "root": []}
    found = {}
    for name, tenants in people.items():
        staff = Staff.objects.create_user(name, is_superuser=name == "root")
        for tenant in tenants:
            services.add_membership(actor=system(), application=tenant, staff=staff, role=name)
        client = Client()
        client.force_login(staff)
        found[name] = client.session.session_key
    return found


def test_each_session_has_its_roles_and_all_cost_as_much_as_one(keys, application, foreign):
    with statements() as many:
        found = standings(list(keys.values()))
    assert {name: found[key].name for name, key in keys.items()} == {name: name for name in keys}
    assert found[keys["owner"]].role_in(application.pk) == StaffRole.OWNER
    assert found[keys["owner"]].role_in(foreign.pk) is None
    assert found[keys["moderator"]].role_in(foreign.pk) == StaffRole.MODERATOR
    assert found[keys["root"]].role_in(foreign.pk) == StaffRole.OWNER
    assert len(many) == 3


def test_a_session_is_worth_nothing_once_it_has_ended(keys):
    Session.objects.filter(session_key=keys["owner"]).update(expire_date=timezone.now() - timedelta(seconds=1))
    Session.objects.filter(session_key=keys["moderator"]).delete()
    assert standings([*keys.values(), "unknown"]).keys() == {keys["root"]}


def test_a_session_ends_with_the_password_it_began_with(keys):
    owner = Staff.objects.get(username="owner")
    owner.set_password("another horse entirely")
    owner.save()
    assert keys["owner"] not in standings(list(keys.values()))


def test_who_is_switched_off_demoted_or_removed_loses_it_at_once(keys, application):
    Staff.objects.filter(username="owner").update(is_active=False)
    Staff.objects.filter(username="root").update(is_superuser=False)
    services.remove_membership(
        actor=system(), membership=Membership.objects.get(staff__username="moderator", application=application)
    )
    found = standings(list(keys.values()))
    assert keys["owner"] not in found
    assert found[keys["root"]].role_in(application.pk) is None
    assert found[keys["moderator"]].role_in(application.pk) is None
