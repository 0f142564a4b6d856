"""Event: one committed fact about a conference."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from accounts.models import LogEntry
from conferences.models import rows
from conferences.models.conference import Conference
from conferences.models.rows import Statement

FACTS_AT_ONCE = 1000


class EventManager(models.Manager["Event"]):
    def append(
        self,
        conference: Conference,
        changed: Sequence[str],
        facts: Sequence[Event],
        also: Sequence[Statement] = (),
    ) -> None:
        """Save the changed columns of `conference`, insert its new facts, and do what goes along with them, in one
        statement per 1000 facts.

        The plain form is `conference.save(update_fields=changed)`, `bulk_create(facts)` and each of the others.
        """
        for start in range(FACTS_AT_ONCE, len(facts), FACTS_AT_ONCE):
            self.bulk_create(facts[start : start + FACTS_AT_ONCE])
        assignments = ", ".join(f'"{name}" = %s' for name in changed)
        sql = f"UPDATE conferences_conference SET {assignments} WHERE id = %s"  # noqa: S608 names of fields
        values = [*rows.parameters(conference, changed), conference.pk]
        parts = [*also]
        if first := facts[:FACTS_AT_ONCE]:
            parts.append(rows.insertion(first))
        if parts:
            sql = f"WITH {', '.join(f'part{n} AS ({part.sql})' for n, part in enumerate(parts))} {sql}"
            values = [value for part in parts for value in part.values] + values
        with connection.cursor() as cursor:
            cursor.execute(sql, values)


class Event(LogEntry):
    """Audit log, replay memory and outbox in one row. Its number has no gap within the conference."""

    # No index of its own: one below begins with it.
    conference = models.ForeignKey(Conference, models.CASCADE, related_name="events", db_index=False)

    objects = EventManager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["conference", "seq"], name="event_seq_unique")]
        indexes = [
            models.Index(fields=["at"], name="event_at"),
            # Few among many: who raises a hand.
            models.Index(
                fields=["conference", "seq"],
                condition=models.Q(type__in=["role.requested", "role.answered"]),
                name="event_hands",
            ),
        ]
