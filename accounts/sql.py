"""SQL that migrations attach to logs, and the one door through it. Used by every app that keeps a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.migrations import RunSQL

FUNCTION = """
CREATE OR REPLACE FUNCTION confr_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF current_setting('confr.purge', true) = 'on' THEN
      RETURN OLD;
    END IF;
  ELSIF NEW.personal = '{}'::jsonb AND NEW.salt = ''::bytea
    AND to_jsonb(NEW) - 'personal' - 'salt' = to_jsonb(OLD) - 'personal' - 'salt' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% is append only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""


def append_only_function() -> RunSQL:
    """The trigger's function, once per database."""
    return RunSQL(FUNCTION, "DROP FUNCTION confr_append_only()")


def append_only(table: str) -> RunSQL:
    """Let rows of `table` (a `LogEntry`) only be added.

    The one update that passes is the erasure of what is personal, whole; a delete passes inside `purging`.
    """
    return RunSQL(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION confr_append_only()",
        f"DROP TRIGGER append_only ON {table}",
    )


@contextmanager
def purging() -> Iterator[None]:
    """A transaction in which rows of a log may be deleted: for retention, after a tombstone was sealed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL confr.purge = 'on'")
        yield
        cursor.execute("SET LOCAL confr.purge = 'off'")
