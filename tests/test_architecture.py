"""The house keeps its own rules: floors, names that point upwards, the catalogues, and who may write."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy, override

from accounts.errors import DomainError
from conferences import delivery
from conferences.events import CATALOGUE
from conferences.media.base import MediaServer
from config.celery import app as celery_app

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "conferences", "config")
# Who writes rows, beside the services and the statements of models.
WRITERS = {
    "accounts/audit.py",
    "accounts/authentication.py",  # when a key was last used
    "accounts/idempotency.py",
    "accounts/log.py",
    "accounts/management/commands/ensure_demo.py",  # the first superuser
    "accounts/retention.py",
}
WRITES = {
    "save", "create", "update", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create",
    "asave", "acreate", "aupdate", "adelete", "create_user", "create_superuser",
}  # fmt: skip


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            yield str(path.relative_to(CHECKOUT)), ast.parse(path.read_text())


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


# Floors


def test_imports_go_one_way():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nothing_is_imported_inside_a_function():
    found = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        if "/migrations/" not in path
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    # An application configures itself once Django is ready, and models must not be imported before.
    assert [place for place in found if "/apps.py:" not in place] == []


def test_nobody_looks_whether_types_are_being_checked():
    assert [path for path, tree in sources() if "TYPE_CHECKING" in ast.dump(tree)] == []


def test_there_are_no_signals():
    modules = {"django.dispatch", "django.db.models.signals", "django.core.signals"}
    found = [
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in modules
    ]
    assert found == []


# Names that point upwards


def test_every_job_and_every_entry_of_the_beat_is_a_task():
    import_module("conferences.tasks")
    wanted = set(delivery.JOBS.values()) | {entry["task"] for entry in celery_app.conf.beat_schedule.values()}
    assert wanted <= celery_app.tasks.keys()


def test_every_task_is_scheduled_or_asked_for():
    ours = {name for name in celery_app.tasks if name.startswith(PACKAGES)}
    scheduled = {entry["task"] for entry in celery_app.conf.beat_schedule.values()}
    assert ours == scheduled | set(delivery.JOBS.values())


def test_every_media_server_fulfils_the_interface():
    wanted = {name for name, member in inspect.getmembers(MediaServer, callable) if not name.startswith("_")}
    shipped = ("nginx_rtmp.NginxRtmp", "srs.Srs", "fake.FakeMediaServer")
    for name in {settings.MEDIA_SERVER, *(f"conferences.media.{each}" for each in shipped)}:
        adapter = import_string(name)
        for method in wanted:
            ours, theirs = inspect.signature(getattr(MediaServer, method)), inspect.signature(getattr(adapter, method))
            assert list(ours.parameters) == list(theirs.parameters), f"{name}.{method}"


def test_every_dialect_is_a_folder():
    folders = {path.parent.name for path in (CHECKOUT / "conferences" / "vendors").glob("*/codec.py")}
    assert set(settings.VENDORS) <= folders
    for folder in folders:
        import_module(f"conferences.vendors.{folder}")


# Catalogues


def recorded() -> set[str]:
    """The names of facts that services record: literals, all of them."""
    names: set[str] = set()
    for path, tree in sources():
        if not path.startswith("conferences/services/"):
            continue
        for call in calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "record":
                name = ast.literal_eval(call.args[0])  # fails for what is no literal
                assert isinstance(name, str), f"{path}:{call.lineno}"
                names.add(name)
    return names


def test_what_is_recorded_is_what_the_catalogue_holds():
    assert recorded() == CATALOGUE.keys()


def test_facts_have_names_of_the_past():
    for name in CATALOGUE:
        noun, _, verb = name.partition(".")
        assert noun.isidentifier()
        assert verb.isidentifier()


def refusals() -> list[type[DomainError]]:
    for path, _ in sources():
        if path.startswith(("accounts/", "conferences/")) and "errors" in Path(path).stem:
            import_module(path.removesuffix(".py").replace("/", "."))
    found: list[type[DomainError]] = []
    rows = [DomainError]
    while rows:
        rows += rows[0].__subclasses__()
        found.append(rows.pop(0))
    return [row for row in dict.fromkeys(found) if row.__module__.startswith(PACKAGES)]


def test_every_refusal_has_a_code_of_its_own_and_a_status():
    codes = [row.code for row in refusals()]
    assert sorted(set(codes)) == sorted(codes)
    for row in refusals():
        assert row.code == row.code.lower()
        assert row.code.isidentifier()
        assert 400 <= row.http_status < 600
        assert "code" in vars(row)
        assert "message" in vars(row)


@pytest.mark.parametrize("row", refusals(), ids=lambda row: row.code)
def test_every_refusal_is_said_in_both_languages(row):
    with override("en"):
        english = str(row.message)
    with override("zh-hans"):
        chinese = str(row.message)
    assert isinstance(row.message, type(gettext_lazy("")))
    assert english.endswith(".")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), english


# Who may write


def writes(tree: ast.Module) -> Iterator[int]:
    """The lines on which rows are written: a verb of Django's on a manager, a queryset or a row."""
    for call in calls(tree):
        verb = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        receiver = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        of_rows = "objects" in receiver or "_manager" in receiver or "filter(" in receiver
        # A file or a picture is saved somewhere, a row is just saved.
        saves = (verb in {"save", "asave"} and not call.args) or "create_" in verb
        if verb in WRITES and (of_rows or saves):
            yield call.lineno


def test_only_services_write_rows():
    allowed = ("accounts/services/", "conferences/services/", "conferences/models/", "accounts/models/")
    found = [
        f"{path}:{line}"
        for path, tree in sources()
        if not path.startswith(allowed) and path not in WRITERS and "/migrations/" not in path
        for line in writes(tree)
    ]
    assert found == []


def test_every_writer_that_is_named_here_writes():
    trees = dict(sources())
    idle = {path for path in WRITERS if not any(writes(trees[path]))}
    assert idle == set()


def test_every_model_of_ours_has_a_place():
    for label in ("accounts", "conferences"):
        for model in apps.get_app_config(label).get_models():
            assert model.__module__.startswith(f"{label}.models.")


# What operators set


def test_every_variable_is_documented_and_every_documented_one_is_read():
    paths = [path for package in ("config", "supervisor") for path in (CHECKOUT / package).glob("*.py")]
    code = "".join(path.read_text() for path in paths)
    read = set(re.findall(r'"(CONFR_\w+)"', code))
    told = set(re.findall(r"CONFR_\w+", (CHECKOUT / "docs/operations.md").read_text()))
    assert "CONFR_VAR" in read
    assert told == read
