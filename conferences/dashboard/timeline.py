"""The audit's timeline: the facts of conferences and of applications in one list, the newest first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from accounts.actors import ActorKind
from accounts.audit import Finding, verify_application
from accounts.models import Application, ApplicationEvent, LogEntry
from conferences.dashboard.days import begin_of, end_of
from conferences.dashboard.paging import Mark
from conferences.dashboard.scope import Scope
from conferences.models import Conference, Event
from conferences.services.audit import verify_conference

APPLICATION, CONFERENCE = "application", "conference"
DEFAULT_DAYS = 30
CIRCUMSTANCES = {"actor", "address", "reason"}
VERIFY_SECONDS, MOST_FINDINGS = 10.0, 100

KINDS = [
    ("", _("all")),
    (ActorKind.STAFF.value, _("staff")),
    (ActorKind.APPLICATION.value, _("application keys")),
    (ActorKind.USER.value, _("users")),
    (ActorKind.SYSTEM.value, _("Confr itself")),
]


@dataclass(frozen=True, slots=True)
class Row:
    """A fact as the timeline shows it; `log` says whose it is."""

    log: str
    entry: LogEntry
    application: Application
    conference: Conference | None

    @property
    def actor(self) -> str:
        return str(self.entry.personal.get("actor") or self.entry.actor_id)

    @property
    def address(self) -> str:
        return str(self.entry.personal.get("address", ""))

    @property
    def reason(self) -> str:
        return str(self.entry.personal.get("reason", ""))

    @property
    def about(self) -> str:
        """Whom and what it names."""
        named = (value for name, value in self.entry.personal.items() if name not in CIRCUMSTANCES)
        return ", ".join(", ".join(map(str, each)) if isinstance(each, list) else str(each) for each in named if each)

    @property
    def mark(self) -> Mark:
        return [self.entry.at, self.log, self.entry.pk]

    def as_document(self) -> dict[str, Any]:
        """All of it, for whoever proves the log elsewhere."""
        entry = self.entry
        return {
            "log": f"{self.log}:{self.conference.confr_id if self.conference else self.application.pk}",
            "application": self.application.app_key,
            "seq": entry.seq,
            "at": entry.at,
            "type": entry.type,
            "actorKind": entry.actor_kind,
            "actorId": entry.actor_id,
            "requestId": entry.request_id,
            "data": entry.data,
            "before": entry.before,
            "after": entry.after,
            "personal": entry.personal,
            "digests": entry.digests,
            "hash": bytes(entry.hash).hex(),
        }


class AuditFilter(forms.Form):
    """The query of the page's address. Without days: the last 30."""

    begin = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    kind = forms.ChoiceField(label=_("By whom"), choices=KINDS, required=False)
    actor = forms.CharField(label=_("Name"), required=False, max_length=160)
    action = forms.CharField(label=_("Action"), required=False, max_length=48)
    room = forms.CharField(label=_("Room"), required=False, max_length=128)

    def __init__(self, data: Mapping[str, Any], scope: Scope) -> None:
        begin = timezone.now().date() - timedelta(days=DEFAULT_DAYS - 1)
        usual = {"begin": begin.isoformat()}
        super().__init__(usual | {name: data[name] for name in data}, auto_id="filter_%s")
        self.fields["action"].widget.attrs["list"] = "actions"
        self.scope = scope
        self.full_clean()

    def read(self, beyond: Mark | None, backwards: bool, count: int) -> list[Row]:
        """So many rows beyond a mark, the newest first or, going backwards, last."""
        logs: dict[str, QuerySet[Any]] = {APPLICATION: self._of_applications(), CONFERENCE: self._of_conferences()}
        rows = [
            self._row(log, entry)
            for log, facts in logs.items()
            for entry in _beyond(facts, log, beyond, backwards).order_by(*_order(backwards))[:count]
        ]
        return sorted(rows, key=lambda row: row.mark, reverse=not backwards)[:count]

    def find(self, log: str, pk: int) -> Row | None:
        """One fact of the scope, whatever else was asked for."""
        facts: QuerySet[Any] = Event.objects.select_related("conference").filter(self._own("conference__"))
        if log == APPLICATION:
            facts = ApplicationEvent.objects.filter(self._own(""))
        entry = facts.filter(pk=pk).first()
        return self._row(log, entry) if entry else None

    def conferences(self) -> QuerySet[Conference]:
        """Those that something happened in, of what was asked for."""
        return Conference.objects.filter(pk__in=self._of_conferences().values("conference")).order_by("-pk")

    def _of_conferences(self) -> QuerySet[Event]:
        facts = Event.objects.select_related("conference").filter(self._own("conference__"), self._wanted())
        if room := self.cleaned_data.get("room"):
            rooms = Q(confr_id=room.upper()) | Q(name__icontains=room)
            facts = facts.filter(conference__in=Conference.objects.filter(rooms, self._own("")).values("pk"))
        return facts

    def _of_applications(self) -> QuerySet[ApplicationEvent]:
        facts = ApplicationEvent.objects.filter(self._own(""), self._wanted())
        return facts.none() if self.cleaned_data.get("room") else facts

    def _own(self, path: str) -> Q:
        return Q((f"{path}application__in", list(self.scope.applications)))

    def _wanted(self) -> Q:
        said, wanted = self.cleaned_data, Q()
        if begin := said.get("begin"):
            wanted &= Q(at__gte=begin_of(begin))
        if end := said.get("end"):
            wanted &= Q(at__lte=end_of(end))
        if kind := said.get("kind"):
            wanted &= Q(actor_kind=kind)
        if actor := said.get("actor"):
            wanted &= Q(personal__actor__icontains=actor)
        if action := said.get("action"):
            wanted &= Q(type__startswith=action)
        return wanted

    def _row(self, log: str, entry: ApplicationEvent | Event) -> Row:
        if isinstance(entry, Event):
            return Row(log, entry, self.scope.applications[entry.conference.application_id], entry.conference)
        return Row(log, entry, self.scope.applications[entry.application_id], None)


