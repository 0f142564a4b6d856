"""Tables for spreadsheets: streamed, readable by Excel, and no cell is a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice

from django.http import StreamingHttpResponse
from django.utils.translation import get_language, override

BYTE_ORDER_MARK = "\ufeff"  # else Excel takes UTF-8 for something else
FORMULA_BEGINNINGS = tuple("=+-@\t\r\n＝＋－＠")  # in the widths of all keyboards
ROWS_PER_PIECE = 200


class _Echo:
    """Gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_response(filename: str, header: Sequence[object], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A download of `rows`, which are read while it goes out: give it `paging.in_batches`, not a database cursor."""
    pieces = chain([BYTE_ORDER_MARK], _pieces(chain([header], rows), get_language()))
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _pieces(rows: Iterator[Sequence[object]], language: str | None) -> Iterator[str]:
    """Some rows at a time, each piece in the language of the request: it may come from another thread."""
    writer = csv.writer(_Echo())
    while True:
        with override(language):
            piece = "".join(writer.writerow(map(_cell, row)) for row in islice(rows, ROWS_PER_PIECE))
        if not piece:
            return
        yield piece


def _cell(value: object) -> str:
    """As text, and with a quote before it where a spreadsheet would calculate."""
    match value:
        case None:
            return ""
        case bool() | int() | float():
            return str(value)
        case datetime():
            return value.isoformat(timespec="seconds")
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text
