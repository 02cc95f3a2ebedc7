"""A wheel built from this tree, installed in an environment of its own, and a project that has a `reports` too."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Installed(NamedTuple):
    """The wheel, and the environment that it was installed in."""

    wheel: Path
    python: Path
    packages: Path  # its site-packages

    def run(self, command: Sequence[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs ``command``, whose first word is one of the environment's programs, in ``folder``."""
        program = self.python.with_name(command[0])
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "COV"))}
        return subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env=clean | {"NO_COLOR": "1"} | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    _succeed([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)])
    (wheel,) = folder.glob("*.whl")

    # No network: what Aftershock needs is lent by the environment that the tests run in. Python does not follow the
    # .pth files of a folder that a .pth file names, so an editable install of this tree is not lent with it.
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    lent = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (packages / "lent.pth").write_text("".join(f"{place}\n" for place in lent))
    _succeed([*_pip(python), "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir", str(wheel)])
    (python.parent / "pytest").write_text(
        f"#!{python}\nimport sys\nfrom pytest import console_main\nsys.exit(console_main())\n"
    )
    (python.parent / "pytest").chmod(0o755)
    return Installed(wheel, python, packages)


def _pip(python: Path) -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]


def _succeed(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's project: packages `reports` and `bench`, a folder `scenarios`, and tests that use the first."""
    project = tmp_path / "project"
    for path, text in {
        "reports/__init__.py": "TITLE = 'quarterly'\n",
        "bench/__init__.py": "raise RuntimeError('the bench of the project was run')\n",
        "scenarios/notes.txt": "a folder of files, not a package\n",
        "tests/__init__.py": "",
        "tests/test_theirs.py": (
            "import pytest\n"
            "import aftershock\n"
            "from aftershock import History, Verdict, check\n"
            "from reports import TITLE\n"
            "\n"
            "def test_their_reports_stay_theirs_beside_our_checkers() -> None:\n"
            "    assert TITLE == 'quarterly'\n"
            "    assert isinstance(check(History.from_events([]), 'linearizable', model='register'), Verdict)\n"
            "\n"
            "def test_what_cannot_be_had_is_explained() -> None:\n"
            "    with pytest.raises(ImportError, match=r\"its package 'bench' is hidden by .*project/bench\"):\n"
            "        aftershock.run\n"
        ),
    }.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return project
