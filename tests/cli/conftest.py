"""Command lines run in this process, in a folder of their own, and a small run that is made once for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.cli import main

SHORT = """\
why       = "The leader is cut off for a while."
duration  = "6s"
heal      = "2.8s"
protocols = ["raft/log", "raft/leader-local"]
[cluster]
nodes = 3
[workload]
kind    = "kv"
rate    = "40/s"
readers = 3
[[faults]]
name   = "cut"
kind   = "partition"
at     = "1s"
for    = "1.5s"
groups = [["leader as old"], ["rest"]]
[expect."raft/leader-local"]
linearizable = "breakable"
[at-least]
elections = 2
"""


class Ran(msgspec.Struct, frozen=True):
    """What a command line has come to."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def aftershock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in an empty folder that holds ``short.toml`` and nothing else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text(SHORT)

    def run(*words: str | os.PathLike[str]) -> Ran:
        capfd.readouterr()
        code = main([os.fspath(word) for word in words], version="1.2.3")
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is drawn: drawing takes ten times as long as a short run, and has tests of its own."""

    def write(subject: object, folder: Path) -> Path:
        (folder / "report.html").write_text("a page")
        return folder / "report.html"

    monkeypatch.setattr("reports.page.write", write)


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "short.toml").write_text(SHORT)
    assert main(["run", str(folder / "short.toml"), "--out", str(folder / "runs"), "-q"], version="1.2.3") == 0
    return folder / "runs"


@pytest.fixture
def runs(_made: Path, tmp_path: Path, aftershock: Command) -> Path:
    """A store with the short scenario's two runs, seed 0, for this test to do with as it likes."""
    shutil.copytree(_made, tmp_path / "runs", symlinks=True)
    return Path("runs")


@pytest.fixture
def convicted(runs: Path) -> Path:
    """The run that answered from the leader's memory."""
    return runs / "short" / "raft" / "leader-local" / "0"


@pytest.fixture
def acquitted(runs: Path) -> Path:
    """The run that answered through the log."""
    return runs / "short" / "raft" / "log" / "0"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a store that is a function of what was run, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "sweep.sqlite")
    }
