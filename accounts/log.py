"""The tamper chain: how a fact becomes a row that the row after it vouches for.

One log per application (acts on accounts) and one per conference. `record` writes the application's;
`conferences.events` writes a conference's with the same `chain`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Application, ApplicationEvent, LogEntry

Entry = TypeVar("Entry", bound=LogEntry)


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened, before it has a number. `personal` holds whatever names or describes a person."""

    type: str
    actor: Actor
    data: dict[str, Any] = field(default_factory=dict)
    personal: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str = ""


def canonical(value: object) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces. Floats are not allowed in a fact."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(salt: bytes, name: str, value: object) -> str:
    """What stands in the chain for a personal field."""
    return hashlib.sha256(salt + canonical([name, value])).hexdigest()


def link(previous: bytes, entry: LogEntry) -> bytes:
    """The hash of `entry` as the successor of the row whose hash is `previous`."""
    body = [
        entry.seq,
        entry.type,
        entry.at.isoformat(),
        entry.actor_kind,
        entry.actor_id,
        entry.request_id,
        entry.data,
        entry.before,
        entry.after,
        entry.digests,
    ]
    return hashlib.sha256(previous + canonical(body)).digest()


def chain(entry: Entry, fact: Fact, *, seq: int, at: datetime, previous: bytes) -> Entry:
    """Fill the unsaved `entry` with `fact` as number `seq`, linked to the row whose hash is `previous`."""
    circumstances = {"actor": fact.actor.name, "address": fact.actor.address, "reason": fact.reason}
    personal = fact.personal | {name: value for name, value in circumstances.items() if value}
    entry.seq, entry.at, entry.type = seq, at, fact.type
    entry.actor_kind, entry.actor_id = fact.actor.kind.value, fact.actor.id
    entry.request_id = fact.actor.request_id
    entry.data, entry.before, entry.after = fact.data, fact.before, fact.after
    entry.personal, entry.salt = personal, os.urandom(16)
    entry.digests = {name: digest(entry.salt, name, value) for name, value in personal.items()}
    entry.hash = link(previous, entry)
    return entry


def record(application: Application, fact: Fact) -> ApplicationEvent:
    """Append `fact` to the application's own log, in the caller's transaction.

    The application's row is locked here, last in the transaction, so that its numbers have no gap; without
    its key, so that rows which merely point at the application do not wait (and two that do cannot deadlock).
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a fact is recorded in the transaction of what it tells")
    head = Application.objects.select_for_update(of=("self",)).only("last_seq", "chain_head").get(pk=application.pk)
    entry = chain(
        ApplicationEvent(application=application),
        fact,
        seq=head.last_seq + 1,
        at=timezone.now(),
        previous=bytes(head.chain_head),
    )
    entry.save(force_insert=True)
    Application.objects.filter(pk=application.pk).update(last_seq=entry.seq, chain_head=entry.hash)
    return entry
