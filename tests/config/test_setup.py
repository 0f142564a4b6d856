"""What set-up does with the libraries of the dashboard's pages, in a folder of its own. npm itself is not asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import CHECKOUT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout whose npm packages are installed."""
    shutil.copytree(CHECKOUT / "script", tmp_path / "script")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CHECKOUT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / "node_modules").mkdir()
    for package in (CHECKOUT / "node_modules").iterdir():
        (tmp_path / "node_modules" / package.name).symlink_to(package)
    shutil.copy(CHECKOUT / "package-lock.json", tmp_path / "node_modules/.installed")
    return tmp_path


def ensure_libraries(folder: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c", "source script/setup.sh; ensure_libraries"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stderr


def test_libraries_are_copied_again_only_when_something_changed(folder: Path) -> None:
    vendor = folder / "static/vendor"
    assert "installing" in ensure_libraries(folder)
    copied = {path.name: path.read_bytes() for path in vendor.iterdir()}
    plain = {name for name in copied if not name.endswith(".gz")}
    assert plain >= {"tabler.min.css", "htmx.min.js", "bootstrap-icons.svg", "hls.light.min.mjs"}
    assert copied.keys() - plain == {f"{name}.gz" for name in plain}
    (vendor / "tabler.min.css").write_text("kept")
    assert ensure_libraries(folder) == ""
    assert (vendor / "tabler.min.css").read_text() == "kept"
    with (folder / "package-lock.json").open("a") as lock:
        lock.write("\n")
    shutil.copy(folder / "package-lock.json", folder / "node_modules/.installed")
    assert "installing" in ensure_libraries(folder)
    assert {path.name: path.read_bytes() for path in vendor.iterdir() if path.suffix != ".gz"} == {
        name: copied[name] for name in plain
    }
    shutil.rmtree(vendor)
    assert "installing" in ensure_libraries(folder)
    assert vendor.is_dir()
