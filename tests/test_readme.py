"""The tour of the README, run as it is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import node
from tests.server import CHECKOUT, Confr

pytestmark = pytest.mark.server
README = (CHECKOUT / "README.md").read_text()


def _block(marker: str) -> str:
    """The code between `<!-- marker -->` and `<!-- /marker -->`."""
    match = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```\n<!-- /{marker} -->", README, re.DOTALL)
    assert match, marker
    return match[1]


def _run(command: list[str], confr: Confr, folder: Path) -> str:
    environment = os.environ | {"CONFR_VAR": str(confr.var)}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_shell_part_of_the_tour_works(confr: Confr, tmp_path: Path) -> None:
    script = "set -eu\n" + _block("tour")
    printed = _run(["bash", "-c", script], confr, tmp_path)

    anna, ben = (json.loads((tmp_path / name).read_text()) for name in ("anna.json", "ben.json"))
    assert anna["role"] == 7
    assert ben["ticket"].startswith("tk_")
    for expected in ('"conference.created"', '"ban.added"', '"spam"'):
        assert expected in printed.replace('": "', '":"'), expected
    assert "problem" not in printed


def test_the_script_part_of_the_tour_enters_and_gets_an_address_to_push(confr: Confr, tmp_path: Path) -> None:
    shell, _, _ = _block("tour").partition("# (Now anna")
    _run(["bash", "-c", "set -eu\n" + shell], confr, tmp_path)
    ticket = (tmp_path / "anna.json").read_text()
    polyfill = f'globalThis.WebSocket ??= require("{CHECKOUT}/node_modules/ws");'  # a browser has it, Node may not
    script = _block("tour-js").replace("anna.send(", "const later = () => anna.send(") + (
        "\nconst log = console.log;"
        "\nconsole.log = (frame) => { log(JSON.stringify(frame));"
        " if (frame.id === 1) later(); if (frame.id === 2) anna.close(); };"
    )
    (tmp_path / "tour.js").write_text(f"{polyfill}\nconst ticketOfAnna = {ticket};\n{script}")
    printed = node.run("tour.js", folder=tmp_path)

    frames = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [frame["id"] for frame in frames if "result" in frame] == [1, 2]
    assert frames[-1]["result"]["rtmp"].startswith("rtmp://")
