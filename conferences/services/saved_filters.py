"""Saved filters: what a staff member looks for among rooms again and again. They change nothing but a list."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.actors import Actor
from accounts.errors import NotAllowed, NotFound
from accounts.models import Application, Scope
from conferences.models import SavedFilter


def list_filters(actor: Actor, application: Application | None) -> QuerySet[SavedFilter]:
    """One's own, and those that colleagues share, of an application or (None) of all."""
    whose = Q(staff_id=int(actor.id)) | Q(shared=True)
    return SavedFilter.objects.filter(whose, application=application).select_related("staff").order_by("name", "pk")


def save_filter(
    *, actor: Actor, application: Application | None, name: str, query: str, shared: bool = False
) -> SavedFilter:
    """Give a search a name; one's own of the same name is replaced. Only one application's can be shared.

    Raises: NotAllowed (auditors share nothing). Records: nothing.
    """
    shared = shared and application is not None
    if shared and Scope.MODERATE not in actor.scopes:
        raise NotAllowed()
    saved, _ = SavedFilter.objects.update_or_create(
        staff_id=int(actor.id), application=application, name=name, defaults={"query": query, "shared": shared}
    )
    return saved


def delete_filter(*, actor: Actor, filter_id: int) -> None:
    """Forget one of one's own. Raises: NotFound. Records: nothing."""
    if not SavedFilter.objects.filter(pk=filter_id, staff_id=int(actor.id)).delete()[0]:
        raise NotFound()
