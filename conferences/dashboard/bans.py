"""The list of bans: what may be asked of it, what a new one needs, and what its rows show."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, summarize_address_range
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Application
from conferences.dashboard.scope import Scope
from conferences.models import Ban, Conference
from conferences.services.moderation import MAX_NAMES, Hold

STANDING, EXPIRED, LIFTED, ANY = "standing", "expired", "lifted", "any"
STATES = {STANDING: _("in force"), EXPIRED: _("expired"), LIFTED: _("lifted"), ANY: _("all")}
TONES = {STANDING: "danger", EXPIRED: "muted", LIFTED: "muted"}
DURATIONS = {
    "": _("until it is lifted"),
    "3600": _("1 hour"),
    "86400": _("1 day"),
    "604800": _("7 days"),
    "2592000": _("30 days"),
}


def application_choices(scope: Scope) -> list[tuple[str, str]]:
    return [(str(each.app_id), each.app_key) for each in scope.applications.values()]


class BanFilter(forms.Form):
    """The query of the page's address."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("User, address or reason")}),
    )
    state = forms.ChoiceField(label=_("State"), choices=list(STATES.items()), required=False)
    cause = forms.ChoiceField(label=_("Cause"), choices=[("", _("all")), *Ban.Cause.choices], required=False)
    room = forms.CharField(label=_("Room"), required=False, max_length=128)

    def __init__(self, data: Mapping[str, Any], scope: Scope) -> None:
        super().__init__({"state": STANDING, **{name: data[name] for name in data}}, auto_id="filter_%s")
        self.scope = scope
        self.full_clean()

    def bans(self) -> QuerySet[Ban]:
        """What was found."""
        found = Ban.objects.filter(application__in=self.scope.applications).select_related("user", "conference")
        found = found.filter(self._in_state())
        if cause := self.cleaned_data.get("cause"):
            found = found.filter(cause=cause)
        if room := self.cleaned_data.get("room"):
            found = found.filter(Q(conference__confr_id=room.upper()) | Q(conference__name__icontains=room))
        if sought := self.cleaned_data.get("q"):
            found = found.filter(_sought(sought))
        return found

    def _in_state(self) -> Q:
        now = timezone.now()
        match self.cleaned_data.get("state"):
            case "lifted":
                return Q(lifted_at__isnull=False)
            case "expired":
                return Q(lifted_at=None, expires_at__lte=now)
            case "any":
                return Q()
            case _:
                return Q(lifted_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))


def _sought(text: str) -> Q:
    words = Q(user__name__icontains=text) | Q(reason__icontains=text) | Q(note__icontains=text)
    try:
        address = str(ip_address(text))
    except ValueError:
        return words
    if "%" in address:  # a network interface of somebody's machine
        return words
    return words | Q(address_first__lte=address, address_last__gte=address)


class NewBan(forms.Form):
    """Whom to keep out of what, for how long, and why."""

    application = forms.ChoiceField(label=_("Application"))
    room = forms.CharField(
        label=_("Room"),
        help_text=_("Its confrId; empty: every room of the application."),
        required=False,
        max_length=64,
    )
    names = forms.CharField(
        label=_("Users"),
        help_text=_("One name per line."),
        required=False,
        max_length=64 * MAX_NAMES,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
    )
    network = forms.CharField(
        label=_("Addresses"),
        help_text=_("One address, or a range as in 203.0.113.0/24."),
        required=False,
        max_length=64,
    )
    seconds = forms.TypedChoiceField(
        label=_("How long"), choices=list(DURATIONS.items()), required=False, coerce=int, empty_value=None
    )
    reason = forms.CharField(label=_("Reason"), required=False, max_length=200)
    note = forms.CharField(
        label=_("Note for the staff"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, scope: Scope, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id="ban_%s")
        field = self.fields["application"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = application_choices(scope)
        if scope.one is not None:
            field.widget = forms.HiddenInput()
            field.initial = str(scope.one.app_id)
        self.scope = scope

    def clean_names(self) -> list[str]:
        names = [name.strip() for name in re.split(r"[\n,]", self.cleaned_data["names"]) if name.strip()]
        if len(names) > MAX_NAMES:
            raise forms.ValidationError(_("At most %(most)s names at once."), params={"most": MAX_NAMES})
        return list(dict.fromkeys(names))

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if bool(data.get("names")) == bool(data.get("network")) and not self.errors:
            raise forms.ValidationError(_("Say users or addresses, one of both."))
        return data

    @property
    def target(self) -> Application:
        app_id = self.cleaned_data["application"]
        return next(each for each in self.scope.applications.values() if str(each.app_id) == app_id)

    @property
    def hold(self) -> Hold:
        return Hold(self.cleaned_data["seconds"], self.cleaned_data["reason"], self.cleaned_data["note"])


@dataclass(frozen=True, slots=True)
class Row:
    """A ban as the list shows it."""

    ban: Ban
    application: Application
    state: str
    tone: str
    label: str | Promise
    whom: str

    @property
    def can_be_lifted(self) -> bool:
        conference = self.ban.conference
        return self.state == STANDING and (conference is None or conference.state == Conference.State.LIVE)


def rows_of(bans: Collection[Ban], scope: Scope) -> list[Row]:
    now = timezone.now()
    return [_row(ban, scope, now) for ban in bans]


def _row(ban: Ban, scope: Scope, now: datetime) -> Row:
    state = state_of(ban, now)
    return Row(ban, scope.applications[ban.application_id], state, TONES[state], STATES[state], whom(ban))


def state_of(ban: Ban, now: datetime) -> str:
    if ban.lifted_at is not None:
        return LIFTED
    return EXPIRED if ban.expires_at is not None and ban.expires_at <= now else STANDING


def whom(ban: Ban) -> str:
    """The user, or the addresses as a range that reads well."""
    if ban.user is not None:
        return ban.user.name
    first, last = ip_address(str(ban.address_first)), ip_address(str(ban.address_last))
    if first == last:
        return str(first)
    return ", ".join(str(network) for network in summarize_address_range(first, last))
