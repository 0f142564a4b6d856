"""The API's description: the OpenAPI document, and a page to read it and try it on.

What makes them is imported when somebody asks: it takes a tenth of the server's start, and few ever do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.module_loading import import_string
from django.views.decorators.http import require_safe

from conferences.api.rendering import encode


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1, for everybody."""
    return HttpResponse(_document(), content_type="application/json")


@cache
def _document() -> bytes:
    """Made once per process, in English: nothing in it depends on who asks."""
    generator = import_string("drf_spectacular.generators.SchemaGenerator")()
    with translation.override("en"):
        return encode(generator.get_schema(request=None, public=True))


@require_safe
def docs(request: HttpRequest) -> HttpResponseBase:
    """The page, for everybody."""
    return _docs()(request)


@cache
def _docs() -> Callable[[HttpRequest], HttpResponseBase]:
    view = import_string("drf_spectacular.views.SpectacularSwaggerSplitView").as_view(
        url="/api/v1/openapi.json",
        template_name="api/docs.html",
        authentication_classes=(),
        permission_classes=(),
    )
    return cast(Callable[[HttpRequest], HttpResponseBase], view)
