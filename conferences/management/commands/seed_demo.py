"""Fills the running server with rooms to try and to photograph."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from conferences.management.demo import Backend, Report
from conferences.management.seed import Seed
from conferences.media import ffmpeg


class Command(BaseCommand):
    help = (
        "Make rooms that are over, with a history, and bans; with --live also rooms with members, chat and ffmpeg "
        "publishers, for --minutes or until Ctrl-C. Talks to the running server as a backend and its members do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--live", action="store_true", help="rooms where something happens")
        parser.add_argument("--minutes", type=float, default=10, help="how long with --live, ten at most (10)")
        parser.add_argument("--rooms", type=int, default=6, help="live rooms (6)")
        parser.add_argument("--streams", type=int, default=6, help="ffmpeg publishers (6)")

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.VAR_DIR / "demo.json"
        if not path.exists():
            raise CommandError(f"there is no {path}: start the server first, with the same CONFR_VAR")
        demo = json.loads(path.read_text())
        with ExitStack() as stack:
            seed = Seed(Backend(demo["url"], demo["api_key"]), Report(self.stdout.write), stack)
            seed.past()
            if not options["live"]:
                return
            try:
                seed.present(options["rooms"], options["streams"])
            except ffmpeg.FfmpegFailed as error:
                raise CommandError(f"publishers need ffmpeg; try --streams 0 ({error})") from error
            self.stdout.write(f"Lively for {options['minutes']:g} minutes: {demo['url']}/dashboard/ (Ctrl-C ends it)")
            try:
                seed.live(options["minutes"] * 60)
            except KeyboardInterrupt:
                self.stdout.write("The rooms are left to themselves.")
