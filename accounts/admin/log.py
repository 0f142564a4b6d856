"""The log and its seals in the admin: to be looked at."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.base import AccountsAdmin
from accounts.models import ApplicationEvent, IdempotentAnswer, Seal


@admin.register(ApplicationEvent)
class ApplicationEventAdmin(AccountsAdmin):
    list_display = ("seq", "application", "type", "at", "actor_kind", "personal", "before", "after")
    list_filter = ("type", "actor_kind")
    list_select_related = ("application",)
    search_fields = ("application__org", "application__app", "request_id")
    date_hierarchy = "at"
    ordering = ("-pk",)
    exclude = ("salt", "hash")


@admin.register(Seal)
class SealAdmin(AccountsAdmin):
    application_path = None
    list_display = ("pk", "log", "seq", "at", "tombstone")
    search_fields = ("log",)
    ordering = ("-pk",)
    exclude = ("head", "mac")


@admin.register(IdempotentAnswer)
class IdempotentAnswerAdmin(AccountsAdmin):
    application_path = None
    list_display = ("operation", "application", "status", "expires_at")
    list_select_related = ("application",)
    ordering = ("-pk",)
    exclude = ("key", "request", "answer")
