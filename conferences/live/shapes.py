"""Shapes: what the data of a frame may hold. A JSON string is no number, and an unknown name is an error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.errors import BadParameters
from accounts.names import plain_text

LINE_BREAKS = str.maketrans("", "", "\n\r\t")
REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what a service calls it, what is accepted, and what it is when left out.

    `None` as the default leaves it out of what the service gets.
    """

    argument: str
    accepts: Callable[[Any], bool]
    default: object = REQUIRED


Shape = Mapping[str, Field]


def read(shape: Shape, data: object) -> dict[str, Any]:
    """What the client sent, by the services' names. Raises: BadParameters, which names every wrong field."""
    if not isinstance(data, dict):
        raise BadParameters(errors=[_error("", _("Send an object."))])
    errors = [_error(name, _("There is no such field.")) for name in sorted(data.keys() - shape.keys())]
    read: dict[str, Any] = {}
    for name, field in shape.items():
        if name not in data:
            if field.default is REQUIRED:
                errors.append(_error(name, _("This field is required.")))
            elif field.default is not None:
                read[field.argument] = field.default
        elif field.accepts(data[name]):
            read[field.argument] = data[name]
        else:
            errors.append(_error(name, _("The value is not of the right type, or too large.")))
    if errors:
        raise BadParameters(errors=errors)
    return read


def _error(name: str, detail: str | Promise) -> dict[str, object]:
    return {"pointer": f"#/{name}" if name else "#", "detail": detail}


def text(most: int, *, least: int = 1, lines: bool = False) -> Callable[[Any], bool]:
    """A string of so many characters, none of them a control character; `lines` allows line breaks and tabs."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, str) or not least <= len(value) <= most:
            return False
        return plain_text(value.translate(LINE_BREAKS) if lines else value)

    return accepts


def whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def flag(value: Any) -> bool:
    return type(value) is bool


def one_of(choices: Collection[Any]) -> Callable[[Any], bool]:
    """One of these, and of the same type: True is no 1."""
    kinds = {(type(choice), choice) for choice in choices}
    return lambda value: isinstance(value, (str, int)) and (type(value), value) in kinds


def some(accepts: Callable[[Any], bool], most: int, *, least: int = 1) -> Callable[[Any], bool]:
    """A list of so many of them."""
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(accepts, value))


def texts(most: int, key: Callable[[Any], bool], value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """An object of strings with so many keys."""
    return lambda given: (
        isinstance(given, dict) and 1 <= len(given) <= most and all(map(key, given)) and all(map(value, given.values()))
    )
