"""`python -m bench.history`: what a long past costs the hot verbs. See README.md beside it."""

from __future__ import annotations

import os

import django

from bench.server import surroundings


def main() -> None:
    with surroundings() as given:
        os.environ |= given | {"CONFR_DB_POOL": "1"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        django.setup()
        from bench.past import PAST, measure

        figures = measure()
    print(f"| a past of {PAST:,} | without: µs | with: µs | with : without |\n|---|---|---|---|")
    for verb, (young, old) in figures.items():
        print(f"| {verb} | {young:.0f} | {old:.0f} | {old / young:.2f} |")


if __name__ == "__main__":
    main()
