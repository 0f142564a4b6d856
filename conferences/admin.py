"""The Django admin's view of conferences: everything can be looked at; acts go through the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.actors import Actor
from accounts.authentication import staff_actor
from accounts.models import Staff
from conferences.errors import BanNotFound, ConferenceClosed
from conferences.models import Ban, Conference, Event, Lease, MediaSession, Member, Stream, Ticket
from conferences.services import conferences, moderation


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Rows are written by services only. Whoever is no superuser sees the applications that it belongs to."""

    application_lookup = "conference__application"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        staff = signed_in(request)
        if staff.is_superuser:
            return rows
        return rows.filter(**{f"{self.application_lookup}__memberships__staff": staff})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Which rows, `get_queryset` says."""
        return request.user.is_active and request.user.is_staff

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def signed_in(request: HttpRequest) -> Staff:
    """Who is at the admin: it lets nobody in but staff."""
    assert isinstance(request.user, Staff)
    return request.user


def acting(request: HttpRequest, application_id: int) -> Actor:
    """The staff member behind the request, as an actor on one application. Raises: ApplicationNotFound."""
    request_id = getattr(request, "request_id", "")
    return staff_actor(signed_in(request), request.META["REMOTE_ADDR"], request_id, application_id)


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Member
    fields = readonly_fields = ("number", "user", "role", "state", "entered_at", "exited_at", "exit_reason", "address")
    extra = 0
    can_delete = False
    ordering = ("-number",)
    max_num = 0


@admin.register(Conference)
class ConferenceAdmin(ReadOnlyAdmin):
    application_lookup = "application"
    list_display = ("confr_id", "name", "application", "type", "state", "talkers", "audience", "videos", "created_at")
    list_filter = ("state", "type", "application")
    search_fields = ("confr_id", "name")
    ordering = ("-id",)
    exclude = ("password_mac", "chain_head", "attributes")
    inlines = [MemberInline]
    actions = ["end"]

    @admin.action(description=_("End the selected conferences"), permissions=["view"])
    def end(self, request: HttpRequest, queryset: QuerySet[Conference]) -> None:
        ended = 0
        for conference in queryset:
            actor = acting(request, conference.application_id)
            try:
                conferences.destroy_conference(actor=actor, confr_id=conference.confr_id, reason="admin")
            except ConferenceClosed:
                continue  # it ended meanwhile
            ended += 1
        text = ngettext("%d conference ended.", "%d conferences ended.", ended) % ended
        self.message_user(request, text, messages.SUCCESS)


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "user", "role", "state", "address", "entered_at", "exited_at", "exit_reason")
    list_filter = ("state", "role")
    search_fields = ("user__name", "conference__confr_id")
    list_select_related = ("conference", "user")
    ordering = ("-id",)


@admin.register(Ticket)
class TicketAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "user", "role", "uses", "max_uses", "expires_at", "revoked_at")
    search_fields = ("user__name", "conference__confr_id")
    list_select_related = ("conference", "user")
    ordering = ("-id",)


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "conference", "type", "kind", "state", "width", "height", "bitrate", "started_at")
    list_filter = ("state", "type")
    search_fields = ("media_name", "conference__confr_id")
    list_select_related = ("conference", "member")
    ordering = ("-id",)


@admin.register(MediaSession)
class MediaSessionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "conference", "member", "address", "opened_at", "revoked_at", "closed_at")
    list_select_related = ("conference", "member__conference")
    ordering = ("-id",)


@admin.register(Ban)
class BanAdmin(ReadOnlyAdmin):
    application_lookup = "application"
    list_display = ("__str__", "application", "conference", "user", "address_first", "author", "expires_at")
    list_filter = ("cause", "application")
    search_fields = ("user__name", "conference__confr_id", "reason")
    list_select_related = ("application", "conference", "user")
    ordering = ("-id",)
    actions = ["lift"]

    @admin.action(description=_("Lift the selected bans"), permissions=["view"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Ban]) -> None:
        lifted = 0
        for ban in queryset.filter(conference__isnull=False).select_related("conference"):
            actor = acting(request, ban.application_id)
            assert ban.conference is not None  # as just filtered
            try:
                lifted += moderation.unban_members(actor=actor, confr_id=ban.conference.confr_id, ban_id=ban.pk)
            except BanNotFound:
                continue  # it was lifted or expired meanwhile
        self.message_user(request, ngettext("%d ban lifted.", "%d bans lifted.", lifted) % lifted, messages.SUCCESS)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("at", "conference", "seq", "type", "actor_kind", "actor_id", "request_id")
    list_filter = ("type", "actor_kind")
    search_fields = ("conference__confr_id", "request_id")
    list_select_related = ("conference",)
    exclude = ("salt", "hash", "digests")
    ordering = ("-id",)


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("process", "renewed_at", "misses")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.is_active and request.user.is_superuser
