"""The proof of conferences' logs: sealed, verified, erased and purged. How it works stands in accounts/audit.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts.actors import Actor, ActorKind
from accounts.audit import (
    GENESIS,
    Finding,
    erase,
    seal,
    seal_applications,
    verify_application,
    verify_log,
    verify_seals,
)
from accounts.log import Fact, record
from accounts.models import Application, ApplicationEvent, Seal, User, UserPassword
from accounts.services.user_tokens import revoke_user_tokens
from accounts.sql import purging
from conferences.events import changing_id
from conferences.models import Ban, Conference, Event, MediaSession, Member, Recording, Ticket

SEAL_BATCH, PURGE_BATCH = 500, 100


def log_of(conference: Conference) -> str:
    """The name of a conference's log in seals."""
    return f"conference:{conference.confr_id}"


def seal_logs() -> int:
    """Sign the heads of all logs that grew since their last seal; answers how many."""
    sealed = len(seal_applications())
    grown = Conference.objects.filter(last_seq__gt=F("sealed_seq")).order_by("pk")
    for conference in grown[:SEAL_BATCH]:
        with transaction.atomic():
            seal(log_of(conference), conference.last_seq, bytes(conference.chain_head))
            Conference.objects.filter(pk=conference.pk).update(sealed_seq=conference.last_seq)
        sealed += 1
    return sealed


def verify(*, newest_seal: int = 0) -> Iterator[Finding]:
    """Everything that is not as it was written, in every log. `newest_seal`: a number noted outside the database."""
    yield from verify_seals(Seal.objects.order_by("pk").iterator(), newest_seal)
    for application in Application.objects.order_by("pk"):
        yield from verify_application(application.pk)
    for conference in Conference.objects.order_by("pk").iterator():
        yield from verify_conference(conference)
    living = set(Conference.objects.values_list("confr_id", flat=True))
    logs = Seal.objects.filter(log__startswith="conference:").values_list("log", flat=True).distinct()
    for log in logs:
        if log.partition(":")[2] not in living:
            yield from verify_log(log, [], seq=0, head=GENESIS, seals=Seal.objects.filter(log=log))


def verify_conference(conference: Conference) -> Iterator[Finding]:
    """What is wrong with one conference's log."""
    log = log_of(conference)
    seals = list(Seal.objects.filter(log=log))
    conference.refresh_from_db(fields=["last_seq", "chain_head"])
    rows = Event.objects.filter(conference=conference).order_by("seq").iterator()
    yield from verify_log(log, rows, seq=conference.last_seq, head=bytes(conference.chain_head), seals=seals)


def erase_user(*, actor: Actor, user: User, reason: str = "") -> int:
    """Forget who a user was: its name, seats' texts and addresses, and its part of every log.

    The proof stays whole, since only digests of personal fields are chained. Answers the log rows erased.
    The user's seats, bans and tickets stay as numbers; its tokens are revoked.

    Records: user_token.revoked and user.erased in the application's log.
    """
    revoke_user_tokens(actor=actor, application=user.application, user=user.name)
    rows = 0
    for conference_id in Conference.objects.filter(_touched_by(user)).values_list("pk", flat=True).distinct():
        with changing_id(conference_id) as change:
            rows += erase(_events_of(user, change.conference))
    with transaction.atomic():
        application = user.application
        rows += erase(ApplicationEvent.objects.filter(_about(user), application=application))
        Member.objects.filter(user=user).update(nick_name="", ext="", device="", address=None, extra={})
        Ban.objects.filter(user=user).update(reason="", note="")
        authored = Ban.objects.filter(application=application, author=f"{ActorKind.USER}:{user.name}")
        authored.update(author=f"{ActorKind.USER}:{user.pk}")
        MediaSession.objects.filter(member__user=user).update(address=None)
        UserPassword.objects.filter(user=user).delete()
        User.objects.filter(pk=user.pk).update(name=f"erased-{user.pk}", erased_at=timezone.now())
        record(application, Fact("user.erased", actor, data={"user": user.pk}, reason=reason))
    return rows


def _touched_by(user: User) -> Q:
    return Q(members__user=user) | Q(tickets__user=user) | Q(bans__user=user) | Q(creator=user)


def _about(user: User) -> Q:
    """Facts that name the user: as the actor, as the subject, or in a list."""
    return (
        Q(actor_kind="user", actor_id=str(user.pk))
        | Q(data__user=user.pk)
        | Q(data__users__contains=[user.pk])
        | Q(personal__name=user.name)
    )


def _events_of(user: User, conference: Conference) -> Iterator[Event]:
    numbers = list(Member.objects.filter(user=user, conference=conference).values_list("number", flat=True))
    about = _about(user) | Q(data__member__in=numbers)
    for ticket_id in Ticket.objects.filter(user=user, conference=conference).values_list("pk", flat=True):
        about |= Q(data__tickets__contains=[ticket_id])  # why they were revoked is told in words
    return Event.objects.filter(about, conference=conference).iterator()


def purge() -> int:
    """Delete closed conferences past their retention, each leaving a signed tombstone; answers how many.

    One that still has recordings waits until the last of them has expired or was deleted.
    """
    limit = timezone.now() - timedelta(days=settings.RETENTION_DAYS)
    over = Conference.objects.filter(state=Conference.State.CLOSED, closed_at__lt=limit)
    due = over.exclude(Exists(Recording.objects.filter(conference=OuterRef("pk")))).order_by("pk")
    purged = 0
    for conference in due[:PURGE_BATCH]:
        with purging():
            seal(log_of(conference), conference.last_seq, bytes(conference.chain_head), tombstone=True)
            conference.delete()
        purged += 1
    return purged
