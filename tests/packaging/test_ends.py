"""How a process of ours ends when no verdict gives the exit code: failed, interrupted, unread."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO

import pytest

from .conftest import ROOT

# The command line is replaced by one statement, so that only what answers for it is under test.
WRAPPED = """
import bench.cli, sys
def command(*args, **kwargs):
    {statement}
    return 0
bench.cli.main = command
sys.argv = ["aftershock", "run", "a scenario"]
from aftershock.__main__ import main
sys.exit(main())
"""


def _end(statement: str, *options: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", WRAPPED.format(statement=statement)]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(command, cwd=ROOT, env=clean, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)


@pytest.mark.parametrize(
    "statement",
    [
        "raise RuntimeError('what went wrong')",
        "assert False, 'what went wrong'",
        "raise MemoryError('what went wrong')",
    ],
)
def test_a_failure_of_ours_is_a_traceback_and_how_to_report_it(statement: str) -> None:
    done = _end(statement)
    assert done.returncode == 70
    assert done.stdout == ""
    assert "Traceback" in done.stderr
    assert "what went wrong" in done.stderr
    assert "Please report it" in done.stderr
    assert "aftershock run 'a scenario'" in done.stderr


def test_an_interrupt_ends_with_130_and_no_traceback() -> None:
    done = _end("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_exit_codes_of_the_command_line_pass_through() -> None:
    for code in (0, 1, 2, 3):
        assert _end(f"return {code}").returncode == code
        assert _end(f"sys.exit({code})").returncode == code


@pytest.mark.parametrize("options", [[], ["-u"]], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_closed_pipe_ends_quietly(lines: int, options: list[str]) -> None:
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE, text=True)
    reader.wait()
    assert reader.stdin is not None
    with reader.stdin as pipe:
        done = _end(f"print('a line' * {lines})", *options, stdout=pipe)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_broken_pipe_of_our_own_making_is_a_failure_of_ours() -> None:
    done = _end("import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')")
    assert done.returncode == 70


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("options", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_a_full_disk_is_said_in_one_line(options: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = _end("print('a verdict')", *options, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "aftershock: No space left on device\n"
