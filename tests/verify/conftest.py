"""A manifest over one short scenario, and command lines run in this process in a folder of their own."""

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
sequential   = "any"
[at-least]
elections = 2
"""
MANIFEST = """\
[[guarantees]]
scenarios = ["short.toml"]
seeds     = "0-2"
quick     = "0"
"""


class Ran(msgspec.Struct, frozen=True):
    """What a command line has come to."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def aftershock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in a folder that holds ``short.toml`` and ``guarantees.toml``, drawing nothing."""

    def write(subject: object, folder: Path) -> Path:
        (folder / "report.html").write_text("a page")
        return folder / "report.html"

    monkeypatch.setattr("reports.page.write", write)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text(SHORT)
    (tmp_path / "guarantees.toml").write_text(MANIFEST)

    def run(*words: str | os.PathLike[str]) -> Ran:
        capfd.readouterr()
        code = main([os.fspath(word) for word in words], version="1.2.3")
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def verify(aftershock: Command) -> Command:
    """`aftershock verify` in this very process, where a test can put something else in a checker's place."""

    def run(*words: str) -> Ran:
        return aftershock("verify", *words, "--workers", "1")

    return run


@pytest.fixture
def recorded(verify: Command) -> Path:
    """The baseline of the manifest, for both profiles."""
    assert verify("--update").code == 0
    assert verify("--update", "--profile", "quick").code == 0
    return Path("guarantees.lock")
