"""The ASGI application: HTTP in one thread hop, WebSockets to their consumers, and the hub's end with the server's."""

# ruff: noqa: E402  Django is set up before anything that needs its settings is imported

from __future__ import annotations

import gc
import os

import django

gc.disable()  # nothing that is imported is garbage, and looking for it takes a sixth of the start
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter

from conferences.dashboard import live as dashboard
from conferences.live import routing
from conferences.vendors.base import enabled
from config.http import HttpHandler
from config.lifespan import elsewhere, lifespan

vendors = [pattern for dialect in enabled() for pattern in dialect.websocket_urlpatterns]
application = ProtocolTypeRouter(
    {
        "http": HttpHandler(),
        "websocket": URLRouter([*routing.urlpatterns, *dashboard.urlpatterns, *vendors, *elsewhere]),
        "lifespan": lifespan,
    }
)
gc.enable()
