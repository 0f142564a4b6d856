"""What our admin pages share: whose rows somebody sees, in whose name a change is made, how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db.models import ForeignKey, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.authentication import staff_actor
from accounts.errors import DomainError
from accounts.models import Application, Staff
from accounts.origin import origin
from accounts.permissions import Act, allows, roles_for

Row = TypeVar("Row", bound=Model)


def signed_in(request: HttpRequest) -> Staff:
    """Who is at the admin: it lets nobody in but staff."""
    assert isinstance(request.user, Staff)
    return request.user


def acting(request: HttpRequest) -> Actor:
    """The same person as an actor."""
    source = origin(request)
    return staff_actor(signed_in(request), source.address, source.request_id)


class AccountsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Rows of applications: seen by their staff, changed by whom `act` lets, and only through services.

    `application_path` leads from a row to its application ("" for the application itself); None: the rows belong
    to no application, and only superusers see them.
    """

    application_path: ClassVar[str | None] = "application"
    act: ClassVar[Act | None] = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        staff = signed_in(request)
        if staff.is_superuser:
            return rows
        if self.application_path is None:
            return rows.none()
        return rows.filter(**{self._path("memberships__staff"): staff})

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Asked of whoever signs in, too."""
        return self.admin_site.has_permission(request) and self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the pages exist for somebody of the staff; which rows are on them, `get_queryset` says."""
        return self.application_path is not None or signed_in(request).is_superuser

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether somebody may do `act` to this row, or to any where none is given."""
        if self.act is None:
            return False
        if obj is not None:
            return allows(acting(request), self.act, self._application(obj))
        return self._applications(request).exists()

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.ModelChoiceField[Any] | None:
        if db_field.name == "application":
            kwargs["queryset"] = self._applications(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show what a service refuses; the transaction of the page is gone by then."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            self.message_user(request, str(refusal.detail), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def each(self, request: HttpRequest, rows: Iterable[Row], do: Callable[[Row], object]) -> None:
        """Do one thing to each of the selected rows, and say for each that was refused why."""
        done = 0
        for row in rows:
            try:
                do(row)
            except DomainError as refusal:
                self.message_user(request, f"{row}: {refusal.detail}", messages.ERROR)
            else:
                done += 1
        if done:
            self.message_user(request, _("Done: %(number)d.") % {"number": done}, messages.SUCCESS)

    def secrets_page(self, request: HttpRequest, title: str | Promise, secrets: Mapping[str, str]) -> HttpResponse:
        """A page that shows secrets and is kept nowhere: no message, since those travel in cookies."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "secrets": secrets.items(),
        }
        return TemplateResponse(request, "admin/accounts/secrets.html", context)

    def _path(self, *steps: str) -> str:
        return "__".join([step for step in [self.application_path, *steps] if step])

    def _application(self, row: Any) -> Application:
        for step in self.application_path.split("__") if self.application_path else []:
            row = getattr(row, step)
        assert isinstance(row, Application)
        return row

    def _applications(self, request: HttpRequest) -> QuerySet[Application]:
        """Those to which somebody may do `act`."""
        staff, applications = signed_in(request), Application.objects.order_by("org", "app")
        if staff.is_superuser:
            return applications
        roles = roles_for(self.act) if self.act else []
        return applications.filter(memberships__staff=staff, memberships__role__in=roles)
