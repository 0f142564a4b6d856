"""The cast and the stage: alice (admin), bob (talker), carol (audience), charlie (an outsider), robot (the
application's backend), mallory (of another tenant).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import orjson
import pytest
import time_machine
from django.contrib.auth.hashers import ScryptPasswordHasher
from django.db import connection
from django.test.utils import override_settings, setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker
from redis import Redis

from accounts import authentication
from accounts.actors import Actor, system
from accounts.models import Application
from accounts.redis import client
from conferences import delivery
from conferences.media.base import media_server
from conferences.media.fake import FakeMediaServer
from conferences.models import Role
from tests import environment, factories
from tests.database import all_rows, delete_all_rows, do_not_wait_for_the_disk, end_other_connections
from tests.factories import Room
from tests.server import Confr, running_confr
from tests.web import Web, running_web

DEADLINE_SECONDS = 5.0


# The database


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database and a prefix in Redis of our own: two runs on one server do not meet."""
    connection.settings_dict["TEST"]["NAME"] = f"confr_{environment.RUN}"
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        do_not_wait_for_the_disk()
    yield
    with django_db_blocker.unblock():
        end_other_connections()
        teardown_databases(made, verbosity=0)
    for name in client().scan_iter(f"{environment.RUN}*"):
        client().delete(name)


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database with real commits: everything that is committed is deleted afterwards."""
    with django_db_blocker.unblock():
        yield
        delete_all_rows()


class QuickHasher(ScryptPasswordHasher):
    """The product's, but for the work that it makes of each guess."""

    work_factor, parallelism = 2, 1


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """A sixth of a second for each password is meant for thieves, not for hundreds of tests that sign in."""
    with override_settings(PASSWORD_HASHERS=[f"{__name__}.{QuickHasher.__name__}"]):
        yield


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    authentication.forget()
    yield
    authentication.forget()


# The cast


@pytest.fixture
def application(committed: None) -> Application:
    return factories.application("acme", "live")


@pytest.fixture
def foreign(committed: None) -> Application:
    return factories.application("other", "live")


@pytest.fixture
def robot(application: Application) -> Actor:
    return factories.backend(application)


@pytest.fixture
def foreign_robot(foreign: Application) -> Actor:
    return factories.backend(foreign)


@pytest.fixture
def alice(application: Application) -> Actor:
    return factories.user_actor(application, "alice")


@pytest.fixture
def bob(application: Application) -> Actor:
    return factories.user_actor(application, "bob")


@pytest.fixture
def carol(application: Application) -> Actor:
    return factories.user_actor(application, "carol")


@pytest.fixture
def charlie(application: Application) -> Actor:
    return factories.user_actor(application, "charlie")


@pytest.fixture
def mallory(foreign: Application) -> Actor:
    return factories.user_actor(foreign, "mallory")


@pytest.fixture
def nobody() -> Actor:
    """Confr itself."""
    return system()


@pytest.fixture
def new_room(robot: Actor) -> Callable[..., Room]:
    """Makes a conference of the application that nobody has entered: `new_room(ConferenceType.LIVE, limits={…})`."""

    def make(*args: Any, **wishes: Any) -> Room:
        return factories.room(robot, *args, **wishes)

    return make


@pytest.fixture
def room(new_room: Callable[..., Room], alice: Actor, bob: Actor, carol: Actor, charlie: Actor) -> Room:
    """A meeting with alice (its creator, ADMIN), bob (TALKER) and carol (AUDIENCE) inside; charlie is outside."""
    return _furnished(new_room())


@pytest.fixture
def live_room(new_room: Callable[..., Room], alice: Actor, bob: Actor, carol: Actor, charlie: Actor) -> Room:
    """The same, of type LIVE."""
    return _furnished(new_room(12))


def _furnished(room: Room) -> Room:
    room.enter("alice", Role.ADMIN)
    room.enter("bob", Role.TALKER)
    room.enter("carol", Role.AUDIENCE)
    return room


# The media server


@pytest.fixture
def media(committed: None) -> Iterator[FakeMediaServer]:
    """The fake media server, with nobody at it."""
    server = cast(FakeMediaServer, media_server())
    _clear(server)
    yield server
    _clear(server)


def _clear(server: FakeMediaServer) -> None:
    server.away, server.dropped = False, []
    server.restart()


# What was told


class Published:
    """What was published to the hubs since the beginning, or since the last `facts`."""

    def __init__(self, redis: Redis) -> None:
        self._subscription = redis.pubsub()
        self._subscription.subscribe(delivery.CHANNEL)
        assert self._subscription.get_message(timeout=DEADLINE_SECONDS)

    def facts(self) -> list[dict[str, Any]]:
        """Every fact, once. A mark of our own in the same channel says that none is still on its way."""
        mark = secrets.token_bytes(8)
        client().publish(delivery.CHANNEL, mark)
        found: list[dict[str, Any]] = []
        while (data := self._next()) != mark:
            found += orjson.loads(data)[1]
        return found

    def types(self) -> list[str]:
        return [fact["type"] for fact in self.facts()]

    def close(self) -> None:
        self._subscription.close()

    def _next(self) -> bytes:
        message = self._subscription.get_message(timeout=DEADLINE_SECONDS)
        assert message is not None, "nothing came"
        return cast(bytes, message["data"])


@pytest.fixture
def published(committed: None) -> Iterator[Published]:
    recorder = Published(client())
    yield recorder
    recorder.close()


Refused = Callable[..., AbstractContextManager["pytest.ExceptionInfo[Exception]"]]


@pytest.fixture
def refused(published: Published) -> Refused:
    """`with refused(Banned):` the block raises it, and no row, no event and no push came of it."""

    @contextmanager
    def check(error: type[Exception], **fields: object) -> Iterator[pytest.ExceptionInfo[Exception]]:
        published.facts()
        before = all_rows()
        with pytest.raises(error) as info:
            yield info
        assert info.type is error
        assert all_rows() == before
        assert published.facts() == []
        told = getattr(info.value, "fields", {})
        assert {name: told.get(name) for name in fields} == fields

    return check


# Time


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock of the wall, to be moved: `clock.shift(31)`."""
    with time_machine.travel(time.time(), tick=True) as coordinates:
        yield coordinates


# A whole Confr


@pytest.fixture(scope="session")
def confr() -> Iterator[Confr]:
    """Confr as an operator runs it, with database, Redis, workers and nginx-rtmp of its own. Once per session."""
    with running_confr() as server:
        yield server


@pytest.fixture(scope="session")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The web processes alone, two of them, on the database of the tests. Once per session."""
    with running_web(tmp_path_factory.mktemp("web")) as running:
        yield running