def _order(backwards: bool) -> list[str]:
    return ["at", "pk"] if backwards else ["-at", "-pk"]


def _beyond(facts: QuerySet[Any], log: str, beyond: Mark | None, backwards: bool) -> QuerySet[Any]:
    """The facts that come later in the list than a mark; of one instant, by log and then by number."""
    if beyond is None:
        return facts
    at, other, pk = beyond
    at = at if isinstance(at, datetime) else parse_datetime(at)
    if at is None or at.tzinfo is None or other not in {APPLICATION, CONFERENCE}:
        raise ValueError("not a mark")
    compare = "gt" if backwards else "lt"
    later = Q((f"at__{compare}", at))
    if log == other:
        later |= Q(("at", at), (f"pk__{compare}", int(pk)))
    elif (log > other) is backwards:
        later |= Q(at=at)
    return facts.filter(later)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the chains say: of how many logs, what was found, and whether there was time for all."""

    logs: int
    findings: list[Finding]
    is_complete: bool


def verify(form: AuditFilter) -> Verdict:
    """Prove the logs of the scope's applications and of the conferences that were asked for, as far as time allows."""
    deadline = time.monotonic() + VERIFY_SECONDS
    logs, findings = 0, list[Finding]()
    for found in _proofs(form):
        if time.monotonic() > deadline or len(findings) >= MOST_FINDINGS:
            return Verdict(logs, findings, is_complete=False)
        findings += islice(found, MOST_FINDINGS)
        logs += 1
    return Verdict(logs, findings, is_complete=True)


def _proofs(form: AuditFilter) -> Iterator[Iterator[Finding]]:
    for application_id in form.scope.applications:
        yield verify_application(application_id)
    for conference in form.conferences().iterator():
        yield verify_conference(conference)
