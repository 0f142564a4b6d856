"""`python -m bench.history`: what a long past costs the hot verbs. See README.md beside it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import django

from supervisor.embedded import postgres, redis


def main() -> None:
    with ExitStack() as stack:
        os.environ |= {
            "CONFR_VAR": stack.enter_context(TemporaryDirectory(prefix="confr-bench-")),
            "CONFR_MEDIA_SERVER": "conferences.media.fake.FakeMediaServer",  # no media is part of it
            "CONFR_DB_POOL": "1",
            "DATABASE_URL": os.environ.get("DATABASE_URL") or stack.enter_context(postgres()),
            "REDIS_URL": os.environ.get("REDIS_URL") or stack.enter_context(redis()),
        }
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        django.setup()
        from bench.past import PAST, measure

        figures = measure()
    print(f"| a past of {PAST:,} | without: µs | with: µs | with : without |\n|---|---|---|---|")
    for verb, (young, old) in figures.items():
        print(f"| {verb} | {young:.0f} | {old:.0f} | {old / young:.2f} |")


if __name__ == "__main__":
    main()
