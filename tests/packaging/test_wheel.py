"""What is built is whole, and works installed beside a project that has packages of the same names."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import aftershock
from aftershock.siblings import NAMES
from tests import unprivileged

from .conftest import ROOT, Installed

VERSION = f"aftershock {aftershock.__version__}"


def test_the_wheel_holds_every_file_of_the_five_packages_and_nothing_else(installed: Installed) -> None:
    tree = {
        file.relative_to(ROOT).as_posix()
        for name in ("aftershock", *NAMES)
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(installed.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == tree
    assert {Path(name).suffix for name in held} >= {".py", ".toml"}


@pytest.mark.parametrize("command", [["aftershock"], ["python", "-m", "aftershock"]])
def test_the_command_runs_beside_a_project_with_packages_of_the_same_names(
    installed: Installed, project: Path, command: list[str]
) -> None:
    done = installed.run([*command, "--version"], project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == VERSION


@pytest.mark.parametrize("command", [["aftershock"], ["python", "-m", "aftershock"]])
def test_the_installed_command_runs_a_shipped_scenario_and_writes_its_report_there(
    installed: Installed, project: Path, command: list[str]
) -> None:
    done = installed.run([*command, "run", "partition-leader", "-p", "raft/log"], project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "runs/partition-leader/raft/log/0/report.html").is_file()


def test_the_command_runs_when_the_project_is_on_pythonpath(installed: Installed, project: Path) -> None:
    done = installed.run(["aftershock", "--version"], project, PYTHONPATH=str(project))
    assert (done.returncode, done.stdout.strip()) == (0, VERSION)


def test_pytest_runs_in_that_project_and_finds_its_own_packages(installed: Installed, project: Path) -> None:
    done = installed.run(["pytest", "-p", "no:cacheprovider", "-q"], project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_sibling_taken_before_we_came_is_named_with_the_way_out(installed: Installed, project: Path) -> None:
    taken = "import reports, sys; sys.argv = ['aftershock', '-h']; import aftershock.__main__ as a; sys.exit(a.main())"
    done = installed.run(["python", "-c", taken], project)
    assert done.returncode == 2
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first == f"aftershock: its package 'reports' is hidden by {project / 'reports'}:"
    assert "imported before Aftershock" in rest[0]
    assert "Traceback" not in done.stderr


def test_an_incomplete_installation_says_so(installed: Installed, tmp_path: Path) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        wheel.extractall(tmp_path, [name for name in wheel.namelist() if name.startswith(("aftershock/", "bench/"))])
    done = installed.run(
        ["python", "-S", "-c", "from aftershock.__main__ import main; raise SystemExit(main())"], tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"aftershock: its package 'scenarios' is missing from {tmp_path}")


def test_processes_started_by_the_command_find_the_siblings_too(installed: Installed, project: Path) -> None:
    spawns = (
        "import multiprocessing, sys\n"
        "from aftershock import siblings\n"
        "if __name__ == '__main__':\n"
        "    siblings.step_back()\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.apply(siblings.require, siblings.NAMES))\n"
    )
    (project / "spawns.py").write_text(spawns)
    done = installed.run(["python", "-m", "spawns"], project)
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr


@pytest.fixture
def closed(installed: Installed) -> Iterator[Installed]:
    """The installation, closed to whoever would write there."""
    paths = [installed.packages, *installed.packages.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        yield installed
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


SEARCHED = """\
import sys
from aftershock.__main__ import main
code = main()
assert "checkers.compiled" in sys.modules, "the search was not compiled"
sys.exit(code != 1)
"""


@pytest.mark.parametrize("cache", ["in the home of the password file", "nowhere"])
def test_it_works_from_the_root_folder_without_a_home_and_without_writing_where_it_is(
    closed: Installed, tmp_path: Path, cache: str
) -> None:
    (tmp_path / "guarantees.toml").write_text('[[guarantees]]\nscenarios = ["steady"]\nseeds = "0-1"\n')
    (tmp_path / "nowhere").mkdir(mode=0o555)
    environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1"}
    if cache == "nowhere":
        where = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "IPYTHONDIR")
        environment |= dict.fromkeys(where, str(tmp_path / "nowhere"))

    def run(*command: str) -> str:
        done = unprivileged.run([closed.python.with_name(command[0]), *command[1:]], Path("/"), environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    before = set(closed.packages.rglob("*"))
    out, manifest, history = (str(tmp_path / name) for name in ("runs", "guarantees.toml", "history.jsonl"))
    run("aftershock", "list")
    run("aftershock", "run", "steady", "--seeds", "0-1", "--workers", "2", "--out", out)
    run("aftershock", "run", "steady", "-p", "raft/log", "--out", out)
    run("aftershock", "check", f"{out}/steady/raft/log/0/history.jsonl")
    run("aftershock", "verify", manifest, "--update", "--out", out)
    run("aftershock", "verify", manifest, "--out", out)
    # Every order of fourteen concurrent additions must be looked at: enough that the search is compiled.
    adds = [{"process": process, "f": "add", "key": "x", "value": 2**process} for process in range(14)]
    sums = {"process": 14, "f": "read", "key": "x"}
    events = [
        *({"type": kind, **add} for kind in ("invoke", "ok") for add in adds),
        {"type": "invoke", **sums, "value": None},
        {"type": "ok", **sums, "value": 2**14 - 1},
    ]
    Path(history).write_text("".join(f"{json.dumps(event)}\n" for event in events))
    assert "valid" in run("aftershock", "check", history, "-m", "counter")
    events[-1]["value"] = 2**14
    Path(history).write_text("".join(f"{json.dumps(event)}\n" for event in events))
    told = ["python", "-c", SEARCHED, "check", history, "-m", "counter"]
    assert "invalid" in run(*told)
    assert set(closed.packages.rglob("*")) == before


def test_its_pytest_plugin_runs_marked_tests(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_steady.py").write_text(
        "import pytest\n\n@pytest.mark.aftershock('steady', protocol='raft/log', seeds=range(2))\n"
        "def test_it(outcome):\n    assert outcome.as_expected, outcome\n"
    )
    done = installed.run(["pytest", "-p", "no:cacheprovider", "--strict-markers", "-v"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_steady.py::test_it[raft-seed1] PASSED" in done.stdout
