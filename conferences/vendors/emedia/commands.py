"""What a member may ask for over emedia's socket: one table, op → service. Runs in a thread."""

from __future__ import annotations

from collections.abc import Callable

from conferences.errors import OperationUnsupported
from conferences.live.frames import number_of
from conferences.live.operations import Seated
from conferences.models import Kind, stream_id
from conferences.services import conferences, messages, moderation, questions, roles, streams
from conferences.vendors.emedia import codec
from conferences.vendors.fields import Fields

Command = Callable[[Seated, Fields], None]


def _close(seated: Seated, frame: Fields) -> None:
    conferences.destroy_conference(**seated.here)


def _switch_stream(seated: Seated, frame: Fields) -> None:
    """SDKs name the stream by its `rtcId`; the id that others see it by will do as well."""
    voff, aoff = frame.choice("voff", (0, 1)), frame.choice("aoff", (0, 1))
    streams.switch_stream(
        **seated.itself,
        stream_id=frame.text("streamId") or stream_id(frame.needed("rtcId"), seated.number),
        video_off=None if voff is None else bool(voff),
        audio_off=None if aoff is None else bool(aoff),
    )


def _control(seated: Seated, frame: Fields) -> None:
    """A member asks an admin for a role, or an admin mutes a member. Cameras and desktops are not controlled."""
    op2 = _argument(frame).whole("op2")
    if op2 in codec.ROLE_ASKED_BY:
        role, ref = codec.ROLE_ASKED_BY[op2], frame.text("tsxId", 64)
        roles.request_role(**seated.here, role=role, admin=_number(seated, frame), ref=ref)
    elif op2 in (codec.MUTE, codec.UNMUTE):
        moderation.mute_members(
            **seated.here, names=[_name(seated, frame)], kinds=[Kind.AUDIO], muted=op2 == codec.MUTE
        )
    else:
        raise OperationUnsupported()


def _answer(seated: Seated, frame: Fields) -> None:
    """An admin's answer to whoever asked for a role. Other replies need no deed."""
    if "arg" not in frame:
        return
    op2 = _argument(frame).whole("op2")
    if op2 in codec.ROLE_ASKED_BY:
        roles.answer_request(
            **seated.here,
            member=_number(seated, frame),
            role=codec.ROLE_ASKED_BY[op2],
            granted=frame.whole("result") == 0,
            ref=frame.text("tsxId", 64),
        )


def _pass_through(seated: Seated, frame: Fields) -> None:
    content = frame.json_text("arg", messages.MAX_MESSAGE_BYTES)
    messages.send_command(**seated.here, names=[_name(seated, frame)], content=content)


def _argument(frame: Fields) -> Fields:
    argument = frame.nested("arg")
    if argument is None:
        raise OperationUnsupported()
    return argument


def _number(seated: Seated, frame: Fields) -> int:
    """The number of the member whom a frame is for. Raises: OperationUnsupported, as SDKs say it themselves."""
    number = number_of(seated.confr_id, frame.text("memId"))
    if number is None:
        raise OperationUnsupported()
    return number


def _name(seated: Seated, frame: Fields) -> str:
    """The name of the member whom a frame is for. Raises: OperationUnsupported for one that nobody sees."""
    name = questions.visible_member(seated.actor, seated.confr_id, _number(seated, frame))
    if name is None:
        raise OperationUnsupported()
    return name


COMMANDS: dict[int, Command] = {
    codec.CLOSE: _close,
    codec.STREAM_CONTROL: _switch_stream,
    codec.REPLY: _answer,
    codec.REMOTE_CONTROL: _control,
    codec.PASS_THROUGH: _pass_through,
}
