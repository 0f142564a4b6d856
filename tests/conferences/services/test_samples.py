"""Samples: what charts are drawn from."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.redis import client, key
from conferences import refusals
from conferences.errors import Banned, ConferenceNotFound
from conferences.models import Sample
from conferences.services.messages import broadcast
from conferences.services.moderation import Hold, kick_members
from conferences.services.samples import KEPT, STEP, purge, take_samples
from tests import factories


@pytest.fixture(autouse=True)
def _nothing_counted(committed):
    client().delete(key("refusals"))
    yield
    client().delete(key("refusals"))


def later(clock) -> None:
    """Into the next step."""
    clock.shift(STEP)


def of(application) -> Sample:
    return Sample.objects.filter(application=application).latest("at")


def test_a_sample_is_what_there_is_and_what_happened_since_the_last(clock, application, media, room, foreign):
    room.publish("bob")
    later(clock)
    assert take_samples() == 2
    sample = of(application)
    assert (sample.conferences, sample.members, sample.streams, sample.joins) == (1, 3, 1, 3)
    assert sample.at.second % 10 == 0
    room.enter("dora")
    later(clock)
    take_samples()
    assert (of(application).members, of(application).joins) == (4, 1)
    assert not Sample.objects.filter(application=foreign).exists()
    assert of(None).conferences == 0


def test_the_same_ten_seconds_are_sampled_once(clock, application, room):
    later(clock)
    assert take_samples() == 2
    assert take_samples() == 0
    assert Sample.objects.count() == 2


def test_after_a_pause_what_happened_meanwhile_is_in_one_sample(clock, application, room):
    later(clock)
    take_samples()
    room.enter("dora")
    for _ in range(3):
        later(clock)
    take_samples()
    assert of(application).joins == 1


def test_refusals_are_counted_by_cause_for_whom_they_concern(clock, application, room):
    kick_members(actor=room.backend, confr_id=room.id, names=["bob"], hold=Hold())
    with pytest.raises(Banned) as refused:
        room.enter("bob")
    assert refused.value.application_id == application.pk
    for _ in range(2):
        refusals.count(refused.value, "live")
    refusals.count(ConferenceNotFound(), "api", application.pk)
    refusals.count(ConferenceNotFound(), "api")
    factories.until(lambda: client().hlen(key("refusals")) == 3)
    later(clock)
    take_samples()
    assert of(application).refusals == {"banned": 2, "conference_not_found": 1}
    assert of(application).refused == 3
    assert of(None).refusals == {"conference_not_found": 1}
    since = timezone.now() - timedelta(minutes=1)
    assert Sample.objects.refusals([application.pk], since) == [("banned", 2), ("conference_not_found", 1)]
    assert Sample.objects.refusals(None, since) == [("banned", 2), ("conference_not_found", 2)]
    assert refusals.collect() == {}


def test_the_number_of_statements_does_not_depend_on_what_there_is(clock, robot, room, foreign_robot):
    later(clock)
    with CaptureQueriesContext(
        connection,
    ) as alone:
        take_samples()
    for actor in (robot, foreign_robot):
        for _ in range(3):
            factories.room(actor).enter("dora")
    later(clock)
    with CaptureQueriesContext(connection) as together:
        take_samples()
    assert len(alone) == len(together)


def test_a_series_shows_the_most_at_once_and_the_sum_of_what_happened(application, foreign):
    began = datetime.fromtimestamp(time.time() // 60 * 60 - 120, UTC)
    for step, members in enumerate([5, 9, 0]):
        at = began + step * STEP
        Sample.objects.create(at=at)
        if members:  # of an application in which nothing is there is no row
            Sample.objects.create(application=application, at=at, conferences=1, members=members, joins=members)
    Sample.objects.create(application=foreign, at=began, conferences=1, members=100, joins=100)
    own = Sample.objects.series([application.pk], began, timedelta(minutes=1))
    assert own == [(int(began.timestamp()), 1, 9, 0, 14, 0, 0)]
    fine = Sample.objects.series([application.pk], began, STEP)
    assert [point.members for point in fine] == [5, 9, 0]
    everything = Sample.objects.series(None, began, timedelta(minutes=1))
    assert everything == [(int(began.timestamp()), 2, 105, 0, 114, 0, 0)]
    assert Sample.objects.series([], began, STEP)[0].members == 0


def test_old_samples_are_purged(application):
    now = timezone.now()
    for age in (KEPT + STEP, KEPT - STEP):
        Sample.objects.create(application=application, at=now - age)
    assert purge() == 1
    assert Sample.objects.get().at == now - KEPT + STEP


def test_who_watches_is_told_that_there_are_new_samples(clock, application, room, published):
    broadcast(actor=room.backend, confr_id=room.id, content="x")
    published.facts()
    later(clock)
    take_samples()
    assert published.facts() == [{"seq": 0, "type": "sample.taken", "data": {}}]
