"""The list of rooms: what may be asked of it, and what its rows show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from django import forms
from django.db.models import Case, Count, DateTimeField, F, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from conferences.dashboard.days import begin_of, end_of
from conferences.dashboard.scope import Scope
from conferences.models import CloseReason, Conference, ConferenceType, Event, Member, Stream
from conferences.models.conference import ends_at

LIVE, ENDING, CLOSED = "live", "ending", "closed"
TABS = {LIVE: _("Live"), ENDING: _("Ending"), CLOSED: _("Closed")}
# What the columns are sorted by. None of it is ever null in the tab that shows the column.
SORTS = {"name": "name", "members": "headcount", "streams": "live_streams", "created": "id", "ends": "ends_at"}
YES_OR_NO = [("", _("any")), ("yes", _("yes")), ("no", _("no"))]


class RoomFilter(forms.Form):
    """The query of the page's address: what is sought, and in which order."""

    tab = forms.ChoiceField(choices=list(TABS.items()), required=False, widget=forms.HiddenInput)
    sort = forms.ChoiceField(
        choices=[(sign + name, name) for name in SORTS for sign in ("", "-")], required=False, widget=forms.HiddenInput
    )
    q = forms.CharField(
        label=_("Search"),
        help_text=_("Name, confrId or member"),
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    application = forms.ChoiceField(label=_("Application"), required=False)
    type = forms.TypedChoiceField(
        label=_("Type"), choices=[("", _("any")), *ConferenceType.choices], required=False, coerce=int, empty_value=None
    )
    locked = forms.ChoiceField(label=_("Locked"), choices=YES_OR_NO, required=False)
    recording = forms.ChoiceField(label=_("Recording"), choices=YES_OR_NO, required=False)
    full = forms.ChoiceField(label=_("Full"), choices=YES_OR_NO, required=False)
    created_from = forms.DateField(
        label=_("Created from"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    created_to = forms.DateField(label=_("Created to"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    members_min = forms.IntegerField(label=_("Members, at least"), required=False, min_value=0, max_value=10**6)
    members_max = forms.IntegerField(label=_("Members, at most"), required=False, min_value=0, max_value=10**6)

    def __init__(self, data: Mapping[str, Any], scope: Scope) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.scope = scope
        names = [(str(each.app_id), each.app_key) for each in scope.applications.values()]
        field = self.fields["application"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("all")), *names]
        if scope.one is not None:
            del self.fields["application"]
        self.full_clean()

    def wish(self, name: str) -> Any:
        """What was asked for, None where nothing (valid) was."""
        value = self.cleaned_data.get(name)
        return None if value == "" else value

    @property
    def folded(self) -> list[forms.BoundField]:
        """The fields that are shown on demand."""
        return [field for field in self.visible_fields() if field.name not in {"q", "application"}]

    @property
    def is_narrowed(self) -> bool:
        return any(field.value() for field in self.folded)

    @property
    def tab_now(self) -> str:
        return self.wish("tab") or LIVE

    @property
    def sort_key(self) -> str:
        """The field that pages go by, with its sign; what the tab does not show sorts nothing."""
        default = {ENDING: "ends_at", CLOSED: "-closed_at"}.get(self.tab_now, "-id")
        wish: str = self.wish("sort") or ""
        name = wish.removeprefix("-")
        if name not in SORTS or (name == "ends" and self.tab_now != ENDING):
            return default
        return wish.replace(name, SORTS[name])

    def rooms(self) -> QuerySet[Conference]:
        """What was found, with the numbers of its columns."""
        found = Conference.objects.filter(application__in=self.scope.applications)
        found = _numbered(found, closed=self.tab_now == CLOSED).filter(self._tab())
        for name, condition in CONDITIONS.items():
            value = self.wish(name)
            if value is not None:
                found = found.filter(condition(value))
        if self.wish("q"):
            found = found.filter(self._sought(self.wish("q")))
        return found

    def _tab(self) -> Q:
        if self.tab_now == CLOSED:
            return Q(state=Conference.State.CLOSED)
        return Q(state=Conference.State.LIVE) & (Q(ends_at__isnull=False) if self.tab_now == ENDING else Q())

    def _sought(self, text: str) -> Q:
        users = User.objects.filter(application__in=self.scope.applications, name__icontains=text)
        visited = Member.objects.filter(user__in=users).values("conference")
        return Q(name__icontains=text) | Q(confr_id__startswith=text.upper()) | Q(pk__in=visited)


def _application(app_id: str) -> Q:
    return Q(application__app_id=app_id)


def _is(condition: Q) -> Callable[[str], Q]:
    return lambda answer: condition if answer == "yes" else ~condition


CONDITIONS: dict[str, Callable[[Any], Q]] = {
    "application": _application,
    "type": lambda kind: Q(type=kind),
    "locked": _is(Q(locked=True)),
    "recording": _is(Q(rec=True)),
    "full": _is(Q(inside__gte=F("seats"))),
    "created_from": lambda day: Q(created_at__gte=begin_of(day)),
    "created_to": lambda day: Q(created_at__lte=end_of(day)),
    "members_min": lambda count: Q(headcount__gte=count),
    "members_max": lambda count: Q(headcount__lte=count),
}


def _numbered(rooms: QuerySet[Conference], *, closed: bool) -> QuerySet[Conference]:
    """With `inside`, `seats`, `headcount` (in closed rooms: who ever was), `live_streams` and `ends_at`."""
    streams = Stream.objects.live().filter(conference=OuterRef("pk")).order_by().values("conference")
    small = When(type=ConferenceType.COMMUNICATION, then=F("max_talkers"))
    unentered = When(entered_at=None, then=ends_at(CloseReason.NEVER_ENTERED))
    return rooms.annotate(
        inside=F("talkers") + F("audience"),
        seats=Case(small, default=F("max_talkers") + F("max_audience")),
        headcount=F("member_serial") if closed else F("talkers") + F("audience"),
        live_streams=Coalesce(Subquery(streams.values(count=Count("pk")), output_field=IntegerField()), 0),
        ends_at=Least(
            Case(unentered, default=None, output_field=DateTimeField()),
            ends_at(CloseReason.TOO_LONG),
            ends_at(CloseReason.NO_ADMIN),
        ),
    )


def raised_hands(rooms: Collection[Conference]) -> dict[int, int]:
    """How many members of each room asked for a role that they have not got, and nobody has answered."""
    ids = [room.pk for room in rooms]
    told = Event.objects.filter(conference__in=ids, type__in=["role.requested", "role.answered"])
    asking: dict[tuple[int, int], int] = {}
    for conference, kind, data in told.order_by("conference", "seq").values_list("conference", "type", "data"):
        if kind == "role.requested":
            asking[conference, data["member"]] = data["role"]
        else:
            asking.pop((conference, data["member"]), None)
    if not asking:
        return {}
    seats = Member.objects.seated().filter(conference__in=ids, number__in={number for _, number in asking})
    hands = dict.fromkeys(ids, 0)
    for conference, number, role in seats.values_list("conference", "number", "role"):
        hands[conference] += role < asking.get((conference, number), 0)
    return hands
