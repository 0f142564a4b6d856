"""What members tell each other through the conference: attributes, broadcasts, commands."""

from __future__ import annotations

from typing import Any

from accounts.errors import NotAllowed, UserNameInvalid
from conferences.api.operations import ApiView, Call, operation
from conferences.api.serializers import messages as shapes
from conferences.errors import AttributesTooLarge, ConferenceClosed, ConferenceNotFound, MessageTooLarge
from conferences.services import messages

GONE = (NotAllowed, ConferenceNotFound, ConferenceClosed)


class AttributesView(ApiView):
    @operation(
        "setConferenceAttrs",
        body=shapes.AttributesToSet,
        answer=shapes.Attributes,
        refusals=(*GONE, AttributesTooLarge),
    )
    def put(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Write attributes of a conference. The last writer of a key wins."""
        values = call.data["attributes"]
        return {"attributes": messages.set_attributes(actor=call.actor, confr_id=confr_id, values=values)}

    @operation("deleteConferenceAttrs", query=shapes.AttributesToDelete, answer=shapes.Attributes, refusals=GONE)
    def delete(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Delete attributes of a conference by their keys."""
        left = messages.set_attributes(actor=call.actor, confr_id=confr_id, values={}, delete=call.data["keys"])
        return {"attributes": left}


class BroadcastView(ApiView):
    @operation(
        "sendBroadcast",
        body=shapes.Broadcast,
        answer=shapes.Sent,
        status=201,
        refusals=(*GONE, MessageTooLarge),
    )
    def post(self, call: Call, confr_id: str) -> dict[str, int]:
        """Tell every member something."""
        return {"seq": messages.broadcast(actor=call.actor, confr_id=confr_id, content=call.data["content"])}


class CommandView(ApiView):
    @operation(
        "sendCommand",
        body=shapes.Command,
        answer=shapes.Commanded,
        status=201,
        refusals=(*GONE, MessageTooLarge, UserNameInvalid),
    )
    def post(self, call: Call, confr_id: str) -> dict[str, Any]:
        """Tell some members something."""
        told = messages.send_command(
            actor=call.actor, confr_id=confr_id, names=call.names(), content=call.data["content"]
        )
        return {"members": [{"name": name, "told": is_inside} for name, is_inside in told.items()]}
