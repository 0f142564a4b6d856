"""The proof of a log: seals over its head, what has been done to it since, and erasure that leaves it whole.

The application's log and a conference's are the same here: rows of a `LogEntry`, a last number and a head.
What the database alone cannot show, the newest seals cut off together with the rows that they cover, shows
against the number of a seal that was noted elsewhere (`manage.py verify_audit` prints it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db import connection, transaction
from django.db.models import CharField, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from orjson import JSONEncodeError

from accounts.keys import signer
from accounts.log import canonical, digest, link
from accounts.models import Application, ApplicationEvent, LogEntry, Seal

GENESIS = bytes(32)
FIRST_MAC = b""
PURPOSE = "seal"
SEALING = 0x5EA1  # the advisory lock under which one seal follows another


class Fault(StrEnum):
    ROW_CHANGED = "row changed"
    ROW_MISSING = "row missing"
    TAIL_CUT = "tail cut"
    HEAD_CHANGED = "head changed"
    PERSONAL_CHANGED = "personal field changed"
    SEAL_BROKEN = "seal does not fit the log"
    SEAL_FORGED = "seal forged"
    SEAL_REMOVED = "seal removed"
    NOT_PURGED = "row of a purged log"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written; `seq` is the number of the row, or of the seal."""

    log: str
    seq: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.log} at {self.seq}: {self.fault}"


@transaction.atomic
def seal(log: str, seq: int, head: bytes, *, tombstone: bool = False) -> Seal:
    """Sign that `log` ("application:<id>", "conference:<confrId>") stood at `seq` with `head`.

    Seals are numbered without gaps and each covers the one before, over all logs, so that none can be taken
    out. A tombstone is the last seal of a log: its rows are to be deleted, and only that they were is left to
    prove.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEALING])
    previous = Seal.objects.order_by("-pk").first()
    new = Seal(
        pk=previous.pk + 1 if previous else 1,
        log=log,
        seq=seq,
        head=head,
        at=timezone.now(),
        tombstone=tombstone,
    )
    message = _message(new, bytes(previous.mac) if previous else FIRST_MAC)
    new.mac = signer(settings.KEYS["seals"]).sign(PURPOSE, message)
    new.save(force_insert=True)
    return new


def verify_seals(seals: Iterable[Seal], newest: int = 0) -> Iterator[Finding]:
    """What is wrong with all seals (of every log, in the order of their numbers) as a chain.

    `newest` is the number of a seal that is known to have been made: fewer are a fault.
    """
    signed = signer(settings.KEYS["seals"])
    number, mac = 0, FIRST_MAC
    for row in seals:
        if row.pk != number + 1:
            yield Finding(row.log, number + 1, Fault.SEAL_REMOVED)
        elif not signed.verify(PURPOSE, _message(row, mac), bytes(row.mac)):
            yield Finding(row.log, row.pk, Fault.SEAL_FORGED)
        number, mac = row.pk, bytes(row.mac)
    if number < newest:
        yield Finding("seals", newest, Fault.SEAL_REMOVED)


def verify_log(
    log: str, rows: Iterable[LogEntry], *, seq: int, head: bytes, seals: Iterable[Seal]
) -> Iterator[Finding]:
    """What is wrong with one log: its rows by number, its last number and head, and its seals.

    Read the seals first, then the number and the head, then the rows: the log may grow meanwhile. Of a log
    that was purged, give 0 and `GENESIS`. Whether the seals are genuine is for `verify_seals` to say.
    """
    sealed, purged = _sealed_heads(seals)
    last, previous = 0, GENESIS
    found_head = GENESIS
    for row in rows:
        if purged:
            yield Finding(log, row.seq, Fault.NOT_PURGED)
            return
        yield from _row_findings(log, row, last, previous)
        last, previous = row.seq, bytes(row.hash)
        if not sealed.get(last, set()) <= {previous}:
            yield Finding(log, last, Fault.SEAL_BROKEN)
        if last == seq:
            found_head = previous
    if purged:
        return
    furthest = max([seq, *sealed])
    if last < furthest:
        yield Finding(log, furthest, Fault.TAIL_CUT)
    elif seq < max(sealed, default=0) or found_head != head:
        yield Finding(log, seq, Fault.HEAD_CHANGED)


def erase(rows: Iterable[LogEntry]) -> int:
    """Blank what is personal in `rows`, with the salts; their digests stay in the chain and tell nothing now.

    Whole rows only: a salt that stays for one field would let the erased name of another be guessed.
    """
    erased = 0
    for row in rows:
        row.personal, row.salt = {}, b""
        row.save(update_fields=["personal", "salt"])
        erased += 1
    return erased


def application_log(application_id: int) -> str:
    return f"application:{application_id}"


def seal_applications() -> list[Seal]:
    """Seal the log of every application that grew since its newest seal."""
    log = Concat(Value("application:"), Cast("pk", CharField()))
    newest = Seal.objects.filter(log=OuterRef("log")).order_by("-pk").values("seq")[:1]
    applications = Application.objects.annotate(log=log).annotate(sealed=Subquery(newest))
    grown = applications.filter(Q(sealed=None) | Q(sealed__lt=F("last_seq"))).order_by("pk")
    return [seal(log, seq, bytes(head)) for log, seq, head in grown.values_list("log", "last_seq", "chain_head")]


def verify_application(application_id: int) -> Iterator[Finding]:
    """What is wrong with an application's own log."""
    log = f"application:{application_id}"
    seals = list(Seal.objects.filter(log=log))
    application = Application.objects.only("last_seq", "chain_head").get(pk=application_id)
    rows = ApplicationEvent.objects.filter(application_id=application_id).order_by("seq").iterator()
    head = bytes(application.chain_head)
    yield from verify_log(log, rows, seq=application.last_seq, head=head, seals=seals)


def _message(row: Seal, previous_mac: bytes) -> bytes:
    facts = [row.pk, row.log, row.seq, bytes(row.head).hex(), row.at.isoformat(), row.tombstone]
    return previous_mac + canonical(facts)


def _sealed_heads(seals: Iterable[Seal]) -> tuple[dict[int, set[bytes]], bool]:
    """The sealed heads by number, and whether the log has a tombstone."""
    heads: dict[int, set[bytes]] = {}
    purged = False
    for row in seals:
        heads.setdefault(row.seq, set()).add(bytes(row.head))
        purged = purged or row.tombstone
    return heads, purged


def _row_findings(log: str, row: LogEntry, last: int, previous: bytes) -> Iterator[Finding]:
    if row.seq != last + 1:
        yield Finding(log, last + 1, Fault.ROW_MISSING)  # and what follows a gap has no predecessor to fit
    elif not _fits(row, previous):
        yield Finding(log, row.seq, Fault.ROW_CHANGED)
    salt = bytes(row.salt)
    erased = not row.personal and not salt
    digests = {name: digest(salt, name, value) for name, value in row.personal.items()}
    if not erased and digests != row.digests:
        yield Finding(log, row.seq, Fault.PERSONAL_CHANGED)


def _fits(row: LogEntry, previous: bytes) -> bool:
    try:
        return link(previous, row) == bytes(row.hash)
    except JSONEncodeError:
        return False  # a number that no fact of ours can hold
