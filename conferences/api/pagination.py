"""Pages of a list by cursor: neither skipped nor seen twice while rows come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.db.models import Model, Q, QuerySet

from accounts.keys import MAC_BYTES, b64, signer, unb64
from conferences.api.errors import CursorInvalid

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list. `total` counts all that match, on the first page; else it is None."""

    items: list[Any]
    next_cursor: str | None
    total: int | None


def page(rows: QuerySet[Row], data: Mapping[str, Any], sorts: Mapping[str, str]) -> Page:
    """The page of `rows` that `data` (a read `PageQuery`) asks for; `sorts` names a column per wire name.

    A column that is no order by itself is followed by the primary key. It must not be null.

    Raises: CursorInvalid.
    """
    sort, limit, cursor = data["sort"], data["limit"], data.get("cursor")
    column, down = sorts[sort.removeprefix("-")], sort.startswith("-")
    purpose = f"cursor:{rows.model.__name__}:{sort}"
    total = rows.count() if cursor is None else None
    if cursor is not None:
        rows = rows.filter(_after(column, down, *_read(purpose, cursor)))
    sign = "-" if down else ""
    found = list(rows.order_by(f"{sign}{column}", f"{sign}pk")[: limit + 1])
    next_cursor = _write(purpose, found[limit - 1], column) if len(found) > limit else None
    return Page(found[:limit], next_cursor, total)


def _after(column: str, down: bool, value: Any, pk: int) -> Q:
    comparison = "lt" if down else "gt"
    return Q(**{f"{column}__{comparison}": value}) | Q(**{column: value, f"pk__{comparison}": pk})


def _write(purpose: str, last: Model, column: str) -> str:
    value = getattr(last, column)
    place = orjson.dumps([value.isoformat() if isinstance(value, datetime) else value, last.pk])
    return b64(signer(settings.KEYS["signing"]).sign(purpose, place) + place)


def _read(purpose: str, cursor: str) -> list[Any]:
    """The place that we wrote into a cursor: signed, so that nothing in it has to be checked."""
    try:
        raw = unb64(cursor)
    except ValueError:
        raise CursorInvalid() from None
    mac, place = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not signer(settings.KEYS["signing"]).verify(purpose, place, mac):
        raise CursorInvalid()
    found: list[Any] = orjson.loads(place)
    return found
