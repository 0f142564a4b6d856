"""What is wrong with the configuration is said at the start."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from accounts.checks import trusted_proxies


@pytest.mark.parametrize("good", [[], ["127.0.0.1"], ["10.0.0.1/8", "fd00::/8"]])
def test_addresses_and_networks_are_good_proxies(settings, good):
    settings.TRUSTED_PROXIES = good
    assert trusted_proxies() == []


def test_a_proxy_that_is_no_address_is_an_error_of_the_start(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1", "proxy.example.com"]
    errors = [check for check in run_checks() if check.id == "accounts.E001"]
    assert ["proxy.example.com" in error.msg for error in errors] == [True]
