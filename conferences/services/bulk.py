"""Bulk acts: one act on many conferences, done one by one by a job, each through the service of the single act."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from accounts.actors import Actor
from accounts.authentication import staff_actor
from accounts.errors import BadParameters, DomainError, NotAllowed, NotFound
from accounts.models import Application, Staff
from conferences import delivery
from conferences.errors import ConferenceNotFound
from conferences.events import changing
from conferences.models import BulkAct, BulkItem, Conference, Kind, Member, Role
from conferences.permissions import Action, allows, require
from conferences.services.conferences import destroy_conference, update_conference
from conferences.services.messages import MAX_MESSAGE_BYTES, broadcast
from conferences.services.moderation import mute_all

logger = logging.getLogger(__name__)

MAX_CONFERENCES = 500
ALL_KINDS = tuple(Kind)
Verb, State = BulkAct.Verb, BulkItem.State

ACTIONS: dict[str, Action] = {
    Verb.END: Action.DESTROY,
    Verb.LOCK: Action.LOCK,
    Verb.UNLOCK: Action.LOCK,
    Verb.MUTE: Action.MUTE,
    Verb.UNMUTE: Action.MUTE,
    Verb.ANNOUNCE: Action.BROADCAST,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, to which conferences. `token` names the wish: asked again, it is not begun again."""

    verb: str
    confr_ids: Collection[str]
    token: str
    content: str = ""
    reason: str = ""


def begin_bulk_act(*, actor: Actor, plan: Plan, application: Application | None = None) -> BulkAct:
    """Have a job do one act to many conferences of the staff member's applications.

    Raises: BadParameters (no conference, more than 500, nothing to announce or too much), ConferenceNotFound (one
    that the staff member may not know of), NotAllowed (in every application concerned). Records: nothing itself; what
    is done is recorded in each conference.
    """
    _check(plan)
    conferences = list(_visible(application).filter(confr_id__in=plan.confr_ids).order_by("pk"))
    if len(conferences) != len(set(plan.confr_ids)):
        raise ConferenceNotFound()
    staff = Staff.objects.get(pk=int(actor.id))
    actors = [
        staff_actor(staff, actor.address, actor.request_id, application_id)
        for application_id in {conference.application_id for conference in conferences}
    ]
    if not any(allows(each, ACTIONS[plan.verb]) for each in actors):
        raise NotAllowed(action=ACTIONS[plan.verb].value)
    with transaction.atomic():
        act, is_new = BulkAct.objects.get_or_create(
            staff=staff,
            token=plan.token,
            defaults={
                "application": application,
                "verb": plan.verb,
                "content": plan.content,
                "reason": plan.reason,
                "address": actor.address,
                "request_id": actor.request_id,
            },
        )
        if is_new:
            BulkItem.objects.bulk_create(BulkItem(act=act, conference=each) for each in conferences)
            transaction.on_commit(lambda: delivery.enqueue("do_bulk_acts"), robust=True)
    return act


def _check(plan: Plan) -> None:
    if plan.verb not in ACTIONS:
        raise BadParameters(field="verb")
    if not plan.token:
        raise BadParameters(field="token")
    if not 0 < len(set(plan.confr_ids)) <= MAX_CONFERENCES:
        raise BadParameters(field="conferences", maximum=MAX_CONFERENCES)
    if (plan.verb == Verb.ANNOUNCE) != bool(plan.content) or len(plan.content.encode()) > MAX_MESSAGE_BYTES:
        raise BadParameters(field="content")


def _visible(application: Application | None) -> QuerySet[Conference]:
    return Conference.objects.all() if application is None else Conference.objects.filter(application=application)


def cancel_bulk_act(*, actor: Actor, act_id: int) -> int:
    """Leave undone what has not been done yet; answers how many. Raises: NotFound (also somebody else's)."""
    with transaction.atomic():
        if not BulkAct.objects.filter(pk=act_id, staff_id=int(actor.id)).update(cancelled_at=timezone.now()):
            raise NotFound()
        waiting = BulkItem.objects.filter(act_id=act_id, state=State.WAITING)
        return waiting.update(state=State.CANCELLED, at=timezone.now())


