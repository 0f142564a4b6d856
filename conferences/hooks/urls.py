"""Where the media server calls us: through its own private port, never from the outside."""

from django.urls import path

from conferences.hooks.views import media_hook

urlpatterns = [path("nginx/<slug:call>", media_hook), path("srs/<slug:call>", media_hook)]
