"""Command lines run in this process, in a folder of their own, and a small run that is made once for all tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.cli import main
from tests.command import SHORT, Command, Ran, command_in, draw_nothing

__all__ = ["SHORT", "Command", "Ran", "contents"]


@pytest.fixture
def aftershock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in an empty folder that holds ``short.toml`` and nothing else."""
    return command_in(tmp_path, monkeypatch, capfd)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is drawn."""
    draw_nothing(monkeypatch)


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
