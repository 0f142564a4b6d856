"""What templates of the dashboard need beyond Django's: `{% load dashboard %}`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.http import HttpRequest
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.actors import ActorKind
from accounts.models import StaffRole
from conferences.dashboard.navigation import GROUPS, Entry
from conferences.dashboard.pages import came_from
from conferences.dashboard.scope import Scope
from conferences.models import Role

register = template.Library()

MAX_CHOICES = 12
KINDS = {
    ActorKind.USER: _("user"),
    ActorKind.APPLICATION: _("application"),
    ActorKind.STAFF: _("staff"),
    ActorKind.SYSTEM: "Confr",
}


@register.inclusion_tag("dashboard/parts/navigation.html", takes_context=True)
def navigation(context: dict[str, Any]) -> dict[str, Any]:
    """The pages that the staff member may open about the scope, the current one marked."""
    scope = cast(Scope, context["scope"])
    path = cast(HttpRequest, context["request"]).path
    groups = [(label, _items(entries, scope)) for label, entries in GROUPS]
    above = [address for _, items in groups for _, address in items if path.startswith(address)]
    return {"groups": [group for group in groups if group[1]], "current": max(above, key=len, default="")}


def _items(entries: list[Entry], scope: Scope) -> list[tuple[Entry, str]]:
    return [(entry, entry.address(scope)) for entry in entries if entry.is_for(scope)]


@register.inclusion_tag("dashboard/parts/switcher.html", takes_context=True)
def switcher(context: dict[str, Any]) -> dict[str, Any]:
    """The applications to go on with, at the same page where there is one."""
    scope = cast(Scope, context["scope"])
    return {"scope": scope, "choices": list(scope.visible.values())[:MAX_CHOICES]}


@register.simple_tag(takes_context=True)
def heading(context: template.Context) -> str:
    """The page's title block once more, as the heading of its content."""
    return str(context.render_context[BLOCK_CONTEXT_KEY].get_block("title").render(context))


@register.simple_tag(takes_context=True)
def here(context: dict[str, Any]) -> str:
    """The address that shows the page again."""
    return came_from(cast(HttpRequest, context["request"]))


@register.filter
def lasting(length: timedelta | None) -> str:
    """A time span as hours, minutes and seconds: 1:02:03."""
    if length is None:
        return ""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


@register.filter
def role_name(role: int) -> str:
    """A conference's role in words."""
    return str(Role(role).label)


@register.filter
def kind_name(kind: str) -> str:
    """What kind of actor somebody is, in words."""
    return str(KINDS[ActorKind(kind)])


@register.filter
def allows(scope: Scope, least: str) -> bool:
    """Whether the role suffices in every application of the scope: `{% if scope|allows:"operator" %}`."""
    return scope.allows(StaffRole(least))


@register.filter
def styled(field: BoundField) -> SafeString:
    """A form field's control with the design system's class."""
    return field.as_widget(attrs={"class": f"{_style(field)} {'is-invalid' if field.errors else ''}".strip()})


def _style(field: BoundField) -> str:
    match field.field.widget:
        case CheckboxInput() | RadioSelect() | CheckboxSelectMultiple():
            return "form-check-input"
        case Select():
            return "form-select"
        case _:
            return "form-control"


@register.filter
def bitrate(bits: int) -> str:
    """Bits per second as people say them."""
    return f"{bits / 1_000_000:.1f} Mbit/s" if bits >= 1_000_000 else f"{bits / 1000:.0f} kbit/s"
