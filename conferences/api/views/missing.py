"""What is asked for where nothing is."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.errors import NotFound
from conferences.api.rendering import JsonOnly


class MissingView(APIView):
    """Refuses every method in the API's own form, also to strangers."""

    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = JsonOnly
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound()
