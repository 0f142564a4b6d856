"""Pages of a list by keyset: as quick on the thousandth page as on the first, and nothing is shown twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest

from accounts.errors import BadParameters

M = TypeVar("M", bound=Model)
T = TypeVar("T")

AFTER, BEFORE = "after", "before"
BATCH = 1000

Mark = list[Any]  # where a row stands in the order of its list: its key, and what tells it from its equals
Read = Callable[[Mark | None, bool, int], list[T]]  # so many rows beyond a mark, going forwards or backwards


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and where the rows before and after are shown (None: there are none)."""

    items: Sequence[T]
    previous_url: str | None
    next_url: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def paginate(queryset: QuerySet[M], request: HttpRequest, key: str = "-id", size: int = 50) -> Page[M]:
    """The page of `queryset` that the request's query names, ordered by `key` and then by the primary key.

    `key` is a field or an annotation that is never null, with "-" for descending; the rest of the query stays in
    the addresses of the neighbours. Raises: BadParameters (a cursor that is none).
    """
    return turn(request, _read(queryset, key), _mark(key), size)


def in_batches(queryset: QuerySet[M], key: str = "-id") -> Iterator[M]:
    """All rows of a long list, read batch by batch: for answers that stream, whose pieces come in any thread."""
    return go_through(_read(queryset, key), _mark(key))


def turn(request: HttpRequest, read: Read[T], mark: Callable[[T], Mark], size: int = 50) -> Page[T]:
    """`paginate` for whatever can be read beyond a mark."""
    backwards = BEFORE in request.GET
    cursor = request.GET.get(BEFORE if backwards else AFTER)
    try:
        found = read(orjson.loads(cursor) if cursor else None, backwards, size + 1)
    except (ValueError, TypeError, OverflowError, ValidationError, DataError) as error:
        if not cursor:
            raise
        raise BadParameters(field="cursor") from error
    more, items = len(found) > size, found[:size]
    if backwards:
        items.reverse()
    has_previous, has_next = (more, True) if backwards else (bool(cursor), more)
    return Page(
        items,
        _address(request, BEFORE, mark(items[0])) if items and has_previous else None,
        _address(request, AFTER, mark(items[-1])) if items and has_next else None,
    )


def go_through(read: Read[T], mark: Callable[[T], Mark]) -> Iterator[T]:
    """`in_batches` for whatever can be read beyond a mark."""
    batch = read(None, False, BATCH)
    while batch:
        yield from batch
        batch = read(mark(batch[-1]), False, BATCH)


def _read(queryset: QuerySet[M], key: str) -> Read[M]:
    name = key.removeprefix("-")

    def read(beyond: Mark | None, backwards: bool, count: int) -> list[M]:
        descending = key.startswith("-") is not backwards
        sign = "-" if descending else ""
        ordered = queryset.order_by(*dict.fromkeys([f"{sign}{name}", f"{sign}pk"]))
        if beyond is not None:
            value, pk = beyond
            value, pk = _field(queryset, name).to_python(value), queryset.model._meta.pk.to_python(pk)
            compare = "lt" if descending else "gt"
            ordered = ordered.filter(Q((f"{name}__{compare}", value)) | Q((name, value), (f"pk__{compare}", pk)))
        return list(ordered[:count])

    return read


def _mark(key: str) -> Callable[[Model], Mark]:
    name = key.removeprefix("-")
    return lambda row: [getattr(row, name), row.pk]


def _field(queryset: QuerySet[M], name: str) -> Field[Any, Any]:
    annotation = queryset.query.annotations.get(name)
    found = queryset.model._meta.get_field(name) if annotation is None else annotation.output_field
    assert isinstance(found, Field)
    return found


def _address(request: HttpRequest, direction: str, mark: Mark) -> str:
    query = request.GET.copy()
    for each in (AFTER, BEFORE):
        query.pop(each, None)
    query[direction] = json.dumps(mark, default=str, separators=(",", ":"))
    return f"{request.path}?{query.urlencode()}"
