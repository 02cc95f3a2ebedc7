"""Same plan, same bytes: in this process, in others, under other hash seeds, locales, zones and Pythons.

digests.txt holds the sha256 of history, observations, trace and counters of every shipped scenario at seed 0. After a
change that means to change runs: AFTERSHOCK_REGENERATE=1 python -m pytest tests/bench/test_determinism.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from bench.run import Plan, execute
from scenarios.decode import decode
from scenarios.write import dumps
from tests.bench.runs import REGISTRY, ROOT, digest, kept, record_shipped, run_shipped, shipped

DIGESTS = Path(__file__).with_name("digests.txt")
SHIPPED = sorted(shipped())
REGENERATE = bool(os.environ.get("AFTERSHOCK_REGENERATE"))

ODD = {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
ODDER = {"PYTHONHASHSEED": "1", "TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONOPTIMIZE": "1"}


def committed() -> dict[tuple[str, str], str]:
    lines = (line.split() for line in DIGESTS.read_text(encoding="utf-8").splitlines() if line)
    return {(name, column): value for name, column, value in lines}


@pytest.mark.parametrize(("name", "column"), SHIPPED)
def test_every_shipped_scenario_has_its_committed_digest(name: str, column: str) -> None:
    found = digest(record_shipped(name, column))
    if REGENERATE:
        known = {**committed(), (name, column): found}
        lines = sorted(f"{key[0]} {key[1]} {value}\n" for key, value in known.items() if key in SHIPPED)
        DIGESTS.write_text("".join(lines), encoding="utf-8", newline="\n")
    assert committed().get((name, column)) == found, "this run has changed: if it was meant to, AFTERSHOCK_REGENERATE=1"


def test_no_digest_is_kept_of_what_is_not_shipped() -> None:
    assert set(committed()) <= set(SHIPPED)


@pytest.mark.parametrize(("name", "column"), [("partition-leader", "raft/log"), ("random-faults", "raft/log")])
def test_the_same_plan_runs_the_same_twice_in_one_process(name: str, column: str) -> None:
    first = kept(name, column).recording
    again = execute(first.plan, REGISTRY)
    assert digest(again) == digest(first)
    assert digest(run_shipped(name, column).recording) == digest(first)


def test_a_run_without_a_trace_is_the_same_run() -> None:
    first = kept("restart-everybody", "raft/log").recording
    again = execute(first.plan, REGISTRY, trace=False)
    assert again.trace is None
    assert list(again.history.events()) == list(first.history.events())
    assert list(again.observations) == list(first.observations)
    assert again.counters == first.counters


def test_a_plan_that_was_saved_and_read_again_runs_the_same() -> None:
    first = kept("bridge", "raft/log").recording
    scenario = decode(dumps(first.plan.scenario, REGISTRY.kinds()), "scenario.toml", REGISTRY.kinds())
    assert digest(execute(Plan("again", scenario, first.plan.operations), REGISTRY)) == digest(first)


def test_another_seed_is_another_run() -> None:
    assert digest(run_shipped("random-faults", "raft/log", 1).recording) != committed()["random-faults", "raft/log"]


def digests_elsewhere(python: str, environment: dict[str, str]) -> str:
    return subprocess.run(
        [python, "-m", "tests.bench.print_digests"],
        cwd=ROOT,
        env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("environment", [ODD, ODDER] if os.environ.get("AFTERSHOCK_FULL") else [ODD])
def test_hash_seed_zone_and_locale_move_nothing(environment: dict[str, str]) -> None:
    assert digests_elsewhere(sys.executable, environment) == DIGESTS.read_text(encoding="utf-8")


@cache
def other_pythons() -> tuple[str, ...]:
    """Other CPythons that can run the bench: those on the PATH, and those that AFTERSHOCK_PYTHONS names."""
    named = [path for path in os.environ.get("AFTERSHOCK_PYTHONS", "").split(os.pathsep) if path]
    found = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13)]
    usable: dict[str, str] = {}
    for python in [*named, *(path for path in found if path)]:
        code = (
            "import sys, msgspec, networkx, numpy, simpy, tomlkit\n"
            "assert sys.implementation.name == 'cpython' and sys.version_info >= (3, 11); print(sys.version)"
        )
        ran = subprocess.run([python, "-c", code], capture_output=True, text=True)
        if ran.returncode == 0 and ran.stdout.strip() != sys.version:
            usable.setdefault(ran.stdout, python)
    return tuple(usable.values())


def test_other_pythons_move_nothing() -> None:
    if not other_pythons():
        pytest.skip("no other CPython here can import the dependencies (AFTERSHOCK_PYTHONS names some)")
    for python in other_pythons():
        assert digests_elsewhere(python, ODD) == DIGESTS.read_text(encoding="utf-8"), python
