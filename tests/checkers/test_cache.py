"""Where numba may write its cache nowhere, the search is compiled for this process alone, and says nothing about it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import checkers
from tests.checkers import generate

PROGRAM = """
import sys
sys.path.insert(0, "package")
from checkers import History, check, linearizable
linearizable._COMPILE = 0
verdict = check(History.load("h.jsonl"), model="cas-register")
from checkers import compiled
assert compiled.__file__.startswith(sys.argv[1]), compiled.__file__
print(type(compiled._run._cache).__name__, verdict.outcome, verdict.details["steps"])
"""


def test_a_cache_that_cannot_be_written_is_done_without_in_silence(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    package = tmp_path / "package" / "checkers"
    shutil.copytree(Path(checkers.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    what = generate.Shape("cas-register", operations=60, processes=5, values=2, info=0.1, fail=0.0)
    history = generate.history(Random(3), what, near_miss=1.0)
    history.dump(tmp_path / "h.jsonl")
    expected = checkers.check(history, model="cas-register")
    # HOME is not set. A file in the place of a folder stops even the superuser, whom permissions do not.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG", "HOME"))}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    (package / "__pycache__").write_text("")
    (tmp_path / "nowhere").write_text("")
    environment["XDG_CACHE_HOME"] = environment["IPYTHONDIR"] = str(tmp_path / "nowhere")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(package.parent)],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert run.stdout.split() == ["NullCache", expected.outcome, str(expected.details["steps"])]
