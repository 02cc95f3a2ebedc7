"""The Makefile's set-up: once, whole or not at all, and a line to type when something is missing."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")

# A Python that notes when it is asked to build or to install, and does neither.
PYTHON = """\
#!/bin/sh
case "$1 $2" in
  "-m venv") echo venv >> {log}; mkdir -p "$3/bin"; cp {self} "$3/bin/python" ;;
  "-m pip") echo pip >> {log}; test ! -e {broken} ;;
  *) exec {real} "$@" ;;
esac
"""


class Clone(NamedTuple):
    folder: Path
    python: Path
    log: Path
    broken: Path  # while it exists, installing fails

    def make(self, *words: str, python: str | None = None) -> subprocess.CompletedProcess[str]:
        outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON")  # these tests may themselves be run by make
        clean = {key: value for key, value in os.environ.items() if key not in outer}
        command = ["make", *(words or [".venv/ready"]), f"PYTHON={self.python if python is None else python}"]
        return subprocess.run(command, cwd=self.folder, env=clean, capture_output=True, text=True, timeout=60)

    def steps(self) -> list[str]:
        """What has been built and installed since this was last asked."""
        steps = self.log.read_text().split() if self.log.exists() else []
        self.log.write_text("")
        return steps


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    clone = Clone(folder, tmp_path / "python", tmp_path / "log", tmp_path / "broken")
    words = {"log": clone.log, "self": clone.python, "broken": clone.broken, "real": sys.executable}
    clone.python.write_text(PYTHON.format(**{key: shlex.quote(str(value)) for key, value in words.items()}))
    clone.python.chmod(0o755)
    return clone


def test_set_up_happens_once(clone: Clone) -> None:
    assert clone.make().returncode == 0
    assert clone.steps() == ["venv", "pip"]
    assert clone.make().returncode == 0
    assert clone.steps() == []


def test_a_dry_run_builds_and_removes_nothing(clone: Clone) -> None:
    (clone.folder / ".venv").mkdir()
    assert clone.make("--dry-run", ".venv/ready").returncode == 0
    assert clone.make("--dry-run", "demo").returncode == 0
    assert (clone.folder / ".venv").exists()
    assert clone.steps() == []


def test_a_set_up_that_broke_off_is_begun_anew(clone: Clone) -> None:
    clone.broken.touch()
    assert clone.make().returncode != 0
    assert clone.steps() == ["venv", "pip"]
    (clone.folder / ".venv" / "half-made").touch()
    clone.broken.unlink()
    assert clone.make().returncode == 0
    assert clone.steps() == ["venv", "pip"]
    assert not (clone.folder / ".venv" / "half-made").exists()


def test_an_environment_whose_python_is_gone_is_built_anew(clone: Clone) -> None:
    clone.make()
    (clone.folder / ".venv/bin/python").unlink()
    clone.steps()
    assert clone.make().returncode == 0
    assert clone.steps() == ["venv", "pip"]


def test_a_folder_that_was_moved_is_set_up_anew(clone: Clone) -> None:
    clone.make()
    clone.steps()
    moved = clone._replace(folder=clone.folder.rename(clone.folder.with_name("moved")))
    assert moved.make().returncode == 0
    assert moved.steps() == ["venv", "pip"]


def test_a_changed_pyproject_installs_without_building_anew(clone: Clone) -> None:
    clone.make()
    clone.steps()
    later = (clone.folder / ".venv/ready").stat().st_mtime + 10
    os.utime(clone.folder / "pyproject.toml", (later, later))
    clone.make()
    assert clone.steps() == ["pip"]


def test_without_python_make_names_what_to_install(clone: Clone) -> None:
    done = clone.make("test", python="no-such-python")
    assert done.returncode != 0
    assert "    sudo apt install python3 python3-venv\n" in done.stderr
    assert not (clone.folder / ".venv").exists()


def test_a_python_that_does_not_run_is_passed_over(clone: Clone) -> None:
    shim = clone.python.with_name("shim")
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    done = clone.make("python", python=f"{shim} {clone.python}")
    assert (done.returncode, done.stdout.strip()) == (0, str(clone.python))


@pytest.mark.parametrize(
    ("refuses", "line"),
    [
        ("*ensurepip*", f"sudo apt install python3.{sys.version_info.minor}-venv"),
        ("*version_info\\ \\<*", "sudo apt install python3.11 python3.11-venv"),
    ],
    ids=["no-venv", "too-old"],
)
def test_a_python_that_cannot_serve_is_named_with_the_line_to_type(clone: Clone, refuses: str, line: str) -> None:
    clone.python.write_text(
        f'#!/bin/sh\ncase "$2" in {refuses}) exit 1;; esac\nexec {shlex.quote(sys.executable)} "$@"\n'
    )
    done = clone.make("demo")
    assert done.returncode != 0
    assert f"    {line}\n" in done.stderr
    assert not (clone.folder / ".venv").exists()
