"""Mixes: many streams that become one."""

from __future__ import annotations

from dataclasses import fields

from accounts.errors import NotAllowed
from conferences.api.operations import ApiView, Call, operation
from conferences.api.pagination import Page, page
from conferences.api.serializers import mixes as shapes
from conferences.api.serializers.conferences import Reason
from conferences.errors import (
    ConferenceClosed,
    ConferenceNotFound,
    MixInputsMissing,
    MixLayoutInvalid,
    MixLimitReached,
    MixNotFound,
)
from conferences.models import Mix
from conferences.services import mixes
from conferences.services.mixes import Picture

GONE = (NotAllowed, ConferenceNotFound, ConferenceClosed)
LOOK = ("layout", "inputs", "background", "reason")
PICTURE = [field.name for field in fields(Picture)]


class MixesView(ApiView):
    @operation("listMixes", query=shapes.MixesQuery, answer=shapes.Mixes, refusals=(NotAllowed, ConferenceNotFound))
    def get(self, call: Call, confr_id: str) -> Page:
        """List a conference's mixes."""
        rows = mixes.list_mixes(call.actor, confr_id).filter(**call.only("state"))
        return page(rows, call.data, shapes.MixesQuery.SORTS)

    @operation(
        "startMix",
        body=shapes.MixStart,
        answer=shapes.MixShape,
        status=201,
        refusals=(*GONE, MixLayoutInvalid, MixInputsMissing, MixLimitReached),
    )
    def post(self, call: Call, confr_id: str) -> Mix:
        """Make one stream of many. It is in the room when the media server says so."""
        picture = Picture(**call.only(*PICTURE))
        return mixes.start_mix(actor=call.actor, confr_id=confr_id, picture=picture, **call.only(*LOOK))


class MixView(ApiView):
    @operation("getMix", answer=shapes.MixShape, refusals=(NotAllowed, ConferenceNotFound, MixNotFound))
    def get(self, call: Call, confr_id: str, mix_id: str) -> Mix:
        """Get one mix, running or over."""
        return mixes.get_mix(call.actor, confr_id, int(mix_id))

    @operation(
        "updateMix",
        body=shapes.MixChange,
        answer=shapes.MixShape,
        refusals=(*GONE, MixNotFound, MixLayoutInvalid, MixInputsMissing),
    )
    def patch(self, call: Call, confr_id: str, mix_id: str) -> Mix:
        """Change what a running mix shows, without an interruption."""
        return mixes.update_mix(actor=call.actor, confr_id=confr_id, mix_id=int(mix_id), **call.only(*LOOK))

    @operation("stopMix", query=Reason, answer=shapes.MixShape, refusals=(*GONE, MixNotFound))
    def delete(self, call: Call, confr_id: str, mix_id: str) -> Mix:
        """End a mix and its stream."""
        return mixes.stop_mix(actor=call.actor, confr_id=confr_id, mix_id=int(mix_id), **call.only("reason"))
