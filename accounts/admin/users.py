"""End users and their tokens in the admin. Both are made by backends; here tokens are only revoked."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.admin.base import AccountsAdmin, acting
from accounts.models import User, UserToken
from accounts.permissions import Act


@admin.register(User)
class UserAdmin(AccountsAdmin):
    act = Act.MANAGE_TOKENS
    list_display = ("name", "application", "created_at", "erased_at")
    list_select_related = ("application",)
    search_fields = ("name",)
    ordering = ("-pk",)
    actions = ["revoke_tokens"]

    @admin.action(description=_("Revoke all their tokens"), permissions=["act"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        actor = acting(request)
        self.each(
            request,
            queryset.select_related("application"),
            lambda row: services.revoke_user_tokens(actor=actor, application=row.application, user=row.name),
        )


@admin.register(UserToken)
class UserTokenAdmin(AccountsAdmin):
    application_path = "user__application"
    act = Act.MANAGE_TOKENS
    list_display = ("pk", "user", "created_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("user__name",)
    ordering = ("-pk",)
    actions = ["revoke"]

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[UserToken]) -> None:
        actor = acting(request)
        self.each(
            request,
            queryset.select_related("user__application"),
            lambda row: services.revoke_user_token(actor=actor, application=row.user.application, token_id=row.pk),
        )
