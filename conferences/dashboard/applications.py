"""The forms of an application's page: its limits and defaults, and its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters
from accounts.models import ApiKey, Application, Scope
from conferences.models import ConferenceType
from conferences.services.conferences import DEFAULT_LIMITS

LIMIT_LABELS = {
    "talkers": _("talkers"),
    "videos": _("videos"),
    "audience": _("audience"),
    "desktops": _("desktops"),
}
OVERLAPS = {
    "0": _("at once"),
    "3600": _("in 1 hour"),
    "86400": _("in 1 day"),
    "604800": _("in 7 days"),
}


class NewApplication(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    class Meta:
        model = Application
        fields = ("org", "app", "name")


class Settings(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """What an operator changes. An empty limit is the installation's default, which its placeholder says."""

    class Meta:
        model = Application
        fields = (
            "name",
            "max_conferences",
            "ticket_seconds",
            "grace_seconds",
            "hold_seconds",
            "requests_per_minute",
            "total_requests_per_minute",
            "max_recording_bytes",
            "recording_days",
        )
        help_texts = {
            "ticket_seconds": _("Seconds."),
            "grace_seconds": _("Seconds."),
            "hold_seconds": _("Seconds. Empty: as long as the conference lives."),
        }

    def __init__(self, application: Application, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, instance=application)
        for kind, defaults in DEFAULT_LIMITS.items():
            own = application.limits.get(str(kind), {})
            for name, label in LIMIT_LABELS.items():
                self.fields[f"limit_{kind}_{name}"] = forms.IntegerField(
                    label=label,
                    required=False,
                    min_value=0,
                    max_value=100_000,
                    initial=own.get(name),
                    widget=forms.NumberInput(attrs={"placeholder": defaults[name]}),
                )

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self._meta.fields or ()]

    @property
    def limit_fields(self) -> list[tuple[str, list[forms.BoundField]]]:
        """By conference type."""
        return [
            (str(ConferenceType(kind).label), [self[f"limit_{kind}_{name}"] for name in LIMIT_LABELS])
            for kind in DEFAULT_LIMITS
        ]

    def changes(self) -> dict[str, Any]:
        """What `update_application` takes."""
        plain = {name: self.cleaned_data[name] for name in self._meta.fields or ()}
        limits = {
            str(kind): {
                name: value for name in LIMIT_LABELS if (value := self.cleaned_data[f"limit_{kind}_{name}"]) is not None
            }
            for kind in DEFAULT_LIMITS
        }
        return plain | {"limits": {kind: given for kind, given in limits.items() if given}}


class NewKey(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")
        widgets = {"expires_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")}

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id="key_%s")


class Rotation(forms.Form):
    overlap = forms.ChoiceField(label=_("The old key ends"), choices=list(OVERLAPS.items()))


def explain(form: forms.BaseForm, refusal: BadParameters) -> None:
    """Put what a service says about fields beside them."""
    fields = refusal.fields.get("fields")
    if not isinstance(fields, dict):
        raise refusal
    for name, messages in fields.items():
        form.add_error(name if name in form.fields else None, messages)
