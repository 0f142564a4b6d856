"""Strict shapes and their fields: a JSON string is no number, an unknown name is an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.names import plain_text

MAX_NAMES = 500
MAX_UNKNOWN = 20
LINE_BREAKS = str.maketrans("", "", "\n\r\t")


class Shape(serializers.Serializer[Any]):
    """A JSON object with these fields and no others. `EXAMPLE` is shown in the documentation."""

    EXAMPLE: ClassVar[dict[str, Any] | None] = None

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := data.keys() - self.fields.keys()):
            detail = [ErrorDetail(str(_("There is no such field.")), code="unknown")]
            raise ValidationError(dict.fromkeys(sorted(unknown)[:MAX_UNKNOWN], detail))
        return super().to_internal_value(data)


class Nothing(Shape):
    """An empty object: a query without parameters, an answer that says only that it is done."""


def shared(shape: type[Shape]) -> Shape:
    """One instance per process and language: DRF would copy every field for every request."""
    return _instance(shape, get_language())


@cache
def _instance(shape: type[Shape], language: str | None) -> Shape:
    """Not shared between languages: DRF's validators keep the text of the first refusal."""
    return shape()


def read(shape: type[Shape], data: Any) -> dict[str, Any]:
    """What the client sent, by our names. Raises: ValidationError."""
    values: dict[str, Any] = shared(shape).run_validation(data)
    return dict(values)


def show(shape: type[Shape], value: Any) -> dict[str, Any]:
    """What the client gets."""
    shown: dict[str, Any] = shared(shape).to_representation(value)
    return shown


class Text(serializers.CharField):
    """A bounded string without control characters; `lines` allows line breaks and tabs."""

    default_error_messages = {"plain": _("Leave out control characters.")}

    def __init__(self, max_length: int, *, lines: bool = False, **options: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **options)
        self.lines = lines

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not plain_text(data.translate(LINE_BREAKS) if self.lines else data):
            self.fail("plain")
        return data


class Whole(serializers.IntegerField):
    """A bounded whole number."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(min_value=least, max_value=most, **options)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class Millis(Whole):
    """Milliseconds on the wire, whole seconds in the house; what is begun counts."""

    def run_validation(self, data: Any = serializers.empty) -> int | None:
        millis: int | None = super().run_validation(data)
        return None if millis is None else -(-millis // 1000)

    def to_representation(self, value: int) -> int:
        return value * 1000


class Flag(serializers.BooleanField):
    """true or false."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


class Choice(serializers.ChoiceField):
    """One of the numbers or words of `choices`, as that enum."""

    def __init__(self, choices: type[models.IntegerChoices] | type[models.TextChoices], **options: Any) -> None:
        super().__init__(choices=choices.choices, **options)
        self.enum = choices

    def to_internal_value(self, data: Any) -> Any:
        if type(data) not in (int, str) or data not in self.choices:
            self.fail("invalid_choice", input=data)
        return self.enum(data)

    def to_representation(self, value: Any) -> Any:
        return value


class Time(serializers.DateTimeField):
    """RFC 3339 in UTC with milliseconds."""

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Names(serializers.ListField):
    """User names, in any form that a vendor's SDK sends."""

    def __init__(self, *, most: int = MAX_NAMES, allow_empty: bool = False, **options: Any) -> None:
        super().__init__(child=Text(200), allow_empty=allow_empty, max_length=most, **options)


class Texts(serializers.DictField):
    """An object of texts."""

    def __init__(self, most_key: int, most_value: int, **options: Any) -> None:
        super().__init__(child=Text(most_value, lines=True, allow_blank=True), **options)
        self.key = Text(most_key)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                self.key.run_validation(key)
        return super().to_internal_value(data)


class Url(serializers.CharField):
    """Where `/live` is. It is the same for all."""

    def get_attribute(self, instance: Any) -> str:
        return f"{settings.PUBLIC_WS_URL}/live"


class Repeated(serializers.ListField):
    """A query parameter that may be given several times."""

    def __init__(self, child: serializers.Field[Any, Any, Any, Any], *, most: int, **options: Any) -> None:
        super().__init__(child=child, allow_empty=False, max_length=most, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data if isinstance(data, list) else [data])
