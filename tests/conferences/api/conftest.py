"""Callers of the API: a backend by its key, users by their tokens, members by their role tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from accounts import services
from accounts.actors import system
from accounts.models import Application
from accounts.redis import client as redis_client
from conferences.models import Role
from tests.api_client import Api, key_of
from tests.factories import Room


@pytest.fixture(autouse=True)
def _full_buckets() -> Iterator[None]:
    """No test finds its limits used up by another: database ids begin anew, and so do the names of buckets."""
    yield
    for pattern in ("*:rate:*", "*:guess:*"):
        for name in redis_client().scan_iter(pattern):
            redis_client().delete(name)


@pytest.fixture
def backend(application: Application) -> Api:
    return Api(key_of(application))


@pytest.fixture
def foreign_backend(foreign: Application) -> Api:
    return Api(key_of(foreign))


@pytest.fixture
def as_user(application: Application) -> Callable[[str], Api]:
    """Calls with a user token of that name."""

    def make(name: str) -> Api:
        token = services.issue_user_token(actor=system(), application=application, user=name)
        return Api(token.text)

    return make


@pytest.fixture
def as_member() -> Callable[[Room, str], Api]:
    """Calls with a role token of who is inside, whatever its role."""

    def make(room: Room, name: str) -> Api:
        return Api(room.ticket(name, Role(room.member(name).role)).role_token)

    return make


@pytest.fixture
def stranger() -> Api:
    """Calls without a credential."""
    return Api(None)
