"""Who may import whom, what is imported when, and what a dependency is declared for."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aftershock.siblings import NAMES

from .conftest import ROOT

PACKAGES = ("aftershock", *NAMES)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _python(code: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


HELP = """
import sys
sys.argv = ["aftershock", sys.argv[1]]
from aftershock.__main__ import main
code = main()
heavy = {"pandas", "matplotlib", "numba", "simpy", "networkx", "numpy", "tomlkit", "jinja2", "rich"}
print("imported:", *sorted(heavy & sys.modules.keys()))
sys.exit(code)
"""


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_waits_for_no_heavy_library(option: str) -> None:
    done = _python(HELP, option)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["imported:"]


def test_help_needs_under_three_tenths_of_a_second_of_cpu() -> None:
    def once() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "aftershock", "--help"], cwd=ROOT, check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(once() for _ in range(5)) < 0.3


ALONE = """
import importlib, pkgutil, sys

class OnlyThese:
    ALLOWED = sys.stdlib_module_names | {"checkers", "numpy", "msgspec"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.ALLOWED:
            raise ModuleNotFoundError(f"blocked: {name}", name=name.partition(".")[0])

sys.meta_path.insert(0, OnlyThese())
sys.path.insert(0, sys.argv[1])
import checkers
assert checkers.__path__[0].startswith(sys.argv[1]), checkers.__path__
for module in pkgutil.walk_packages(checkers.__path__, "checkers."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as missing:
        if missing.name != "numba":  # compiled kernels have twins in plain Python
            raise

def operation(index, process, f, value, result=None):
    ok = {"result": result} if result is not None else {}
    common = {"process": process, "f": f, "key": "x"}
    return [
        {"index": index, "time": index, "type": "invoke", "value": value, **common},
        {"index": index + 1, "time": index + 1, "type": "ok", "value": result if f == "read" else value, **common},
    ]

good = operation(0, 0, "write", 1) + operation(2, 1, "read", None, 1)
stale = operation(0, 0, "write", 1) + operation(2, 0, "write", 2) + operation(4, 1, "read", None, 1)
for events in good, stale:
    print(checkers.check(checkers.History.from_events(events), "linearizable", model="register").outcome)
"""


def test_checkers_copied_alone_judge_with_numpy_and_msgspec_only(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "checkers", tmp_path / "checkers", ignore=shutil.ignore_patterns("__pycache__"))
    done = _python(ALONE, str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["valid", "invalid"]


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        (None, "", ""),
        ("checkers/breach.py", "import reports", "Imports go one way"),
        ("reports/breach.py", "import bench", "Imports go one way"),
        ("scenarios/breach.py", "import checkers", "scenarios/ knows no checker"),
        ("bench/breach.py", "def late() -> None:\n    import simpy", "simpy"),
        ("bench/parts/breach.py", "from bench import simulation", "Protocols and nodes know nothing"),
        ("reports/breach.py", "import networkx", "networkx"),
        ("bench/breach.py", "from pandas import DataFrame", "pandas and matplotlib"),
        ("bench/breach.py", "import click", "click"),
        ("bench/breach.py", "import tomlkit", "tomlkit"),
    ],
)
def test_the_import_contracts_hold_and_a_breach_is_caught(
    tmp_path: Path, file: str | None, line: str, contract: str
) -> None:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if file:
        (tmp_path / file).write_text(f'"""A breach."""\n\n{line}\n')
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = _python(lint, cwd=tmp_path)
    broken = [row for row in done.stdout.splitlines() if " BROKEN" in row]
    if file is None:
        assert (done.returncode, broken) == (0, []), done.stdout
    else:
        assert done.returncode == 1, done.stdout + done.stderr
        assert any(contract in row for row in broken), broken


def _imported(files: Iterator[Path]) -> set[str]:
    """The top-level names that ``files`` import, wherever in the file."""
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - set(PACKAGES)


def _declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


def test_every_import_is_declared_and_every_declared_dependency_is_imported() -> None:
    files = (file for name in PACKAGES for file in (ROOT / name).rglob("*.py"))
    # Nobody but pytest imports the plugin.
    shipped = _imported(file for file in files if file != ROOT / "aftershock/pytest_plugin.py")
    extra = PYPROJECT["project"]["optional-dependencies"]["dask"]
    assert shipped == _declared(PYPROJECT["project"]["dependencies"]) | _declared(extra)


def test_what_is_not_shipped_imports_only_dependencies_and_the_dev_extra() -> None:
    dev = _declared(PYPROJECT["project"]["optional-dependencies"]["dev"]) | {"importlinter"}
    ours = {"tests", "benchmarks", "docs"}
    used = _imported(file for name in ours for file in (ROOT / name).rglob("*.py"))
    assert used - ours <= dev | _declared(PYPROJECT["project"]["dependencies"])