# The job's part


def do_bulk_acts() -> int:
    """Do what is waiting, an item of each act in turn so that none waits for another's end; answers how many."""
    done = 0
    while waiting := BulkAct.objects.filter(
        Exists(BulkItem.objects.filter(act=OuterRef("pk"), state=State.WAITING))
    ).values_list("pk", flat=True):
        done += sum(_do_next(act_id) for act_id in waiting.order_by("pk"))
    return done


@transaction.atomic
def _do_next(act_id: int) -> bool:
    """Do the next item of an act. What is done and that it is done are committed together, or neither."""
    items = BulkItem.objects.select_for_update(of=("self",)).select_related("act__staff", "conference")
    item = items.filter(act_id=act_id, state=State.WAITING).order_by("pk").first()
    if item is None:  # cancelled meanwhile
        return False
    try:
        with transaction.atomic():
            item.state = _do(item)
    except DomainError as error:
        item.state, item.code = State.REFUSED, error.code
    except Exception:  # one item that we cannot do must not stop the others
        logger.exception("item %s of bulk act %s failed", item.pk, act_id)
        item.state, item.code = State.REFUSED, DomainError.code
    item.at = timezone.now()
    item.save(update_fields=["state", "code", "at"])
    return True


def _do(item: BulkItem) -> BulkItem.State:
    """Do one item as the staff member who asked, with the role of now. Raises: what the act's service raises."""
    act, conference = item.act, item.conference
    actor = staff_actor(act.staff, act.address, act.request_id, conference.application_id)
    with changing(actor, conference.confr_id) as change:
        require(actor, ACTIONS[act.verb])
        if _is_so(change.conference, act.verb):
            return State.ALREADY
        DO[act.verb](actor, conference.confr_id, act)
    return State.DONE


def _is_so(conference: Conference, verb: str) -> bool:
    """Whether a conference, under its lock, is already as the act would make it."""
    match verb:
        case Verb.END:
            return conference.state == Conference.State.CLOSED
        case _ if conference.state == Conference.State.CLOSED:
            return False  # the service refuses
        case Verb.LOCK | Verb.UNLOCK:
            return conference.locked == (verb == Verb.LOCK)
        case Verb.MUTE:
            kinds = {kind.value for kind in ALL_KINDS}
            return (
                set(conference.mute_newcomers) == kinds
                and not _others(conference).exclude(muted__contains=sorted(kinds)).exists()
            )
        case Verb.UNMUTE:
            return not conference.mute_newcomers and not _others(conference).exclude(muted=[]).exists()
    return False


def _others(conference: Conference) -> QuerySet[Member]:
    return Member.objects.seated().filter(conference=conference).exclude(role=Role.ADMIN)


def _end(actor: Actor, confr_id: str, act: BulkAct) -> None:
    destroy_conference(actor=actor, confr_id=confr_id, reason=act.reason)


def _lock(actor: Actor, confr_id: str, act: BulkAct) -> None:
    update_conference(actor=actor, confr_id=confr_id, changes={"locked": act.verb == Verb.LOCK}, reason=act.reason)


def _mute(actor: Actor, confr_id: str, act: BulkAct) -> None:
    mute_all(actor=actor, confr_id=confr_id, kinds=ALL_KINDS, muted=act.verb == Verb.MUTE, reason=act.reason)


def _announce(actor: Actor, confr_id: str, act: BulkAct) -> None:
    broadcast(actor=actor, confr_id=confr_id, content=act.content)


DO: dict[str, Callable[[Actor, str, BulkAct], None]] = {
    Verb.END: _end,
    Verb.LOCK: _lock,
    Verb.UNLOCK: _lock,
    Verb.MUTE: _mute,
    Verb.UNMUTE: _mute,
    Verb.ANNOUNCE: _announce,
}


def purge() -> int:
    """Delete bulk acts as old as conferences are kept; answers how many."""
    limit = timezone.now() - timedelta(days=settings.RETENTION_DAYS)
    return BulkAct.objects.filter(created_at__lt=limit).delete()[1].get(BulkAct._meta.label, 0)
