"""Who runs and owns what: as root, PostgreSQL and nginx run under an account without rights.

Such an account owns the one sub-folder of the state that is its own. No permission of any other folder is
changed; where the account cannot get in, we say so.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from supervisor.errors import StartError

_LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")  # a socket's path has 107 bytes at most


def unprivileged(*preferred: str) -> str | None:
    """The first of these accounts that exists, else `nobody`. None when we are no root ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in preferred if name in known), "nobody")


def group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def own_folder(folder: Path, user: str | None) -> None:
    """Make `folder` (0700) for `user` (None: ourselves) when it is not there.

    Raises: StartError when it belongs to somebody else, or when `user` cannot get there.
    """
    if not folder.exists():
        folder.mkdir(mode=0o700)
        _give(folder, user)
    owner = folder.stat().st_uid
    if owner != _uid(user):
        raise StartError(f"{folder} belongs to user {owner}: give it to {_uid(user)} with chown -R")
    if user and not can_run(["test", "-w", str(folder)], user):
        raise StartError(
            f"{folder}: the account {user} cannot get there, because a folder above it is closed. "
            "Set CONFR_VAR to a folder that everybody may pass, such as /var/lib/confr."
        )


def socket_folder(user: str | None) -> Path:
    """A fresh private folder, for sockets, with a path short enough for one."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 mkdtemp makes it safe
        folder = Path(tempfile.mkdtemp(prefix="confr-", dir=parent))
        _give(folder, user)
        if len(str(folder)) <= _LONGEST_SOCKET_FOLDER and (user is None or can_run(["test", "-w", str(folder)], user)):
            return folder
        shutil.rmtree(folder)
    raise StartError("no folder for sockets: neither TMPDIR nor /tmp is short enough and open to all")


def can_run(command: list[str], user: str | None) -> bool:
    """Whether `command`, run as `user`, is there and succeeds."""
    try:
        done = subprocess.run(
            command, user=user, group=group_of(user), extra_groups=None if user is None else [], cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


def _uid(user: str | None) -> int:
    return os.geteuid() if user is None else pwd.getpwnam(user).pw_uid


def _give(folder: Path, user: str | None) -> None:
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
