"""Conferences: created, changed, ended."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.lookups import LessThanOrEqual
from django.utils import timezone

from accounts.actors import Actor, system
from accounts.authentication import application as known_application
from accounts.errors import ApplicationNotFound
from accounts.locks import busy_when_locked
from accounts.models import Application, User
from accounts.names import user_name
from conferences.errors import Banned, ConferenceLimitReached, ConferenceNameTaken, ConferenceNotFound
from conferences.events import Change, changing, changing_id, creating
from conferences.models import CloseReason, Conference, ConferenceType, Role, StopReason
from conferences.models.conference import ENDINGS, ends_at
from conferences.permissions import Action, require
from conferences.services import takes, tickets
from conferences.services.access import authorise, is_kept_out
from conferences.services.members import close
from conferences.services.tickets import DEFAULT_ROLE, Issued, password_mac

# Each may be overridden per application and per conference.
DEFAULT_LIMITS: dict[int, dict[str, int]] = {
    ConferenceType.COMMUNICATION: {"talkers": 9, "videos": 9, "audience": 9, "desktops": 2},
    ConferenceType.COMMUNICATION_MIX: {"talkers": 30, "videos": 9, "audience": 600, "desktops": 2},
    ConferenceType.LIVE: {"talkers": 9, "videos": 9, "audience": 600, "desktops": 2},
}
GENERATED_PASSWORD_BYTES = 6


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a creator wants of the new conference; what is None takes the default.

    `password` None: one is generated; "": there is none. `limits` may hold talkers, videos, audience, desktops.
    """

    type: int = ConferenceType.COMMUNICATION
    name: str = ""
    password: str | None = None
    creator: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    default_role: Role | None = None
    allow_audience_talk: bool = False
    delay_seconds: int = 120
    max_seconds: int | None = None
    adminless_seconds: int | None = None
    rec: bool = False
    rec_merge: bool = False
    ext: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """A new conference; its password, told this once; and the creator's ticket, if there is a creator."""

    conference: Conference
    password: str
    issued: Issued | None
    is_new: bool = True


def create_conference(*, actor: Actor, wishes: Wishes) -> Created:
    """Begin a conference. A user creates as itself; an application may name the creator.

    Raises: ConferenceNameTaken, ConferenceLimitReached, Banned (from the whole application), NotAllowed,
    ScopeMissing, UserNameInvalid; RecordingQuotaReached, RecordingDiskFull, RecordingFolderAway when it is to be
    recorded.
    Records: conference.created; recording.started; ticket.issued when there is a creator.
    """
    require(actor, Action.CREATE)
    if actor.application_id is None:
        raise ApplicationNotFound()
    application = known_application(actor.application_id)
    _check_quota(application)
    password = secrets.token_urlsafe(GENERATED_PASSWORD_BYTES) if wishes.password is None else wishes.password
    try:
        with busy_when_locked(), transaction.atomic():
            creator = _creator(actor, application, wishes)
            conference = _conference(application, creator, wishes, password)
            with creating(conference) as change:
                if actor.user_id is not None and is_kept_out(conference, actor.user_id, actor.address):
                    raise Banned()
                _tell(change, actor)
                if wishes.rec:
                    takes.begin_take(change, actor)
                issued = None
                if creator is not None:
                    issued = tickets.add_ticket(change, actor, creator, Role.ADMIN, application.ticket_seconds)
    except IntegrityError as error:
        if "conference_live_name_unique" in str(error):
            raise ConferenceNameTaken(name=wishes.name) from None
        raise
    return Created(conference, password, issued)


def _check_quota(application: Application) -> None:
    """A soft limit: two at once may pass it by one, since nothing is worth a lock on the whole tenant."""
    if application.max_conferences is None:
        return
    live = Conference.objects.filter(application=application, state=Conference.State.LIVE).count()
    if live >= application.max_conferences:
        raise ConferenceLimitReached(limit="conferences", maximum=application.max_conferences)


def _creator(actor: Actor, application: Application, wishes: Wishes) -> User | None:
    if actor.user_id is not None:
        return User(pk=actor.user_id, application_id=application.pk, name=actor.name)
    if wishes.creator is None:
        return None
    name = user_name(wishes.creator, application.app_key)
    return User.objects.named(application.pk, [name])[name]


def _conference(application: Application, creator: User | None, wishes: Wishes, password: str) -> Conference:
    kind = ConferenceType(wishes.type)
    limits = DEFAULT_LIMITS[kind] | application.limits.get(str(kind.value), {}) | wishes.limits
    conference = Conference(
        application=application,
        creator=creator,
        name=wishes.name,
        type=kind,
        ext=wishes.ext,
        max_talkers=limits["talkers"],
        max_videos=limits["videos"],
        max_audience=limits["audience"],
        max_desktops=limits["desktops"],
        default_role=wishes.default_role or DEFAULT_ROLE[kind],
        allow_audience_talk=wishes.allow_audience_talk,
        delay_seconds=wishes.delay_seconds,
        max_seconds=wishes.max_seconds,
        adminless_seconds=wishes.adminless_seconds,
        rec=wishes.rec,
        rec_merge=wishes.rec_merge,
    )
    conference.password_mac = password_mac(conference.confr_id, password) if password else b""
    return conference


