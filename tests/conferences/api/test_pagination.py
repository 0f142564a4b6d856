"""Pages: whole, in order, and safe from tampering."""

from __future__ import annotations

import pytest

from tests.api_client import answered, problem


def walk(caller, path, limit):
    """Every item of a list, page by page."""
    items, cursor, pages = [], "", 0
    while True:
        document = answered(caller.get(f"{path}limit={limit}{cursor}"))
        items += document["items"]
        pages += 1
        assert (document["total"] is None) == bool(cursor)
        if document["nextCursor"] is None:
            return items, pages
        assert len(document["items"]) == limit
        cursor = f"&cursor={document['nextCursor']}"


@pytest.mark.parametrize("sort", ["createdAt", "-createdAt", "name", "-name", "type", "-type", "state"])
def test_pages_together_are_the_list(backend, new_room, sort):
    for number in range(7):
        new_room([10, 12][number % 2], name=f"room-{number % 3}-{number}")
    whole, _ = walk(backend, f"/conferences?sort={sort}&", 200)
    paged, pages = walk(backend, f"/conferences?sort={sort}&", 2)
    assert paged == whole
    assert (len(whole), pages) == (7, 4)


def test_a_list_that_ends_with_a_page_has_no_other(backend, new_room):
    new_room()
    new_room()
    assert walk(backend, "/conferences?", 2)[1] == 1


def test_what_comes_meanwhile_is_neither_skipped_nor_seen_twice(backend, new_room):
    rooms = [new_room() for _ in range(4)]
    first = answered(backend.get("/conferences?limit=2"))
    new_room()
    answered(backend.delete(f"/conferences/{rooms[3].id}"))
    second = answered(backend.get(f"/conferences?limit=2&cursor={first['nextCursor']}"))
    seen = [item["confrId"] for item in first["items"] + second["items"]]
    assert seen == [room.id for room in reversed(rooms)]


def test_a_cursor_is_of_one_list_and_one_order(backend, new_room, room):
    new_room()
    cursor = answered(backend.get("/conferences?limit=1"))["nextCursor"]
    for path in (
        f"/conferences?limit=1&sort=name&cursor={cursor}",
        f"/conferences/{room.id}/members?limit=1&cursor={cursor}",
        f"/conferences?cursor={cursor[:-2]}",
        f"/conferences?cursor=x{cursor}",
        "/conferences?cursor=",
        "/conferences?cursor=%00",
        "/conferences?cursor=AAAA",
        "/conferences?cursor=" + "A" * 512,
    ):
        response = backend.get(path)
        assert response.status_code == 400
        assert response.json()["code"] in {"cursor_invalid", "bad_parameters"}


def test_a_foreign_cursor_shows_nothing_foreign(backend, foreign_backend, new_room):
    new_room()
    new_room()
    cursor = answered(backend.get("/conferences?limit=1"))["nextCursor"]
    assert answered(foreign_backend.get(f"/conferences?limit=1&cursor={cursor}"))["items"] == []


def test_a_repeated_parameter_is_refused(backend):
    problem(backend.get("/conferences?state=live&state=closed"), 400, "bad_parameters")
