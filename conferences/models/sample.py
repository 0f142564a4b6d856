"""Sample: what an application was at one moment, for charts. Every ten seconds one, kept for some days."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Application
from conferences.models import rows


class Point(NamedTuple):
    """A stretch of time in a chart: the most there was at once, and how often something happened in it."""

    at: int
    conferences: int
    members: int
    streams: int
    joins: int
    refused: int
    repairs: int


class SampleManager(models.Manager["Sample"]):
    def series(self, applications: Collection[int] | None, since: datetime, step: timedelta) -> list[Point]:
        """What these applications (None: all, and what belongs to none) were together since then, in steps.

        A stretch without any sample is missing: nobody looked.
        """
        sql = """
            SELECT extract(epoch FROM date_bin(%(step)s, tick.at, 'epoch'))::bigint AS began,
                coalesce(max(conferences), 0), coalesce(max(members), 0), coalesce(max(streams), 0),
                coalesce(sum(joins), 0)::bigint, coalesce(sum(refused), 0)::bigint, coalesce(sum(repairs), 0)::bigint
            FROM (
                SELECT at FROM conferences_sample WHERE application_id IS NULL AND at >= %(since)s
            ) tick LEFT JOIN (
                SELECT at, sum(conferences) AS conferences, sum(members) AS members, sum(streams) AS streams,
                    sum(joins) AS joins, sum(refused) AS refused, sum(repairs) AS repairs
                FROM conferences_sample
                WHERE at >= %(since)s AND (%(all)s OR application_id = ANY(%(applications)s)) GROUP BY at
            ) found ON found.at = tick.at
            GROUP BY began ORDER BY began
        """
        values = {"step": step, "since": since, "all": applications is None, "applications": list(applications or ())}
        return [Point(*map(int, row)) for row in rows.execute(sql, values)]

    def refusals(self, applications: Collection[int] | None, since: datetime) -> list[tuple[str, int]]:
        """How often each cause was refused since then, the most frequent first."""
        sql = """
            SELECT cause, sum(number::int)::bigint
            FROM conferences_sample, jsonb_each_text(refusals) AS refused_for (cause, number)
            WHERE at >= %(since)s AND (%(all)s OR application_id = ANY(%(applications)s))
            GROUP BY cause ORDER BY 2 DESC, cause
        """
        values = {"since": since, "all": applications is None, "applications": list(applications or ())}
        return [(cause, int(number)) for cause, number in rows.execute(sql, values)]


class Sample(models.Model):
    """An application at `at`, and what happened in it in the ten seconds before.

    The row of no application says that somebody looked, and has what is nobody's. An application in which nothing
    is and nothing happened has no row.
    """

    application = models.ForeignKey(Application, models.CASCADE, null=True, related_name="samples", db_index=False)
    at = models.DateTimeField()
    conferences = models.PositiveIntegerField(default=0)
    members = models.PositiveIntegerField(default=0)
    streams = models.PositiveIntegerField(default=0)
    bitrate = models.PositiveBigIntegerField(_("bitrate, bit/s"), default=0)
    joins = models.PositiveIntegerField(default=0)
    repairs = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=dict)

    objects = SampleManager()

    class Meta:
        verbose_name = _("sample")
        verbose_name_plural = _("samples")
        constraints = [
            models.UniqueConstraint(fields=["application", "at"], nulls_distinct=False, name="sample_unique")
        ]
        indexes = [models.Index(fields=["at"], name="sample_at")]

    def __str__(self) -> str:
        return f"{self.application_id} at {self.at}"
