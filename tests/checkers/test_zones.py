"""The near-linear way on fixed operations at random moments: chains of cas, early and late reads, first values."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from checkers import BadHistory, History, check, models
from tests.checkers import generate, oracle

CASTS: dict[str, list[tuple[str, Any]]] = {
    "two writes and their reads": [("write", 1), ("write", 2), ("read", 1), ("read", 2), ("read", 1)],
    "a chain": [("write", 1), ("cas", [1, 2]), ("cas", [2, 3]), ("read", 1), ("read", 2), ("read", 3)],
    "a chain from nil": [("cas", [None, 1]), ("cas", [1, 2]), ("read", None), ("read", 1), ("read", 2)],
    "a chain and a write": [("write", 1), ("cas", [1, 2]), ("write", 3), ("read", 1), ("read", 3)],
    "a circle": [("cas", [1, 2]), ("cas", [2, 3]), ("cas", [3, 1])],
    "deletes": [("write", 1), ("delete", None), ("read", 1)],
}


INITIALS = (0, 1, "start", True)


def at_random(cast: str, seed: int) -> History:
    """The operations of a cast at random moments, some of them never answered."""
    random = Random(f"{cast}-{seed}")
    operations: list[dict[str, Any]] = []
    for process, (f, value) in enumerate(CASTS[cast]):
        call = random.randrange(30)
        end = call + random.randrange(1, random.choice((4, 30)))
        lost = f != "read" and random.random() < 0.1
        operations.append({"process": process, "f": f, "value": value, "call": call, "return": None if lost else end})
    return History.from_operations(operations)


def from_initial(model: str, initial: Any, seed: int) -> History | None:
    """A random history of an object that did not start from nil; None if it makes no sense to the model."""
    random = Random(f"initial-{model}-{seed}")
    history = generate.history(random, generate.shape(random, model))
    if initial not in (0, 1):
        history = History.from_events([(e.type, e.process, e.f, e.key, e.value or initial) for e in history])
    pairs = all(isinstance(op.value, list) for op in history.operations() if op.f == "cas")
    return history if pairs else None


@pytest.mark.parametrize("cast", CASTS)
def test_zones_agree_with_brute_force_at_random_moments(cast: str) -> None:
    outcomes = set()
    for seed in range(400):
        history = at_random(cast, seed)
        verdict = check(history, model="kv")
        if verdict.outcome != "unknown":
            assert bool(verdict) == oracle.linearizable(history, "kv"), verdict
            outcomes.add(str(verdict.outcome))
    assert outcomes == ({"invalid"} if cast == "a circle" else {"valid", "invalid"})


@pytest.mark.parametrize("initial", INITIALS)
def test_another_first_value_is_respected(initial: Any) -> None:
    for model in generate.FAST:
        outcomes = set()
        for seed in range(150):
            history = from_initial(model, initial, seed)
            if history is None:
                continue
            verdict = check(history, model=models.by_name(model, initial=initial))
            if verdict.outcome != "unknown":
                assert bool(verdict) == oracle.linearizable(history, model, initial), verdict
                outcomes.add(str(verdict.outcome))
        assert outcomes == {"valid", "invalid"}


def test_a_cas_needs_exactly_two_values() -> None:
    for value in ([1], [1, 2, 3], 5, "ab"):
        calls = [(kind, 0, f, value) for f in ("write", "cas") for kind in ("invoke", "ok")]
        with pytest.raises(BadHistory, match="event 2"):
            check(History.from_events(calls), model="cas-register")
