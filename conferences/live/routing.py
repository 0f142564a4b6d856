"""Where our own socket is."""

from django.urls import URLPattern, path

from conferences.live.consumers import ConferenceConsumer

urlpatterns: list[URLPattern] = [path("live", ConferenceConsumer.as_asgi())]
