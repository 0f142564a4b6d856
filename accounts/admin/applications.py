"""Applications in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.admin.base import AccountsAdmin, acting, signed_in
from accounts.models import Application
from accounts.permissions import Act
from accounts.services.applications import EDITABLE

LIMITS = (
    "limits",
    "max_conferences",
    "ticket_seconds",
    "grace_seconds",
    "hold_seconds",
    "max_recording_bytes",
    "recording_days",
    "requests_per_minute",
    "total_requests_per_minute",
)


@admin.register(Application)
class ApplicationAdmin(AccountsAdmin):
    application_path = ""
    act = Act.UPDATE_APPLICATION
    list_display = ("app_key", "name", "app_id", "suspended_at", "created_at")
    search_fields = ("org", "app", "name")
    ordering = ("org", "app")
    actions = ["show_client_secret", "rotate_client_secret", "suspend", "resume"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return signed_in(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        return self.has_act_permission(request, obj)

    def has_superuser_permission(self, request: HttpRequest) -> bool:
        return signed_in(request).is_superuser

    def get_fieldsets(self, request: HttpRequest, obj: Application | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("org", "app", "name")})]
        ids = ("app_key", "app_id", "client_id", "name", "suspended_at", "created_at")
        return [(None, {"fields": ids}), (_("Limits and defaults"), {"fields": LIMITS})]

    def get_readonly_fields(self, request: HttpRequest, obj: Application | None = None) -> tuple[str, ...]:
        return () if obj is None else ("app_key", "app_id", "client_id", "suspended_at", "created_at")

    def save_model(self, request: HttpRequest, obj: Application, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in EDITABLE}
            services.update_application(actor=acting(request), application=obj, changes=changes)
            return
        made = services.create_application(actor=acting(request), org=obj.org, app=obj.app, name=obj.name)
        obj.pk = made.pk
        obj.refresh_from_db()

    @admin.action(description=_("Show the client secrets"), permissions=["act"])
    def show_client_secret(self, request: HttpRequest, queryset: QuerySet[Application]) -> HttpResponse | None:
        secrets: dict[str, str] = {}

        def read(row: Application) -> None:
            secrets[row.app_key] = services.read_client_secret(actor=acting(request), application=row)

        self.each(request, queryset, read)
        return self.secrets_page(request, _("Client secrets"), secrets) if secrets else None

    @admin.action(description=_("Replace the client secrets"), permissions=["act"])
    def rotate_client_secret(self, request: HttpRequest, queryset: QuerySet[Application]) -> HttpResponse | None:
        secrets: dict[str, str] = {}

        def rotate(row: Application) -> None:
            rotated = services.rotate_client_secret(actor=acting(request), application=row)
            secrets[row.app_key] = rotated.client_secret

        self.each(request, queryset, rotate)
        return self.secrets_page(request, _("Client secrets"), secrets) if secrets else None

    @admin.action(description=_("Suspend"), permissions=["superuser"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Application]) -> None:
        actor = acting(request)
        self.each(request, queryset, lambda row: services.suspend_application(actor=actor, application=row))

    @admin.action(description=_("End the suspension"), permissions=["superuser"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Application]) -> None:
        actor = acting(request)
        self.each(request, queryset, lambda row: services.resume_application(actor=actor, application=row))
