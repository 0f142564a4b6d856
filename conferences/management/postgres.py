"""PostgreSQL's own programs, for the commands that dump and restore."""

from __future__ import annotations

import os

from django.core.management.base import CommandError
from django.db import connection

from supervisor.embedded import postgres_installations, postgres_version

LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
}


def program(name: str) -> str:
    """The path of pg_dump and the like in the server's version, else in the next newer one.

    A server refuses to be dumped by an older program, and does not know what a newer one restores.

    Raises: CommandError.
    """
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        server = int(cursor.fetchone()[0]) // 10000
    found = [folder / name for folder in postgres_installations() if (folder / name).exists()]
    fitting = [path for path in found if postgres_version(path) >= server]
    if not fitting:
        raise CommandError(f"{name} {server} is missing; install Debian's package postgresql-client-{server}")
    return str(min(fitting, key=postgres_version))


def connection_environment() -> dict[str, str]:
    """The environment with libpq's variables for Django's database: no password on a command line."""
    parameters = connection.get_connection_params()
    return os.environ | {name: str(parameters[key]) for key, name in LIBPQ.items() if parameters.get(key)}
