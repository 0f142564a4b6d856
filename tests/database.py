"""Real commits for tests, and how they are told apart and taken back. Quicker than truncating by far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
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
    with purging(), connection.cursor() as cursor:
        cursor.execute(_deletion())


@cache
def _deletion() -> sql.Composed:
    """All in one go: after every test, each round trip would count."""
    theirs = [model for label in LIBRARIES for model in apps.get_app_config(label).get_models()]
    tables = {model._meta.db_table for model in [*our_models(), *theirs]}
    tables |= {field.m2m_db_table() for model in our_models() for field in model._meta.local_many_to_many}
    return sql.SQL(";").join(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in sorted(tables))


def do_not_wait_for_the_disk() -> None:
    """What is committed here need not outlive a power cut. It counts from the next connection on."""
    with connection.cursor() as cursor:
        name = sql.Identifier(connection.settings_dict["NAME"])
        cursor.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
    connection.close()


def end_other_connections() -> None:
    """Those of threads that work beside the tests would keep the database from being dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def all_rows() -> dict[str, list[dict[str, Any]]]:
    """Everything that is stored, comparable; but for the leases, which web processes beside the test renew."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(_selection())
        for model in _stored_models():
            names = [column.name for column in cursor.description or ()]
            found[model._meta.label] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            cursor.nextset()
    return found


@cache
def _selection() -> sql.Composed:
    """All in one go, and without the ORM: every test of a refusal asks twice."""
    select = sql.SQL("SELECT * FROM {} ORDER BY {}")
    return sql.SQL(";").join(
        select.format(sql.Identifier(model._meta.db_table), sql.Identifier(str(model._meta.pk.column)))
        for model in _stored_models()
    )


def _stored_models() -> list[type[Model]]:
    return [model for model in our_models() if model is not Lease]


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


EXPLAINED = {"SELECT", "WITH", "INSERT", "UPDATE"}


@contextmanager
def rows_in_vain() -> Iterator[list[tuple[int, str]]]:
    """The most rows that a step of each statement of the block read and threw away, and the statement.

    Each statement is explained before it is run: run, measured, and taken back.
    """
    found: list[tuple[int, str]] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.split()[0] in EXPLAINED:
            driver = connection.connection
            with driver.transaction(force_rollback=True), driver.cursor() as cursor:
                (((plan,),),) = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                found.append((_in_vain(plan["Plan"]), sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def _in_vain(step: dict[str, Any]) -> int:
    removed: int = step.get("Rows Removed by Filter", 0) + step.get("Rows Removed by Join Filter", 0)
    return max([removed, *map(_in_vain, step.get("Plans", ()))])
