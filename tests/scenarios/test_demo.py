"""`manage.py demo` against a running Confr, as an operator calls it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.scenarios.stage import Stage, measured
from tests.server import CHECKOUT

pytestmark = [pytest.mark.media, pytest.mark.server]


def demo(environment: dict[str, str]) -> tuple[int, dict[str, object]]:
    """The exit code, and what the last line says. Every line goes to the test's own output: a failure shows it."""
    command = [sys.executable, "-u", "manage.py", "demo"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [_shown(line) for line in process.stdout or ()]
            return process.wait(), json.loads(lines[-1])
        finally:
            process.kill()


def _shown(line: str) -> str:
    print(line, end="")  # noqa: T201 for whoever reads why the test failed
    return line


def test_the_demo_keeps_every_promise(stage: Stage):
    code, told = demo(stage.server.environment)

    assert code == 0
    assert told["ok"] is True
    measured(kick_to_silence=float(str(told["kick_to_silence_ms"])) / 1000)
    assert isinstance(told["kick_to_silence_ms"], int)
    assert told["kick_to_silence_ms"] < 1000
    assert float(str(told["merged_duration_s"])) > 1
    assert float(str(told["merge_speed_x"])) > 0
    assert 10 < float(str(told["mix_fps"])) < 20
    assert float(str(told["recording_ready_s"])) < 60


def test_a_demo_without_a_server_fails_aloud(stage: Stage, tmp_path):
    absent = json.loads((stage.server.var / "demo.json").read_text()) | {"url": "http://127.0.0.1:9"}
    (tmp_path / "demo.json").write_text(json.dumps(absent))

    code, told = demo(stage.server.environment | {"CONFR_VAR": str(tmp_path)})

    assert code != 0
    assert told["ok"] is False
    assert told["error"]


def test_a_demo_that_is_refused_fails_aloud(stage: Stage, tmp_path):
    refused = json.loads((stage.server.var / "demo.json").read_text()) | {"api_key": "ck_000000000000_" + "A" * 43}
    (tmp_path / "demo.json").write_text(json.dumps(refused))

    code, told = demo(stage.server.environment | {"CONFR_VAR": str(tmp_path)})

    assert code != 0
    assert told["ok"] is False
    assert "credentials_invalid" in str(told["error"])
