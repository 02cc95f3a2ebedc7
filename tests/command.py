"""Command lines run in this process, in a folder of their own that holds one short scenario."""

from __future__ import annotations

import os
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


def command_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in this folder, where ``short.toml`` is."""
    monkeypatch.chdir(folder)
    (folder / "short.toml").write_text(SHORT)

    def run(*words: str | os.PathLike[str]) -> Ran:
        capfd.readouterr()
        code = main([os.fspath(word) for word in words], version="1.2.3")
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


def draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes ten times as long as a short run, and has tests of its own."""

    def write(subject: object, folder: Path) -> Path:
        (folder / "report.html").write_text("a page")
        return folder / "report.html"

    monkeypatch.setattr("reports.page.write", write)
