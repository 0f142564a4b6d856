"""The list of recordings: what may be asked of it, and what its rows show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Application
from conferences.dashboard.scope import Scope
from conferences.models import Recording

UNSETTLED = "unsettled"
STATES = [("", _("all")), (UNSETTLED, _("being made")), *Recording.State.choices]
TONES = {
    Recording.State.RECORDING: "danger",
    Recording.State.UPLOADING: "info",
    Recording.State.PROCESSING: "info",
    Recording.State.READY: "success",
    Recording.State.FAILED: "warning",
}
# Why a recording could not be made, or a part of it not be used.
CAUSES = {
    "nothing_recorded": _("Nothing was recorded that can be played."),
    "media_unreadable": _("What was recorded cannot be read."),
    "media_stalled": _("Making the file did not come to an end."),
    "storage_failed": _("The storage refused the file or was away."),
    "disk_full": _("The disk is full."),
    "machine_failed": _("A program or a file is missing on the machine."),
    "worker_killed": _("The worker was ended again and again."),
}
GAPS = {
    "worker": _("the recorder was away"),
    "media_server": _("the media server was away"),
    "publisher": _("nothing was published"),
}


class RecordingFilter(forms.Form):
    """The query of the page's address."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Room or user")}),
    )
    state = forms.ChoiceField(label=_("State"), choices=STATES, required=False)
    kind = forms.ChoiceField(label=_("Kind"), choices=[("", _("all")), *Recording.Kind.choices], required=False)
    held = forms.BooleanField(label=_("Under legal hold"), required=False)

    def __init__(self, data: Mapping[str, Any], scope: Scope) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.scope = scope
        self.full_clean()

    def recordings(self) -> QuerySet[Recording]:
        """What was found."""
        wish, found = self.cleaned_data, of_scope(self.scope)
        if wish.get("state") == UNSETTLED:
            found = found.exclude(state__in=(Recording.State.READY, Recording.State.FAILED))
        elif wish.get("state"):
            found = found.filter(state=wish["state"])
        if wish.get("kind"):
            found = found.filter(kind=wish["kind"])
        if wish.get("held"):
            found = found.filter(legal_hold=True)
        if sought := wish.get("q"):
            room = Q(conference__confr_id=sought.upper()) | Q(conference__name__icontains=sought)
            found = found.filter(room | Q(member__user__name__icontains=sought))
        return found


def of_scope(scope: Scope) -> QuerySet[Recording]:
    kept = Recording.objects.kept().select_related("conference", "stream__member", "member__user")
    return kept.filter(application__in=scope.applications)


@dataclass(frozen=True, slots=True)
class Row:
    """A recording as the list shows it."""

    recording: Recording
    application: Application
    tone: str

    @property
    def is_made(self) -> bool:
        return self.recording.state == Recording.State.PROCESSING

    @property
    def is_settled(self) -> bool:
        return self.recording.state in {Recording.State.READY, Recording.State.FAILED}

    @property
    def cause(self) -> object:
        """Why it failed, or why it is tried again, in words."""
        code = self.recording.error_code
        return CAUSES.get(code, code)

    @property
    def skipped(self) -> list[tuple[str, object]]:
        return [(each["input"], CAUSES.get(each["code"], each["code"])) for each in self.recording.skipped]

    @property
    def gaps(self) -> list[tuple[float, object]]:
        """Their lengths in seconds, and why they are there."""
        return [
            ((gap["until"] - gap["from"]) / 1000, GAPS.get(gap["cause"], gap["cause"])) for gap in self.recording.gaps
        ]


def rows_of(recordings: Iterable[Recording], scope: Scope) -> list[Row]:
    return [
        Row(each, scope.applications[each.application_id], TONES[Recording.State(each.state)]) for each in recordings
    ]
