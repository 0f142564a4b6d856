"""Every address of Confr. Vendor routes come last: theirs begin with an organisation's name."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from conferences.api.views import operators
from conferences.vendors.base import enabled

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="dashboard:home")),
    path("api/v1/", include("conferences.api.urls")),
    path("healthz", operators.healthz),
    path("readyz", operators.readyz),
    path("metrics", operators.metrics),
    path("dashboard/", include("conferences.dashboard.urls")),
    path("account/", include("accounts.signin.urls")),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("hooks/", include("conferences.hooks.urls")),
    *(pattern for dialect in enabled() for pattern in dialect.urlpatterns),
]
