"""API keys in the admin: made and rotated there, shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.admin.base import AccountsAdmin, acting
from accounts.models import ApiKey, Scope
from accounts.permissions import Act

SECRET = "confr.new-api-key"  # noqa: S105 where the request carries the secret to its answer
OVERLAP_SECONDS = 86_400


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    scopes = forms.MultipleChoiceField(label=_("scopes"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ("application", "name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(AccountsAdmin):
    act = Act.MANAGE_KEYS
    form = ApiKeyForm
    list_display = ("name", "prefix", "application", "scopes", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("application",)
    search_fields = ("name", "prefix", "application__org", "application__app")
    ordering = ("-pk",)
    actions = ["rotate", "revoke"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_act_permission(request)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        asked = ("application", "name", "scopes", "expires_at")
        return asked if obj is None else (*asked, "prefix", "created_at", "last_used_at", "revoked_at")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        new = services.create_api_key(
            actor=acting(request),
            application=obj.application,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
        )
        obj.pk = new.key.pk
        request.META[SECRET] = new.secret

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self.secrets_page(request, _("API keys"), {obj.name: request.META[SECRET]})

    @admin.action(description=_("Rotate: the old key works for one more day"), permissions=["act"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        secrets: dict[str, str] = {}

        def rotate_one(row: ApiKey) -> None:
            new = services.rotate_api_key(actor=acting(request), key=row, overlap_seconds=OVERLAP_SECONDS)
            secrets[str(new.key)] = new.secret

        self.each(request, queryset, rotate_one)
        return self.secrets_page(request, _("API keys"), secrets) if secrets else None

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        actor = acting(request)
        self.each(request, queryset, lambda row: services.revoke_api_key(actor=actor, key=row))
