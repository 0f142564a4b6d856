"""Pages by keyset, and tables for spreadsheets."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone
from django.utils.translation import gettext, override

from accounts.errors import BadParameters
from conferences.dashboard.csv import BYTE_ORDER_MARK, csv_response
from conferences.dashboard.paging import BATCH, in_batches, paginate
from conferences.models import Ban
from tests import factories


@pytest.fixture
def bans(application) -> list[Ban]:
    """Seven, of which some are added in the same instant."""
    user, now = factories.user(application, "eve"), timezone.now()
    made = Ban.objects.bulk_create(Ban(application=application, user=user, reason=f"{n}") for n in range(7))
    for ban, minutes in zip(made, [5, 1, 3, 3, 3, 0, 2], strict=True):
        Ban.objects.filter(pk=ban.pk).update(created_at=now - timedelta(minutes=minutes))
    return made


@pytest.mark.parametrize("key", ["-id", "id", "-created_at", "created_at"])
def test_every_row_is_shown_once_forwards_and_backwards(bans, key):
    whole = [ban.pk for ban in Ban.objects.order_by(key, "-pk" if key.startswith("-") else "pk")]
    url: str | None = "/?state=any"
    forwards, pages = [], []
    while url:
        page = paginate(Ban.objects.all(), RequestFactory().get(url), key, size=2)
        pages.append([ban.pk for ban in page])
        forwards += pages[-1]
        last, url = page, page.next_url
        assert url is None or "state=any" in url
    assert forwards == whole
    assert len(pages) == 4
    for expected in reversed(pages[:-1]):
        assert last.previous_url is not None
        last = paginate(Ban.objects.all(), RequestFactory().get(last.previous_url), key, size=2)
        assert [ban.pk for ban in last] == expected
    assert last.previous_url is None
    assert last.next_url is not None
    assert [ban.pk for ban in in_batches(Ban.objects.all(), key)] == whole


def test_batches_go_on_where_the_last_one_ended(bans, monkeypatch):
    monkeypatch.setattr("conferences.dashboard.paging.BATCH", 3)
    assert BATCH > 3
    assert len({ban.pk for ban in in_batches(Ban.objects.all(), "-created_at")}) == 7


@pytest.mark.parametrize("cursor", ["x", "[1]", '["x",1]', "{}", "null5", '[null,"x"]'])
def test_a_cursor_that_is_none_is_refused(bans, cursor):
    with pytest.raises(BadParameters):
        paginate(Ban.objects.all(), RequestFactory().get("/", {"after": cursor}), "-created_at")


def test_no_cell_is_a_formula_and_the_language_is_the_readers():
    rows = [["=1+1", "+1", "-1", "@x", "\tx", "plain", 'a "b", c', None, -5, True]] * 450
    translated = ([*row, gettext("Search")] for row in rows)
    with override("zh-hans"):
        response = csv_response("t.csv", [gettext("Search")], translated)
    text = b"".join(response).decode()
    assert text.startswith(BYTE_ORDER_MARK)
    header, *found = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK)))
    assert header != ["Search"]
    expected = ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain", 'a "b", c', "", "-5", "True", header[0]]
    assert found == [expected] * 450
    assert response["Content-Disposition"] == 'attachment; filename="t.csv"'
