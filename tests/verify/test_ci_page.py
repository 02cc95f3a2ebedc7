"""What docs/ci.md shows works as it is pasted."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.registry import Registry
from scenarios.manifest import decode

from .conftest import Command

PAGE = (Path(__file__).parents[2] / "docs/ci.md").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for said, text in found if said == language]


def test_the_manifest_decodes_and_its_tolerances_are_the_defaults() -> None:
    (text,) = blocks("toml")
    manifest = decode(text, "ci.md", Registry.load().kinds(), lambda word: [Path(word)])
    bare = decode(text[text.index("[[") :], "ci.md", Registry.load().kinds(), lambda word: [Path(word)])
    assert manifest == bare
    assert tomllib.loads(text)["guarantees"][0]["at-most"] == {"recovery": "500ms", "messages": 40}


def test_the_workflow_s_commands_run_where_a_manifest_stands(aftershock: Command, recorded: Path) -> None:
    (text,) = blocks("yaml")
    commands = [shlex.split(line) for line in re.findall(r"run: (aftershock .*)$", text, re.MULTILINE)]
    assert commands
    for command in commands:
        done = aftershock(*command[1:])
        assert done.code == 0, done.out + done.err
    (left,) = re.findall(r"path: \|\n((?:\s{12}\S+\n)+)", text)
    assert [name for name in left.split() if not Path(name).exists()] == []


def test_every_command_line_is_one_that_there_is(aftershock: Command, recorded: Path) -> None:
    lines = [line.partition("#")[0] for block in blocks("") for line in block.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("aftershock ")]
    assert len(commands) == 3
    for command in commands:
        assert aftershock(*command[1:]).code == 0


@pytest.mark.parametrize("text", blocks("python"))
def test_its_tests_pass(text: str, tmp_path: Path) -> None:
    (tmp_path / "test_pasted.py").write_text(text.replace("range(20)", "range(1)"))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
