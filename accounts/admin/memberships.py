"""Memberships in the admin: owners choose who belongs to their application, and as what."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.admin.base import AccountsAdmin, acting
from accounts.models import Membership, Staff
from accounts.permissions import Act


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    # By name and not from a list: an owner need not learn who works for other tenants.
    staff = forms.ModelChoiceField(
        Staff.objects.filter(is_active=True),
        label=_("staff member's name"),
        to_field_name="username",
        widget=forms.TextInput,
        error_messages={"invalid_choice": _("There is no such staff member.")},
    )

    class Meta:
        model = Membership
        fields = ("application", "staff", "role")


@admin.register(Membership)
class MembershipAdmin(AccountsAdmin):
    act = Act.MANAGE_STAFF
    form = MembershipForm
    list_display = ("staff", "application", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("staff", "application")
    search_fields = ("staff__username", "application__org", "application__app")
    ordering = ("application", "staff")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_act_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        return self.has_act_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        return self.has_act_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return () if obj is None else ("application", "staff")

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if change:
            before = Membership.objects.select_related("application").get(pk=obj.pk)
            services.change_membership(actor=acting(request), membership=before, role=obj.role)
            return
        added = services.add_membership(
            actor=acting(request), application=obj.application, staff=obj.staff, role=obj.role
        )
        obj.pk = added.pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_membership(actor=acting(request), membership=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        actor = acting(request)
        self.each(
            request,
            queryset.select_related("application"),
            lambda row: services.remove_membership(actor=actor, membership=row),
        )
