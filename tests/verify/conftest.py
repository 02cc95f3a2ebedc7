"""A manifest over one short scenario, and command lines run in this process in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import SHORT, Command, Ran, command_in, draw_nothing

__all__ = ["MANIFEST", "SHORT", "Command", "Ran"]

MANIFEST = """\
[[guarantees]]
scenarios = ["short.toml"]
seeds     = "0-2"
quick     = "0"
"""


@pytest.fixture
def aftershock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in a folder that holds ``short.toml`` and ``guarantees.toml``, drawing nothing."""
    draw_nothing(monkeypatch)
    (tmp_path / "guarantees.toml").write_text(MANIFEST)
    return command_in(tmp_path, monkeypatch, capfd)


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
