"""`python -m bench.prepare`: an empty database becomes one with an application and a key for the load tool.

Prints the key. The application's limits are raised as an operator would raise them; nothing is switched off.
"""

from __future__ import annotations

import os

import django

UNLIMITED = 1_000_000_000  # requests a minute: the limits are counted, and never reached


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

    from django.core.management import call_command

    from accounts.actors import system
    from accounts.models import Scope
    from accounts.services import create_api_key, create_application, update_application

    call_command("migrate", verbosity=0)
    actor = system()
    application = create_application(actor=actor, org=f"bench-{os.urandom(4).hex()}", app="live")
    limits = {"requests_per_minute": UNLIMITED, "total_requests_per_minute": UNLIMITED}
    update_application(actor=actor, application=application, changes=limits)
    print(create_api_key(actor=actor, application=application, name="bench", scopes=Scope.values).secret)


if __name__ == "__main__":
    main()
