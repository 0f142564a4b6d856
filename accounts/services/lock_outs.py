"""Lock-outs, as axes has counted them, lifted before their time."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.db import transaction

from accounts.actors import Actor
from accounts.errors import NotFound
from accounts.log import Fact, record
from accounts.models import Application, Membership
from accounts.permissions import Act, require


@transaction.atomic
def lift_lock_out(*, actor: Actor, application: Application, username: str, address: str) -> None:
    """Forget the refused attempts in the name of a member of the application's staff from one address.

    Raises: ApplicationNotFound, NotAllowed, NotFound. Records: staff.lock_out_lifted.
    """
    require(actor, Act.MANAGE_STAFF, application)
    membership = Membership.objects.filter(application=application, staff__username=username).first()
    if membership is None:
        raise NotFound
    forgotten, _ = AccessAttempt.objects.filter(username=username, ip_address=address).delete()
    if not forgotten:
        raise NotFound
    personal = {"staff_name": username, "from": address}
    record(application, Fact("staff.lock_out_lifted", actor, {"staff": membership.staff_id}, personal=personal))
