"""The pages around signing in, below /account/. Of allauth's, those for strangers and for addresses are left out."""

from __future__ import annotations

from allauth.account import views
from allauth.urls import build_provider_urlpatterns
from django.urls import URLPattern, URLResolver, include, path

from accounts.signin.views import end_session, invitation, sessions

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
    path("2fa/", include("allauth.mfa.urls")),
    path("3rdparty/", include("allauth.socialaccount.urls")),
    path("sessions/", sessions, name="account_sessions"),
    path("sessions/<int:pk>/end/", end_session, name="account_end_session"),
    path("invitation/<str:token>/", invitation, name="account_invitation"),
    *build_provider_urlpatterns(),
]
