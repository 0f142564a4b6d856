"""Every address of Confr. Vendor routes come last: theirs begin with an organisation's name."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.urls.resolvers import RoutePattern
from django.views.generic import RedirectView

from conferences.api.views import operators
from conferences.vendors.base import enabled


def _at_first_visit(route: str, module: str, name: str | None = None) -> URLResolver:
    """`include`, but imported when somebody first comes: a new process would spend a tenth of its start on pages."""
    return URLResolver(RoutePattern(route), module, app_name=name, namespace=name)


urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="dashboard:home")),
    path("api/v1/", include("conferences.api.urls")),
    path("healthz", operators.healthz),
    path("readyz", operators.readyz),
    path("metrics", operators.metrics),
    _at_first_visit("dashboard/", "conferences.dashboard.urls", name="dashboard"),
    _at_first_visit("account/", "accounts.signin.urls"),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("hooks/", include("conferences.hooks.urls")),
    *(pattern for dialect in enabled() for pattern in dialect.urlpatterns),
]
