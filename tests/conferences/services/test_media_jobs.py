from __future__ import annotations

import pytest
from django.db import connection

from conferences.models import MediaJob
from conferences.services import media_jobs
from conferences.services.media_jobs import ClaimLost
from tests.database import together

pytestmark = pytest.mark.usefixtures("committed")


def claim(owner: str, *targets: int, most: int = 10) -> dict[int, int]:
    return media_jobs.claim(kind="recorder", targets=targets, owner=owner, most=most)


def expire() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conferences_mediajob SET lease_until = now() - interval '1 second'")


def test_what_one_does_another_does_not():
    mine = claim("one", 1, 2)

    assert set(mine) == {1, 2}
    assert set(claim("other", 1, 2, 3)) == {3}
    assert set(media_jobs.claim(kind="mixer", targets=[1], owner="other", most=1)) == {1}
    assert media_jobs.claimed(kind="recorder") == {1, 2, 3}


def test_no_more_is_taken_than_there_is_room_for():
    assert list(claim("one", 5, 6, 7, most=2)) == [5, 6]
    assert claim("one", 7, most=0) == {}
    assert claim("one", 7, most=-1) == {}


def test_a_silent_owner_loses_it_to_a_greater_number_and_writes_nothing_more():
    mine = claim("one", 1)[1]
    with media_jobs.holding(mine):
        pass
    expire()
    assert media_jobs.claimed(kind="recorder") == set()

    theirs = claim("other", 1)[1]

    assert theirs > mine
    assert media_jobs.renew(owner="one") == set()
    with pytest.raises(ClaimLost), media_jobs.holding(mine):
        pytest.fail("it writes")
    media_jobs.release(fence=mine)
    assert media_jobs.claimed(kind="recorder") == {1}


def test_an_owner_who_comes_back_in_time_goes_on():
    mine = claim("one", 1)[1]
    expire()

    assert media_jobs.renew(owner="one") == {mine}
    assert claim("other", 1) == {}


def test_what_is_released_is_free():
    media_jobs.release(fence=claim("one", 1)[1])

    assert set(claim("other", 1)) == {1}


def test_of_many_who_want_it_at_once_each_thing_has_one_owner():
    claim("dead", *range(20))
    expire()

    answers = together(*[lambda name=f"owner{n}": claim(name, *range(40), most=40) for n in range(6)])

    found = [fence for answer in answers if isinstance(answer, dict) for fence in answer.values()]
    assert len(found) == len(set(found))
    assert MediaJob.objects.exclude(owner="dead").count() == len(found)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert claim("last", *range(40), most=40).keys() | media_jobs.claimed(kind="recorder") == set(range(40))
