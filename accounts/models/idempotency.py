"""IdempotentAnswer: what a call with an Idempotency-Key was answered, so that its twin gets the same."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField
from accounts.models.application import Application

CLAIM = """
INSERT INTO accounts_idempotentanswer
  (application_id, operation, key, request, status, answer, expires_at)
VALUES
  (%(application)s, %(operation)s, %(key)s, %(request)s, 0, '', now() + make_interval(secs => %(seconds)s))
ON CONFLICT (application_id, operation, key) DO UPDATE
SET request = EXCLUDED.request, status = 0, answer = '', expires_at = EXCLUDED.expires_at
WHERE accounts_idempotentanswer.expires_at <= now()
RETURNING id
"""


class IdempotentAnswerManager(models.Manager["IdempotentAnswer"]):
    def claim(self, application_id: int, operation: str, key: bytes, request: bytes, life: timedelta) -> int | None:
        """Take a key for this transaction: the row's id, or None when it was answered within its life.

        One statement, which waits for a concurrent twin to commit or to give up, and takes over an expired
        row.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                CLAIM,
                {
                    "application": application_id,
                    "operation": operation,
                    "key": key,
                    "request": request,
                    "seconds": life.total_seconds(),
                },
            )
            row = cursor.fetchone()
        return row[0] if row else None


class IdempotentAnswer(models.Model):
    """One answered call. Its row is born in the transaction of the act, so it exists if and only if the act
    does.

    `key` is the SHA-256 of who called and the key that was sent, `request` that of the body.
    """

    application = models.ForeignKey(Application, models.CASCADE, related_name="+")
    operation = models.CharField(max_length=64)
    key = models.BinaryField(max_length=32)
    request = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(default=0)
    answer = EncryptedTextField(default="")
    expires_at = models.DateTimeField(db_index=True)

    objects = IdempotentAnswerManager()

    class Meta:
        verbose_name = _("idempotent answer")
        verbose_name_plural = _("idempotent answers")
        constraints = [
            models.UniqueConstraint(fields=["application", "operation", "key"], name="idempotent_answer_unique")
        ]

    def __str__(self) -> str:
        return f"{self.operation} of {self.application_id}"
