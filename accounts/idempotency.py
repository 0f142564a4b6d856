"""Writes that may be sent twice: the second gets the answer of the first, and nothing is done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, ActorKind
from accounts.errors import BadParameters, IdempotencyKeyReused
from accounts.locks import busy_when_locked
from accounts.models import IdempotentAnswer

LIFE = timedelta(hours=24)
MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write was answered: the HTTP status and the body as it went out (text)."""

    status: int
    body: bytes


def once(actor: Actor, operation: str, key: str, body: bytes, act: Callable[[], Answer]) -> Answer:
    """Do `act` unless this actor did `operation` with this Idempotency-Key within 24 hours; answer the same
    then.

    The key is taken in the transaction of the act: a concurrent twin waits for it, and gets the key itself
    when the act is refused. A refusal is an exception out of `act`, and nothing of it is stored. The keys of
    an application serve one backend and share their Idempotency-Keys; a user's are its own. `actor` has an
    application.

    Raises: BadParameters, IdempotencyKeyReused (same key, other body), Busy (the twin takes over two
    seconds), and whatever `act` raises.
    """
    application_id = actor.application_id
    if application_id is None:
        raise ValueError("an Idempotency-Key belongs to an application")
    if not 1 <= len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise BadParameters(fields={"Idempotency-Key": [_("Use 1 to 255 printable ASCII characters.")]})
    caller = "" if actor.kind is ActorKind.APPLICATION else f"{actor.kind.value}:{actor.id}"
    key_digest, request = _sha256(f"{caller}\n{key}".encode()), _sha256(body)
    with busy_when_locked(), transaction.atomic():
        claimed = IdempotentAnswer.objects.claim(application_id, operation, key_digest, request, LIFE)
        if claimed is not None:
            answer = act()
            IdempotentAnswer(pk=claimed, status=answer.status, answer=answer.body.decode()).save(
                update_fields=["status", "answer"]
            )
            return answer
        first = IdempotentAnswer.objects.get(application_id=application_id, operation=operation, key=key_digest)
    if bytes(first.request) != request:
        raise IdempotencyKeyReused
    return Answer(first.status, first.answer.encode())


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
