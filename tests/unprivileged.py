"""Programs to which a folder can be closed: the superuser's rights are taken from them, if a superuser runs the tests.

Another user would do as well, but might not be allowed to read the Python that runs the tests.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_PR_CAPBSET_DROP = 24  # linux/prctl.h
_CAPABILITIES = range(64)  # there are fewer; those that do not exist are refused, and that is all


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
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        preexec_fn=_step_down if os.geteuid() == 0 and sys.platform == "linux" else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def _step_down() -> None:
    """A program that root starts has the capabilities of its bounding set: leave none there (capabilities(7))."""
    libc = ctypes.CDLL(None)
    for capability in _CAPABILITIES:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@cache
def _obeys_permissions() -> bool:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        _run([sys.executable, "-c", "open('written', 'w')"], Path(folder), os.environ)
        Path(folder).chmod(0o755)
        return not Path(folder, "written").exists()
