"""Attributes, broadcasts and commands on the wire."""

from __future__ import annotations

from conferences.api.serializers.base import Flag, Names, Repeated, Shape, Text, Texts, Whole

MAX_KEYS, MAX_KEY, MAX_VALUE = 100, 128, 8192


class AttributesToSet(Shape):
    """What `setConferenceAttrs` takes; other keys stay as they are."""

    EXAMPLE = {"attributes": {"topic": "release"}}

    attributes = Texts(MAX_KEY, MAX_VALUE, allow_empty=False)


class AttributesToDelete(Shape):
    """What `deleteConferenceAttrs` takes: `?key=a&key=b`."""

    key = Repeated(Text(MAX_KEY), most=MAX_KEYS, source="keys")


class Attributes(Shape):
    """All attributes of the conference now."""

    attributes = Texts(MAX_KEY, MAX_VALUE)


class Broadcast(Shape):
    """What `sendBroadcast` takes."""

    EXAMPLE = {"content": "we begin"}

    content = Text(8192, lines=True, help_text="At most 8 KiB.")


class Sent(Shape):
    """The event that it became."""

    seq = Whole(1, 2**53)


class Command(Shape):
    """What `sendCommand` takes."""

    EXAMPLE = {"memNames": ["bob"], "content": "please unmute"}

    memNames = Names(source="names")
    content = Text(8192, lines=True, help_text="At most 8 KiB.")


class Told(Shape):
    memName = Text(64, source="name")
    told = Flag(help_text="false: not inside.")


class Commanded(Shape):
    """What became of each name."""

    members = Told(many=True)
