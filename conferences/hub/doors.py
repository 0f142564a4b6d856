"""The doors of the conferences: who comes at one moment goes in together. Sync, for a thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.authentication import application as known_application
from accounts.errors import DomainError
from accounts.models import Application
from conferences.models import Member
from conferences.services import members, snapshots
from conferences.services.members import Arrival, Entry
from conferences.services.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Admission:
    """A member let in, whether back to its seat (`returned`), its application, and the conference as it was then."""

    member: Member
    returned: bool
    application: Application
    snapshot: Snapshot


def let_in(conference_id: int, arrivals: Sequence[Arrival]) -> list[Admission | DomainError]:
    """Let members in, and read one snapshot for all of them. Raises and records: as `members.enter_together`."""
    entries = members.enter_together(conference_id, arrivals)
    numbers = [entry.member.number for entry in entries if isinstance(entry, Entry)]
    if not numbers:
        return [entry for entry in entries if isinstance(entry, DomainError)]
    snapshot = snapshots.take_snapshot(conference_id, numbers)
    application = known_application(snapshot.conference.application_id)
    return [
        Admission(entry.member, entry.returned, application, snapshot) if isinstance(entry, Entry) else entry
        for entry in entries
    ]


def look_in(conference_id: int, numbers: Sequence[int]) -> list[Snapshot]:
    """One snapshot for all who ask at one moment, with the seats of these numbers in it. Raises: ConferenceNotFound."""
    return [snapshots.take_snapshot(conference_id, numbers)] * len(numbers)
