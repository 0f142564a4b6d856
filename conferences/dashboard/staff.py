"""The staff of one application as its page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Application, Membership, StaffRole
from accounts.signin.lockouts import LockOut, lock_outs
from accounts.signin.sessions import OpenSession, open_sessions


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=StaffRole.choices)


class InvitationForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=StaffRole.choices, initial=StaffRole.MODERATOR)
    email = forms.EmailField(
        label=_("E-mail address"),
        required=False,
        help_text=_("Empty, or the address by which the company's single sign-on will know the person."),
    )


class LockOutForm(forms.Form):
    """Which lock-out to lift."""

    username = forms.CharField(max_length=150)
    address = forms.GenericIPAddressField()


@dataclass(frozen=True, slots=True)
class Colleague:
    """A member of the staff with all that can be done about them."""

    membership: Membership
    form: RoleForm
    has_second_factor: bool
    sessions: list[OpenSession]
    lock_outs: list[LockOut]


def colleagues(application: Application) -> list[Colleague]:
    """By name; in five statements, however many they are."""
    memberships = list(
        Membership.objects.filter(application=application).select_related("staff").order_by("staff__username")
    )
    staff = [membership.staff for membership in memberships]
    kinds = Authenticator.objects.filter(user__in=staff).exclude(type=Authenticator.Type.RECOVERY_CODES)
    protected = set(kinds.values_list("user_id", flat=True))
    sessions, locked = open_sessions(staff), lock_outs([each.username for each in staff])
    return [
        Colleague(
            membership,
            RoleForm(initial={"role": membership.role}, auto_id=f"role_{membership.pk}_%s"),
            membership.staff_id in protected,
            [each for each in sessions if each.staff_id == membership.staff_id],
            [each for each in locked if each.username == membership.staff.username],
        )
        for membership in memberships
    ]
