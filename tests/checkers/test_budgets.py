"""Budgets: steps decide alike with and without a compiler, time and memory only guard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import checkers
from checkers import ILLEGAL, History, Model, Operation, check
from checkers.model import Illegal
from tests.checkers import generate

HARD = generate.Shape("cas-register", operations=400, processes=12, values=2, info=0.1, fail=0.0)


def hard(seed: int) -> History:
    return generate.history(Random(seed), HARD, near_miss=1.0)


def test_steps_that_run_out_are_an_answer_of_their_own_and_reproducible() -> None:
    verdict = check(
        History.from_events([("invoke", 0, "write", 1), ("ok", 0, "write", 1)] * 3), model="register", steps=1
    )
    assert verdict.outcome in ("valid", "unknown")
    history = hard(1)
    full = check(history)
    assert full.details["steps"] > 10
    short = check(history, steps=full.details["steps"] - 1)
    assert (short.outcome, short.reproducible) == ("unknown", True)
    assert short.details["steps"] == full.details["steps"] - 1
    assert check(history, steps=full.details["steps"]).outcome == full.outcome


def test_time_and_memory_guard_and_mark_the_verdict() -> None:
    history = hard(2)
    late = check(history, timeout=-1.0)
    small = check(history, memory=0)
    for verdict in (late, small):
        if verdict.outcome == "unknown":
            assert verdict.reproducible is False
    assert {late.outcome, small.outcome} <= {"unknown", check(history).outcome}


def test_an_empty_history_is_undecided() -> None:
    assert check(History.from_events([])).outcome == "unknown"
    assert check(History.from_events([("invoke", 0, "write", 1)])).outcome == "unknown"


class Stack(Model):
    """As in the documentation: nothing but an initial state and a step."""

    initial = ()

    def step(self, state: tuple[object, ...], op: Operation) -> tuple[object, ...] | Illegal:
        if op.f == "push":
            return (op.value, *state)
        if op.type == "info":
            return state[1:] if state else ILLEGAL
        return state[1:] if state and state[0] == op.value else ILLEGAL


def test_a_model_of_ones_own_needs_a_state_and_a_step() -> None:
    pushes = [("invoke", 0, "push", 1), ("ok", 0, "push", 1), ("invoke", 0, "push", 2), ("ok", 0, "push", 2)]
    good = History.from_events([*pushes, ("invoke", 1, "pop", None), ("ok", 1, "pop", 2)])
    bad = History.from_events([*pushes, ("invoke", 1, "pop", None), ("ok", 1, "pop", 1)])
    assert check(good, model=Stack())
    verdict = check(bad, model=Stack())
    assert verdict.outcome == "invalid"
    assert "at best push 1, push 2 can come first and leave [2,1]; then pop 1" in verdict.reason


def test_a_model_that_calls_a_change_an_observation_is_found_out() -> None:
    class Wrong(Stack):
        def observes(self, op: Operation) -> bool:
            return True

    with pytest.raises(ValueError, match="only observes, yet it changes"):
        check(History.from_events([("invoke", 0, "push", 1), ("ok", 0, "push", 1)]), model=Wrong())


PROGRAM = """
import sys
if {blocked}:
    sys.modules["numba"] = None
from random import Random
from checkers import History, check
from checkers import linearizable
linearizable._COMPILE = 0
history = History.load(sys.argv[1])
verdict = check(history, model="cas-register", steps={steps})
print(verdict, verdict.details)
assert ("checkers.compiled" in sys.modules) != {blocked} or {blocked}
"""


@pytest.mark.parametrize("steps", [None, 40])
def test_verdict_steps_and_witness_are_the_same_without_numba(tmp_path: Path, steps: int | None) -> None:
    pytest.importorskip("numba")
    for seed in (3,):
        hard(seed).dump(tmp_path / "h.jsonl")
        said = []
        for blocked in (False, True):
            program = PROGRAM.format(blocked=blocked, steps=steps)
            run = subprocess.run(
                [sys.executable, "-c", program, str(tmp_path / "h.jsonl")],
                cwd=Path(__file__).parents[2],
                capture_output=True,
                text=True,
            )
            assert run.returncode == 0, run.stderr
            said.append(run.stdout)
        assert said[0] == said[1]


def test_the_package_stands_alone_and_imports_no_compiler_for_a_small_history(tmp_path: Path) -> None:
    source = Path(checkers.__file__).parent
    shutil.copytree(source, tmp_path / "checkers", ignore=shutil.ignore_patterns("__pycache__"))
    hard(5).dump(tmp_path / "h.jsonl")
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "import checkers; assert 'numpy' not in sys.modules\n"
        "from checkers import History, check\n"
        "print(check(History.load('h.jsonl'), model='cas-register').outcome)\n"
        "heavy = {'numba', 'pandas', 'matplotlib', 'networkx', 'click', 'simpy', 'rich', 'tomlkit', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() in ("valid", "invalid")
