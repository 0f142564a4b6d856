"""Staff in the admin: superusers only, behind the same sign-in as the dashboard."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.admin.base import acting, signed_in
from accounts.models import Staff


@admin.register(Staff)
class StaffAdmin(DjangoUserAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Nobody is deleted, since the log knows people by their numbers: they are switched off."""

    list_display = ("username", "is_superuser", "is_active", "is_staff", "last_login")
    list_filter = ("is_superuser", "is_active")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Personal info"), {"fields": ("first_name", "last_name", "email")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("Important dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request) and self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Staff | None = None) -> bool:
        return signed_in(request).is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return signed_in(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Staff | None = None) -> bool:
        return signed_in(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Staff | None = None) -> bool:
        return False

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Django calls it after every change, of the password too: the applications' logs hear of it as well."""
        changed = [name for part in message for name in part.get("changed", {}).get("fields", [])]
        services.record_staff_change(actor=acting(request), staff=obj, fields=changed)
        return super().log_change(request, obj, message)


admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # the one door, second factor included
admin.site.unregister(Group)  # roles per application take its place
for model in (EmailAddress, SocialAccount, SocialApp, SocialToken, Authenticator, UserSession):
    admin.site.unregister(model)  # changed by their owners, or on the dashboard's page of the staff
