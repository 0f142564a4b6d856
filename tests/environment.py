"""Where the tests run: state, database and Redis that nobody else uses. Decided before settings are loaded."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from supervisor import embedded

RUN = f"test_{secrets.token_hex(4)}"


def prepare() -> None:
    """Set the variables that settings read.

    `DATABASE_URL` and `REDIS_URL` are used when given, under names of our own; else private servers are started.
    """
    servers = ExitStack()
    atexit.register(servers.close)
    var = tempfile.mkdtemp(prefix="confr-tests-")
    servers.callback(shutil.rmtree, var)
    (Path(var) / "static").mkdir()
    os.environ |= {
        "CONFR_VAR": var,
        "CONFR_MEDIA_SERVER": "conferences.media.fake.FakeMediaServer",
        "CONFR_REDIS_PREFIX": RUN,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = servers.enter_context(embedded.postgres())
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = servers.enter_context(embedded.redis())
