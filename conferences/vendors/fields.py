"""What vendors' clients send, read leniently: a number may come as a string, "" means left out, and names that we
do not know are ignored. What is there and cannot be meant is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters
from accounts.names import plain_text

MAX_LIST = 500
LINE_BREAKS = str.maketrans("", "", "\n\r\t")


class Fields:
    """One JSON object. Each method reads one field. Raises: BadParameters, which names the field."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    @classmethod
    def parse(cls, text: str | bytes | None) -> Fields:
        """Raises: BadParameters for anything but a JSON object."""
        return cls(_checked(_parsed(text)))

    @classmethod
    def parse_some(cls, text: str | bytes | None) -> list[Fields]:
        """The objects of a list of at most 500, or the one that there is. Raises: BadParameters."""
        data = _parsed(text)
        if not isinstance(data, list) or len(data) > MAX_LIST:
            data = [data]
        return [cls(_checked(item)) for item in data]

    def __bool__(self) -> bool:
        return bool(self._data)

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) not in (None, "")

    def has(self, name: str) -> bool:
        """Whether it was sent at all, be it empty."""
        return self._data.get(name) is not None

    def text(self, name: str, most: int = 200, default: str = "") -> str:
        """A string without control characters but line breaks and tabs."""
        value = self._data.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > most or not plain_text(value.translate(LINE_BREAKS)):
            raise self.wrong(name)
        return value

    def text_if_any(self, name: str) -> str:
        """A string, and "" for whatever else stands there."""
        value = self._data.get(name)
        return value if isinstance(value, str) else ""

    def needed(self, name: str, most: int = 200) -> str:
        """The same, and not empty."""
        if name not in self:
            raise self.wrong(name)
        return self.text(name, most)

    def json_text(self, name: str, most: int) -> str:
        """A JSON document as text, whether it came as text or as an object."""
        value = self._data.get(name)
        return self._text_of(name, value, most) if isinstance(value, dict | list) else self.text(name, most)

    def whole(self, name: str, least: int = 0, most: int = 2**53) -> int | None:
        """A whole number, also as a string; None when it was left out."""
        if name not in self:
            return None
        value = self._data[name]
        if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 20:
            value = int(value)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(name)
        return value

    def choice(self, name: str, choices: Collection[int]) -> int | None:
        value = self.whole(name)
        if value is not None and value not in choices:
            raise self.wrong(name)
        return value

    def one_of(self, name: str, choices: Collection[str]) -> str:
        """One of these words; "" when it was left out."""
        value = self.text(name)
        if value and value not in choices:
            raise self.wrong(name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false, also as 0, 1 or a string."""
        if name not in self:
            return default
        value = self._data[name]
        found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        if found is None:
            raise self.wrong(name)
        return found

    def texts(self, name: str) -> list[str]:
        """A list of 1 to 500 strings, none of them empty."""
        values = self._data.get(name)
        if not isinstance(values, list) or not 1 <= len(values) <= MAX_LIST:
            raise self.wrong(name)
        if not all(isinstance(value, str) and value and plain_text(value) for value in values):
            raise self.wrong(name)
        return values

    def nested(self, name: str) -> Fields | None:
        """An object, also as JSON text; None when it was left out."""
        if name not in self:
            return None
        value = self._data[name]
        if isinstance(value, str):
            return Fields.parse(value)
        if not isinstance(value, dict):
            raise self.wrong(name)
        return Fields(value)

    def list_of(self, name: str) -> list[Fields]:
        """A list of at most 500 objects; empty when it was left out."""
        values = self._data.get(name) or []
        if not isinstance(values, list) or len(values) > MAX_LIST or not all(isinstance(v, dict) for v in values):
            raise self.wrong(name)
        return [Fields(value) for value in values]

    def _text_of(self, name: str, value: object, most: int) -> str:
        text = orjson.dumps(value).decode()
        if len(text) > most:
            raise self.wrong(name)
        return text

    def wrong(self, name: str) -> BadParameters:
        """The refusal of a field: it is missing, or not of the right kind."""
        return BadParameters(errors=[_wrong(name)])


def _parsed(text: str | bytes | None) -> object:
    try:
        return orjson.loads(text or b"")
    except orjson.JSONDecodeError:
        return None


def _checked(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise BadParameters(errors=[_wrong("")])
    return data


def _wrong(name: str) -> dict[str, object]:
    return {"pointer": f"#/{name}" if name else "#", "detail": _("The value is missing, or not of the right kind.")}
