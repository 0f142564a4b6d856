"""Rows by fixed SQL, without the ORM's query compiler: for the few statements that every hot verb runs.

Each has a plain ORM form that says the same, and a test that compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, NamedTuple, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import CharField, JSONField, Model, TextField
from django.db.models.base import ModelState
from psycopg.types.json import Jsonb

M = TypeVar("M", bound=Model)
Converter = Callable[[Any, Any, Any], Any]

# Whether what a statement reads beside the conference that it locks is as new as the conference: had it to wait for
# the lock, the rest is as it was before the wait.
IS_FRESH = (
    "(SELECT c.last_seq FROM conferences_conference c WHERE c.id = conferences_conference.id) "
    "= conferences_conference.last_seq"
)


def among(values: Sequence[Any]) -> tuple[str, Any]:
    """The condition that a column is one of these, and its parameter.

    One alone, as nearly always, is no array: PostgreSQL plans a statement anew for every array, by its length.
    """
    return ("= %s", values[0]) if len(values) == 1 else ("= ANY(%s)", values)


def by_id(kind: str) -> str:
    """The value of an array of this type which stands where a row's id stands in another array."""
    return f"(%s::{kind}[])[array_position(%s::bigint[], id)]"


class Statement(NamedTuple):
    """What changes rows and answers nothing: it can go along with others."""

    sql: str
    values: Sequence[Any]


@cache
def columns(model: type[Model]) -> str:
    """The quoted columns of a model's table, in the order of its fields."""
    table = model._meta.db_table
    return ", ".join(f'"{table}"."{field.column}"' for field in model._meta.concrete_fields)


@cache
def _conversions(model: type[Model]) -> tuple[tuple[int, Converter], ...]:
    """Where a value must be turned into what the model's field holds (JSON), by position."""
    return tuple(
        (position, convert)
        for position, field in enumerate(model._meta.concrete_fields)
        for convert in field.get_db_converters(connection)
    )


@cache
def _names(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def instance(model: type[M], row: Sequence[Any]) -> M:
    """The model instance of a row that was selected by `columns`: what `from_db` makes, at a fifth of its cost."""
    values = list(row)
    for position, convert in _conversions(model):
        values[position] = convert(values[position], None, connection)
    item = model.__new__(model)
    item._state = ModelState()
    item._state.adding, item._state.db = False, DEFAULT_DB_ALIAS
    item.__dict__.update(zip(_names(model), values, strict=True))
    return item


def parameters(item: Model, names: Sequence[str]) -> list[Any]:
    """The values of these fields as parameters of a statement."""
    values, prepare = item.__dict__, _preparations(type(item))
    return [value if type(value := values[name]) in _PLAIN else prepare[name](value) for name in names]


# What the driver takes as it is, whatever field it is of; but a string may be an address, and bytes are bytes.
_PLAIN = frozenset({int, bool, datetime, bytes, NoneType})


@cache
def _preparations(model: type[Model]) -> dict[str, Callable[[Any], Any]]:
    """How other values of each field become parameters."""
    return {field.attname: _preparation(field) for field in model._meta.concrete_fields}


def _preparation(field: Any) -> Callable[[Any], Any]:
    if type(field) is JSONField:
        return lambda value: Jsonb(value, orjson.dumps)
    if type(field) in {CharField, TextField}:
        return str
    return lambda value: field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])


def insert(items: Sequence[Model]) -> None:
    """Insert new rows of one model in one statement; each gets its primary key.

    The plain form is `bulk_create`.
    """
    if not items:
        return
    sql, values = insertion(items)
    for item, (pk,) in zip(items, execute(f"{sql} RETURNING id", values), strict=True):
        item.pk = pk


def insertion(items: Sequence[Model]) -> Statement:
    """The insert of new rows of one model, whose primary keys were fetched ahead or are of no interest.

    All rows are one value, so that one and the same statement inserts however many: read by the driver and planned
    by PostgreSQL once. The plain form is `bulk_create`.
    """
    model, has_pk = type(items[0]), items[0].pk is not None
    fields = [field for field in model._meta.concrete_fields if has_pk or not field.primary_key]
    for item in items:
        for field in fields:
            field.pre_save(item, add=True)  # sets what is set at birth
        item._state.adding, item._state.db = False, DEFAULT_DB_ALIAS
    names = [field.attname for field in fields]
    born = [{name: item.__dict__[name] for name in names} for item in items]
    return Statement(_insert(model, tuple(names)), [orjson.dumps(born, default=_hex).decode()])


@cache
def _insert(model: type[Model], columns: tuple[str, ...]) -> str:
    names, table = ", ".join(f'"{name}"' for name in columns), model._meta.db_table
    born = f'json_populate_recordset(NULL::"{table}", %s)'
    return f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {born}'  # noqa: S608 names of columns


def _hex(value: bytes) -> str:
    """How JSON holds bytes for PostgreSQL."""
    return f"\\x{value.hex()}"


def execute(sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement that answers with rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def run(statements: Iterable[Statement]) -> None:
    """Run what answers nothing, one after the other."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(*statement)


def lock_and_read(sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a SELECT that locks one conference, begins with `IS_FRESH` and reads other rows too; answers the rest of
    each.

    What changes under the lock of a conference changes its last number too: where it shows that somebody else held
    the lock meanwhile, the statement is run again, now that the lock is ours.
    """
    found = execute(sql, values)
    if found and not found[0][0]:
        found = execute(sql, values)
    return [row[1:] for row in found]


def select_one(model: type[M], sql: str, values: Sequence[Any]) -> M | None:
    """Run a SELECT of `columns(model)`. At most one row is expected."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return None if row is None else instance(model, row)
