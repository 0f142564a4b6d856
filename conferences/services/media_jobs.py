"""Media jobs: which worker does what lasts as long as a stream. The clock is the database's alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from conferences.models import MediaJob

LEASE = timedelta(seconds=4)


class ClaimLost(Exception):
    """Somebody else may do the job by now: the holder must stop, and write nothing more."""


@transaction.atomic
def claim(*, kind: str, targets: Collection[int], owner: str, most: int) -> dict[int, int]:
    """Take what nobody does, `most` at most; answers the fencing number of each that is ours now."""
    wanted = list(targets)
    expired = MediaJob.objects.filter(kind=kind, lease_until__lt=Now()).select_for_update(skip_locked=True)
    MediaJob.objects.filter(pk__in=[job.pk for job in expired]).delete()
    taken = set(MediaJob.objects.filter(kind=kind, target__in=wanted).values_list("target", flat=True))
    free = [target for target in wanted if target not in taken][: max(most, 0)]
    MediaJob.objects.bulk_create(
        [
            MediaJob(kind=kind, target=target, owner=owner, claimed_at=Now(), lease_until=Now() + LEASE)
            for target in free
        ],
        ignore_conflicts=True,
    )
    ours = MediaJob.objects.filter(kind=kind, target__in=free, owner=owner)
    return dict(ours.values_list("target", "pk"))


def renew(*, owner: str) -> set[int]:
    """Prolong all that a worker holds; answers the fencing numbers of what it still holds."""
    jobs = MediaJob.objects.filter(owner=owner)
    jobs.update(lease_until=Now() + LEASE)
    return set(jobs.values_list("pk", flat=True))


def release(*, fence: int) -> None:
    """Let another do it. Of what was lost it means nothing."""
    MediaJob.objects.filter(pk=fence).delete()


@contextmanager
def holding(fence: int) -> Iterator[None]:
    """A transaction in which the claim stays ours. Raises: ClaimLost."""
    with transaction.atomic():
        if not MediaJob.objects.select_for_update().filter(pk=fence).exists():
            raise ClaimLost
        yield


def claimed(*, kind: str) -> set[int]:
    """What somebody does."""
    return set(MediaJob.objects.filter(kind=kind, lease_until__gte=Now()).values_list("target", flat=True))
