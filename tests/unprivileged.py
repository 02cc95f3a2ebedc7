"""Programs to which a folder can be closed: the superuser's rights are taken from them, if a superuser runs the tests.

Another user would do as well, but might not be allowed to read the Python that runs the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# A program that root starts has the capabilities of its bounding set (capabilities(7)): none is left there. Of the 64
# some do not exist; they are refused, and that is all. 24 is PR_CAPBSET_DROP (linux/prctl.h).
STEP_DOWN = """\
import ctypes, os, sys
libc = ctypes.CDLL(None)
for capability in range(64):
    libc.prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs a program that may write only where permissions allow it. Skips the test where that cannot be had."""
    if not _obeys_permissions():
        pytest.skip("nothing is closed to root, and it cannot be made to step down here")
    return _run(command, folder, environment)


def _run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    stepping_down = [sys.executable, "-I", "-S", "-c", STEP_DOWN]
    return subprocess.run(
        [*(stepping_down if os.geteuid() == 0 and sys.platform == "linux" else ()), *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


@cache
def _obeys_permissions() -> bool:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        _run([sys.executable, "-c", "open('written', 'w')"], Path(folder), os.environ)
        Path(folder).chmod(0o755)
        return not Path(folder, "written").exists()
