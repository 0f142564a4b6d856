"""Who is calling: applications, their users and keys, and the staff."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _

from accounts.checks import trusted_proxies


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        register(trusted_proxies)