def _tell(change: Change, actor: Actor) -> None:
    conference = change.conference
    change.record(
        "conference.created",
        actor,
        data={"confr_id": conference.confr_id, "type": conference.type},
        personal={"conference": conference.name} if conference.name else {},
        after=settings_of(conference),
    )


SETTINGS = (
    "max_talkers", "max_videos", "max_audience", "max_desktops", "default_role", "allow_audience_talk",
    "max_seconds", "adminless_seconds", "rec", "rec_merge", "locked",
)  # fmt: skip


def settings_of(conference: Conference) -> dict[str, Any]:
    """What `update_conference` may change, as facts tell it."""
    return {name: getattr(conference, name) for name in SETTINGS}


def join_room(
    *,
    actor: Actor,
    name: str,
    wishes: Wishes,
    user: str,
    role: Role | None = None,
    password: str | None = None,
) -> tuple[Conference, Issued, bool]:
    """A ticket for the live conference with this name, which is created where there is none.

    `wishes` count for the first entrant only. Answers the conference, the ticket and whether it was created.

    Raises: as `create_conference` and `issue_ticket`.
    """
    if actor.application_id is None:
        raise ApplicationNotFound()
    for _ in range(2):  # at the second try the winner of a race is there to be joined
        live = Conference.objects.filter(application_id=actor.application_id, name=name)
        if conference := live.filter(state=Conference.State.LIVE).first():
            issued = tickets.issue_ticket(
                actor=actor, confr_id=conference.confr_id, name=user, role=role, password=password
            )
            return conference, issued, False
        try:
            created = create_conference(actor=actor, wishes=wishes)
        except ConferenceNameTaken:
            continue
        if created.issued is not None:
            return created.conference, created.issued, True
    raise ConferenceNotFound()


def update_conference(
    *, actor: Actor, confr_id: str, changes: Mapping[str, Any], password: str | None = None, reason: str = ""
) -> Conference:
    """Change settings (`SETTINGS`) of a live conference; a lower limit removes nobody who is inside.

    `rec` starts and stops the recording.

    Raises: NotAllowed, ConferenceClosed, RecordingQuotaReached, RecordingDiskFull, RecordingFolderAway.
    Records: conference.updated with what differs, if anything; recording.started or recording.stopped.
    """
    if unknown := changes.keys() - set(SETTINGS):
        raise ValueError(f"not settings of a conference: {sorted(unknown)}")
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.LOCK if changes.keys() == {"locked"} else Action.UPDATE)
        conference, before = change.conference, settings_of(change.conference)
        for name, value in changes.items():
            setattr(conference, name, value)
        if password is not None:
            conference.password_mac = password_mac(confr_id, password) if password else b""
        if conference.rec and not before["rec"]:
            takes.begin_take(change, actor, reason=reason)
        elif before["rec"] and not conference.rec:
            takes.stop_take(change, actor, StopReason.REQUESTED, note=reason)
        differs = {name: value for name, value in settings_of(conference).items() if before[name] != value}
        if differs or password is not None:
            change.record(
                "conference.updated",
                actor,
                data=differs | ({"password_changed": True} if password is not None else {}),
                before={name: before[name] for name in differs},
                after=differs,
                reason=reason,
            )
    return conference


def destroy_conference(*, actor: Actor, confr_id: str, reason: str = "") -> Conference:
    """End a conference for everybody. Raises: NotAllowed, ConferenceClosed. Records: conference.closed."""
    with changing(actor, confr_id) as change:
        authorise(change, actor, Action.DESTROY)
        close(change, CloseReason.DESTROYED, actor, note=reason)
    return change.conference


# Endings that nobody asks for


def end_due_conferences() -> int:
    """End what nobody entered, what is too long, and what has had no admin for too long; answers how many."""
    ended = 0
    for reason, due in _due().items():
        live = Conference.objects.filter(due, state=Conference.State.LIVE)
        for conference_id in live.values_list("pk", flat=True):
            with changing_id(conference_id) as change:
                if live.filter(pk=conference_id).exists():  # still, now that we hold the lock
                    close(change, reason, system())
                    ended += 1
    return ended


def _due() -> dict[CloseReason, Q]:
    now = timezone.now()
    due = {reason: Q(LessThanOrEqual(ends_at(reason), now)) for reason in ENDINGS}
    return due | {CloseReason.NEVER_ENTERED: due[CloseReason.NEVER_ENTERED] & Q(entered_at=None)}
