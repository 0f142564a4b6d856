"""What settings follow from the public address."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.server import CHECKOUT

ASK = """
import json, django
from django.conf import settings
django.setup()
names = ["SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME"]
names += ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY"]
print(json.dumps([getattr(settings, name) for name in names]))
"""


def cookies(public_url: str) -> list[object]:
    """Names and flags of the cookies of a Confr with this address."""
    environment = os.environ | {"CONFR_PUBLIC_URL": public_url, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=CHECKOUT, env=environment, capture_output=True, check=True)
    found: list[object] = json.loads(done.stdout)
    return found


def test_cookies_of_a_secure_address_are_bound_to_its_host() -> None:
    assert cookies("https://confr.example") == ["__Host-sessionid", "__Host-csrftoken", True, True, True]
    assert cookies("http://127.0.0.1:8000") == ["sessionid", "csrftoken", False, False, True]
