"""What the terminal says when all is up: addresses, the demo's credentials once, what is off."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping

from supervisor.settings import Settings
from supervisor.state import State


def ready(settings: Settings, state: State, *, missing: str | None, show_demo: bool) -> str:
    """The whole text. `missing` is what nginx-rtmp lacks; `show_demo` is true at the very first start."""
    rows = {"API": f"{settings.public_url}/api/v1/docs", "Admin": f"{settings.public_url}/admin/"}
    if settings.runs_media and not missing:
        rows |= {"RTMP": settings.public_rtmp_url, "HLS": f"{settings.public_media_url}/hls"}
    rows["State"] = str(settings.var)
    rows["manage.py"] = f". {state.environment_file}  first, in another terminal"
    parts = ["Confr is ready.", _table(rows)]
    if state.demo_file.exists():
        parts.append(f"The demo application's credentials are in {state.demo_file}.")
        if show_demo and not _goes_to_a_journal():
            parts.append(f"They are shown this once:\n{_table(json.loads(state.demo_file.read_text()))}")
    parts.extend(f"Off: {text}" for text in _off(missing))
    return "\n".join(parts)


def _off(missing: str | None) -> list[str]:
    off = []
    if missing:
        off.append(f"media. {missing}. Members join and moderate, but nobody publishes or plays.")
    if shutil.which("ffmpeg") is None:
        off.append("what needs ffmpeg: `manage.py demo` and its streams. ffmpeg is not installed.")
    return off


def _goes_to_a_journal() -> bool:
    """Under systemd our output is a log, and no secret goes there."""
    return "JOURNAL_STREAM" in os.environ


def _table(rows: Mapping[str, object]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:{width}}  {value}" for name, value in rows.items())
