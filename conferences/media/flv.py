"""FLV as far as relaying a live stream needs it: whole tags, and what a viewer must have first who comes late.

Pure: bytes in, bytes out.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER_BYTES = 13  # of the file; the last four are the size of the tag before the first one
TAG_HEADER_BYTES, TAG_SIZE_BYTES = 11, 4
SOUND, PICTURE, SCRIPT = 8, 9, 18
KEY_FRAME, AVC, AAC = 1, 7, 10
SETUP, FRAME = 0, 1
MAX_TAG_BYTES = 2 << 20
MAX_GROUP_BYTES = 2 << 20


class FlvInvalid(Exception):
    """This is no FLV, or a tag is larger than any frame of a phone."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag with its size behind it, as it stands in the stream."""

    content: bytes

    @property
    def kind(self) -> int:
        """SOUND, PICTURE or SCRIPT."""
        return self.content[0]

    @property
    def is_setup(self) -> bool:
        """Whether it says how to read those that follow: metadata, or the header of a codec."""
        if self.kind == SOUND:
            return self._format >> 4 == AAC and self._part == SETUP
        if self.kind == PICTURE:
            return self._format & 0x0F == AVC and self._part == SETUP
        return True

    @property
    def is_key_frame(self) -> bool:
        """Whether decoding can begin here."""
        if self.kind != PICTURE or self._format >> 4 != KEY_FRAME:
            return False
        return self._format & 0x0F != AVC or self._part == FRAME

    # An empty tag has its size in their place, of which the first bytes are 0.

    @property
    def _format(self) -> int:
        return self.content[TAG_HEADER_BYTES]

    @property
    def _part(self) -> int:
        return self.content[TAG_HEADER_BYTES + 1]


class Reader:
    """Cuts a stream, which comes in pieces of any size, into tags. `header` is b"" until it has come."""

    def __init__(self) -> None:
        self.header = b""
        self._rest = b""

    def feed(self, data: bytes) -> list[Tag]:
        """The tags that are whole now. Raises: FlvInvalid."""
        self._rest += data
        if not self.header:
            self._read_header()
        tags = []
        while self.header and (size := self._whole_size()):
            tags.append(Tag(self._rest[:size]))
            self._rest = self._rest[size:]
        return tags

    def _read_header(self) -> None:
        if not self._rest.startswith(b"FLV"[: len(self._rest)]):
            raise FlvInvalid
        if len(self._rest) >= HEADER_BYTES:
            self.header, self._rest = self._rest[:HEADER_BYTES], self._rest[HEADER_BYTES:]

    def _whole_size(self) -> int:
        """The bytes of the next tag; 0 until all of them are here."""
        if self._rest and self._rest[0] not in {SOUND, PICTURE, SCRIPT}:
            raise FlvInvalid
        if len(self._rest) < TAG_HEADER_BYTES:
            return 0
        size = TAG_HEADER_BYTES + int.from_bytes(self._rest[1:4], "big") + TAG_SIZE_BYTES
        if size > MAX_TAG_BYTES:
            raise FlvInvalid
        return size if len(self._rest) >= size else 0


class Opening:
    """What a viewer must have first: the header, the setup, and all since the last key frame.

    Of a group that grows beyond 2 MiB nothing is kept: who comes then sees the next key frame first.
    """

    def __init__(self, header: bytes) -> None:
        self._header = header
        self._setup: dict[int, bytes] = {}
        self._group: list[bytes] = []
        self._size = 0

    def add(self, tag: Tag) -> None:
        if tag.is_setup:
            self._setup[tag.kind] = tag.content
            return
        if tag.is_key_frame:
            self._group, self._size = [tag.content], len(tag.content)
        elif self._group:
            self._group.append(tag.content)
            self._size += len(tag.content)
        if self._size > MAX_GROUP_BYTES:
            self._group, self._size = [], 0

    def __bytes__(self) -> bytes:
        return b"".join([self._header, *self._setup.values(), *self._group])
