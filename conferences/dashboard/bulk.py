"""Bulk acts as staff see them: which are offered, on which rooms, and what exactly one would do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.permissions import ROLE_SCOPES
from conferences.dashboard.rooms import RoomFilter
from conferences.dashboard.scope import Scope
from conferences.models import BulkAct, Conference, Stream
from conferences.permissions import SCOPE
from conferences.services.bulk import ACTIONS, MAX_CONFERENCES

Verb = BulkAct.Verb

MEANINGS: dict[str, str | Promise] = {
    Verb.END: _("Their members leave and their streams end, at once and for good."),
    Verb.LOCK: _("Nobody new may enter. Who is inside stays."),
    Verb.UNLOCK: _("Whoever holds a ticket may enter again."),
    Verb.MUTE: _(
        "Nobody but admins may send sound, picture or screen, nor may who comes later. Their streams are cut."
    ),
    Verb.UNMUTE: _("Everybody may send sound, picture and screen again, and so may who comes later."),
    Verb.ANNOUNCE: _("Everybody inside is told what you write here."),
}


def verbs(scope: Scope) -> list[BulkAct.Verb]:
    """The acts that the role suffices for, in any application of the scope."""
    return [verb for verb in Verb if any(_may(scope, verb, pk) for pk in scope.applications)]


def _may(scope: Scope, verb: str, application_id: int) -> bool:
    return SCOPE[ACTIONS[verb]] in ROLE_SCOPES[scope.roles[application_id]]


def chosen(post: QueryDict, scope: Scope) -> list[Conference]:
    """The rooms that the page names, one by one or all that its filter finds; one more at most than may be."""
    if "everything" in post:
        found = RoomFilter(QueryDict(post.get("query", "")), scope).rooms()
    else:
        visible = Conference.objects.filter(application__in=scope.applications)
        found = visible.filter(confr_id__in=post.getlist("conference"))
    return list(found.order_by("pk")[: MAX_CONFERENCES + 1])


@dataclass(frozen=True, slots=True)
class Preview:
    """What an act would do to these rooms, as they are now."""

    verb: BulkAct.Verb
    rooms: list[Conference]
    forbidden: int  # the role does not suffice in their application
    closed: int  # over, so that nothing can be done in them
    already: int  # as the act would make them
    members: int  # inside the others
    streams: int  # live in the others

    @property
    def meaning(self) -> str | Promise:
        return MEANINGS[self.verb]

    @property
    def is_too_much(self) -> bool:
        return len(self.rooms) > MAX_CONFERENCES

    @property
    def doable(self) -> int:
        return len(self.rooms) - self.forbidden - self.closed - self.already


def preview(verb: BulkAct.Verb, rooms: list[Conference], scope: Scope) -> Preview:
    """Count what each room's lot would be."""
    allowed = [room for room in rooms if _may(scope, verb, room.application_id)]
    closed = [room for room in allowed if room.state == Conference.State.CLOSED]
    live = [room for room in allowed if room.state == Conference.State.LIVE]
    touched = [room for room in live if not _is_locked_so(room, verb)]
    ends = verb == Verb.END
    return Preview(
        verb=verb,
        rooms=rooms,
        forbidden=len(rooms) - len(allowed),
        closed=0 if ends else len(closed),
        already=(len(closed) if ends else 0) + len(live) - len(touched),
        members=sum(room.members_count for room in touched),
        streams=_live_streams(touched),
    )


def _is_locked_so(room: Conference, verb: str) -> bool:
    return verb in {Verb.LOCK, Verb.UNLOCK} and room.locked == (verb == Verb.LOCK)


def _live_streams(rooms: Collection[Conference]) -> int:
    return Stream.objects.live().filter(conference__in=[room.pk for room in rooms]).count()
