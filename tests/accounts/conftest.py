"""The cast of the accounts' tests: an application, its backend and its staff."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts import authentication, services
from accounts.actors import Actor, system
from accounts.models import Application, ApplicationEvent, Scope, Staff, StaffRole
from accounts.redis import client


@pytest.fixture
def redis_names(settings: Any) -> Iterator[str]:
    """A corner of Redis that nobody else uses."""
    settings.REDIS_PREFIX = f"confr-test-{secrets.token_hex(6)}"
    yield settings.REDIS_PREFIX
    for name in client().scan_iter(f"{settings.REDIS_PREFIX}:*"):
        client().delete(name)


@pytest.fixture
def application(db: None) -> Application:
    return services.create_application(actor=system(), org="acme", app="live", name="Acme")


@pytest.fixture
def foreign(db: None) -> Application:
    return services.create_application(actor=system(), org="other", app="live")


@pytest.fixture
def secret(application: Application) -> str:
    """An API key with every scope."""
    new = services.create_api_key(actor=system(), application=application, name="backend", scopes=Scope.values)
    return new.secret


@pytest.fixture
def robot(secret: str) -> Actor:
    """The application's backend."""
    return authentication.api_key_actor(secret, "192.0.2.1", "request-1")


@pytest.fixture
def staff_with(application: Application) -> Callable[[StaffRole], Actor]:
    """Makes a staff member with a role in the application."""

    def make(role: StaffRole) -> Actor:
        staff = Staff.objects.create_user(f"{role}-{secrets.token_hex(3)}", password=None, is_staff=True)
        services.add_membership(actor=system(), application=application, staff=staff, role=role)
        return authentication.staff_actor(staff, "192.0.2.9", "request-2")

    return make


@pytest.fixture
def superuser(db: None) -> Actor:
    return authentication.staff_actor(Staff.objects.create_superuser("root", password=None), None, "")


@pytest.fixture
def log_of() -> Callable[[Application], list[str]]:
    """The types of what an application's log holds, in order."""

    def types(application: Application) -> list[str]:
        events = ApplicationEvent.objects.filter(application=application).order_by("seq")
        return list(events.values_list("type", flat=True))

    return types
