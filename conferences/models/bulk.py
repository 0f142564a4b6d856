"""BulkAct: one act of a staff member on many conferences. BulkItem: what came of it in one of them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Application, Staff
from conferences.models.conference import Conference


class BulkAct(models.Model):
    """What is to be done, by whom and why. Its items are done one by one, each in a transaction of its own."""

    class Verb(models.TextChoices):
        END = "end", _("end")
        LOCK = "lock", _("lock")
        UNLOCK = "unlock", _("unlock")
        MUTE = "mute", _("mute everybody")
        UNMUTE = "unmute", _("unmute everybody")
        ANNOUNCE = "announce", _("announce")

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="bulk_acts")
    # The page that it was begun on: of one application, or (null) of all.
    application = models.ForeignKey(Application, models.CASCADE, null=True, related_name="bulk_acts")
    # Chosen by the page that asked: asked again, it is the same act.
    token = models.CharField(max_length=32)
    verb = models.CharField(_("act"), max_length=8, choices=Verb.choices)
    content = models.TextField(_("announcement"), blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("bulk act")
        verbose_name_plural = _("bulk acts")
        constraints = [models.UniqueConstraint(fields=["staff", "token"], name="bulk_act_token_unique")]

    def __str__(self) -> str:
        return f"{self.verb} {self.pk}"


class BulkItem(models.Model):
    """One conference of a bulk act. Its state is written together with what is done to the conference."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        ALREADY = "already", _("was so already")
        REFUSED = "refused", _("refused")
        CANCELLED = "cancelled", _("cancelled")

    act = models.ForeignKey(BulkAct, models.CASCADE, related_name="items", db_index=False)
    conference = models.ForeignKey(Conference, models.CASCADE, related_name="bulk_items")
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.WAITING)
    code = models.CharField(max_length=48, blank=True)  # why it was refused
    at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("item of a bulk act")
        verbose_name_plural = _("items of bulk acts")
        constraints = [models.UniqueConstraint(fields=["act", "conference"], name="bulk_item_unique")]
        indexes = [models.Index(fields=["act"], condition=models.Q(state="waiting"), name="bulk_item_waiting")]

    def __str__(self) -> str:
        return f"{self.act_id} {self.conference_id} {self.state}"
