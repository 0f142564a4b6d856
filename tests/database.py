"""Real commits for tests, and how they are told apart and taken back. Quicker than truncating by far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, TypeVar

from django.apps import apps
from django.db import connection, connections
from django.db.models import Model
from psycopg import sql

from accounts.sql import purging
from conferences.models import Lease

Result = TypeVar("Result")


# Their rows point at ours, or are made for them.
LIBRARIES = ("account", "axes", "mfa", "sessions", "socialaccount", "usersessions")


def our_models() -> list[type[Model]]:
    return [model for label in ("accounts", "conferences") for model in apps.get_app_config(label).get_models()]


def delete_all_rows() -> None:
    """Foreign keys are checked at commit, so the order does not matter."""
    theirs = [model for label in LIBRARIES for model in apps.get_app_config(label).get_models()]
    tables = {model._meta.db_table for model in [*our_models(), *theirs]}
    tables |= {field.m2m_db_table() for model in our_models() for field in model._meta.local_many_to_many}
    with purging(), connection.cursor() as cursor:
        for table in sorted(tables):
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def end_other_connections() -> None:
    """Those of threads that work beside the tests would keep the database from being dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def all_rows() -> dict[str, list[dict[str, Any]]]:
    """Everything that is stored, comparable; but for the leases, which web processes beside the test renew."""
    return {
        model._meta.label: [_plain(row) for row in model._default_manager.order_by("pk").values()]
        for model in our_models()
        if model is not Lease
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}


def together(*calls: Callable[[], Result]) -> list[Result | Exception]:
    """Run all calls at once, each in a thread with a connection of its own: what each returned or raised."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result | Exception:
        try:
            connection.ensure_connection()
            barrier.wait(10)
            return call()
        except Exception as error:  # noqa: BLE001 what was raised is what the test looks at
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def statements() -> Iterator[list[dict[str, str]]]:
    """The statements of the block, filled in at its end."""
    was, connection.force_debug_cursor = connection.force_debug_cursor, True
    connection.queries_log.clear()
    found: list[dict[str, str]] = []
    try:
        yield found
        found += connection.queries
    finally:
        connection.force_debug_cursor = was
