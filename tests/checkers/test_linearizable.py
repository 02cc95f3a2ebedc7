"""How a verdict on linearizability is reached: by which method, in which turns, and what a budget leaves undone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from checkers import ILLEGAL, History, Operation, check, linearizable, models
from checkers.model import Illegal, State
from checkers.models.register import Register
from checkers.parts import Columns, Part, Steps
from checkers.search import Search


def calls(*those: tuple[Any, ...]) -> History:
    """Operations one after the other, by one process: f, value, and key if there is one."""
    return History.from_events(
        [
            {"type": kind, "process": 0, "f": f, "value": value, "key": key[0] if key else None}
            for f, value, *key in those
            for kind in ("invoke", "ok")
        ]
    )


def hard(*keys: str | None, width: int = 5, refuted: str = "") -> History:
    """On each key: so many adds of powers of two at once, and a read that saw all but the first, which is tried last.

    On a key to be refuted there is nothing but a read of -1.
    """
    events: list[dict[str, Any]] = []
    for nth, key in enumerate(keys):
        adds = [
            {"process": 10 * nth + n, "f": "add", "key": key, "value": 1 << n}
            for n in range(0 if key == refuted else width)
        ]
        read: dict[str, Any] = {"process": 10 * nth + 9, "f": "read", "key": key, "value": None}
        seen = -1 if key == refuted else (1 << width) - 2
        events += [{"type": "invoke", **op} for op in (*adds, read)]
        events += [{"type": "ok", **op} for op in ({**read, "value": seen}, *adds)]
    return History.from_events(events)


def steps(history: History, model: str = "counter") -> list[int]:
    """How many each part takes."""
    parts, table = Columns(history, models.by_name(model)).parts(models.by_name(model))
    searches = [Search(part, table) for part in parts]
    for search in searches:
        search.run(1 << 40)
    return [search.steps for search in searches]


@contextmanager
def set_to(**constants: int) -> Iterator[None]:
    before = {name: getattr(linearizable, name) for name in constants}
    vars(linearizable).update(constants)
    try:
        yield
    finally:
        vars(linearizable).update(before)


# ---- what is said


@pytest.mark.parametrize(("history", "said"), [
    (calls(("write", 1)), "1 operation"),
    (calls(("write", 1), ("read", 1)), "2 operations"),
    (calls(("write", 1, "x"), ("read", 1, "x")), "2 operations on 1 key"),
    (calls(("write", 1, "x"), ("write", 1, "y"), ("read", 1, "y")), "3 operations on 2 keys"),
])  # fmt: skip
def test_a_valid_verdict_says_how_much_was_judged(history: History, said: str) -> None:
    verdict = check(history, model="kv")
    assert (verdict.outcome, verdict.reason) == ("valid", said)
    assert verdict.details["operations"] == int(said[0])


def test_the_steps_are_those_of_all_searches_and_none_without_a_search() -> None:
    assert check(calls(("write", 1), ("read", 1))).details["steps"] == 0
    for keys in (("x",), ("x", "y"), (None,)):
        history = hard(*keys)
        assert check(history, model="counter").details["steps"] == sum(steps(history)) > 20


# ---- which method


def refuted(*those: tuple[Any, ...]) -> str:
    verdict = check(calls(*those), model="kv")
    assert verdict.outcome == "invalid"
    return str(verdict.details["method"])


def test_a_short_register_that_is_written_one_value_twice_is_searched() -> None:
    assert refuted(("write", 1), ("write", 1), ("read", 7)) == "search"
    assert refuted(("write", 1), ("write", 2), ("read", 7)) == "zones"
    assert refuted(("write", 1), ("read", 1), ("read", 1), ("read", 7)) == "zones"
    assert refuted(("write", 1, "x"), ("write", 1, "x"), ("read", 7, "x")) == "zones"
    with set_to(_SHORT=3):
        assert refuted(("write", 1), ("write", 1), ("read", 7)) == "search"
        assert refuted(("write", 1), ("write", 1), ("read", 1), ("read", 7)) == "zones"


class Once(Register):
    """A register that keeps the first value."""

    def step(self, state: State, op: Operation) -> State | Illegal:
        if op.f == "write":
            return op.value if state is None else state
        return state if op.value == state else ILLEGAL


class Shared(Register):
    """One register under all keys."""

    def partition(self, op: Operation) -> None:
        return None


def test_a_register_that_was_changed_is_searched_as_it_is() -> None:
    first = calls(("write", 1), ("write", 2), ("read", 1))
    assert check(first, model=Once())
    assert not check(first, model=Register())
    other = calls(("write", 1, "x"), ("read", 1, "y"))
    assert check(other, model=Shared())
    assert not check(other, model=Register())


# ---- turns and budgets


def test_a_part_that_is_easily_refuted_is_found_before_a_hard_one_has_eaten_the_time() -> None:
    history = hard("x", "y", refuted="y")
    x, y = steps(history)
    with set_to(_FIRST=y):
        assert y < x
        verdict = check(history, model="counter")
        assert verdict.outcome == "invalid"
        assert verdict.details["key"] == "y"
        assert verdict.details["steps"] == y + y  # no more was spent on x


def test_what_a_turn_leaves_undecided_goes_on_in_the_next_one() -> None:
    history = hard("x", "y")
    for first in (1, 3, 1_000):
        with set_to(_FIRST=first, _GROWTH=2):
            verdict = check(history, model="counter")
            assert (verdict.outcome, verdict.details["steps"]) == ("valid", sum(steps(history)))


def test_steps_that_run_out_name_the_part_that_was_being_searched() -> None:
    x, y = steps(hard("x", "y"))
    short = check(hard("x", "y"), model="counter", steps=x + 3)
    assert short.reason == (
        f"undecided after {x + 3} steps while searching key y, 6 operations (12 operations on 2 keys in all)"
    )
    assert (short.outcome, short.reproducible, short.details["steps"]) == ("unknown", True, x + 3)
    assert check(hard("x", "y"), model="counter", steps=x + y)
    alone = check(hard(None), model="counter", steps=x - 1)
    assert alone.reason == (
        f"undecided after {x - 1} steps while searching the history, 6 operations (6 operations in all)"
    )


def test_time_that_is_up_and_memory_that_is_full_stop_a_search_and_are_not_reproducible() -> None:
    history = hard("x", "y")
    with set_to(_SLICE=1):
        late = check(history, model="counter", timeout=0.0)
        assert (late.outcome, late.reproducible) == ("unknown", False)
        assert late.reason.startswith("time is up (0 s) while searching key x, 6 operations")
        assert check(history, model="counter", timeout=3600.0).reproducible is True
        peak = 0
        parts, table = Columns(history, models.by_name("counter")).parts(models.by_name("counter"))
        for part in parts:
            search = Search(part, table)
            while not search.run(1_000, 1):
                peak = max(peak, search.memory)
        assert peak > 0
        assert check(history, model="counter", memory=peak)
        full = check(history, model="counter", memory=peak - 1)
        assert (full.outcome, full.reproducible) == ("unknown", False)
        assert full.reason.startswith("the search needs more than 0 MiB while searching key x")


# ---- with a compiler: a stand-in that only counts, as the searches themselves are compared elsewhere


class Compiled:
    made: list[int]  # how many operations each had

    def __init__(self, part: Part, table: Steps) -> None:
        self.made.append(len(part))
        vars(self)["own"] = Search(part, table)

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["own"], name)


@contextmanager
def compiler() -> Iterator[list[int]]:
    """What is compiled meanwhile."""
    Compiled.made = []
    before = sys.modules.get("checkers.compiled")
    module = ModuleType("checkers.compiled")
    module.CompiledSearch = Compiled  # type: ignore[attr-defined]
    sys.modules["checkers.compiled"] = module
    try:
        yield Compiled.made
    finally:
        del sys.modules["checkers.compiled"]
        if before is not None:
            sys.modules["checkers.compiled"] = before


def test_a_search_is_compiled_from_the_beginning_when_its_turn_has_grown_long_enough() -> None:
    history = hard("x")
    (x,) = steps(history)
    for first, compiled in ((x - 1, 0), (x // 3, 1)):
        with set_to(_FIRST=first, _GROWTH=2, _COMPILE=4 * first), compiler() as made:
            verdict = check(history, model="counter")
            assert (verdict.outcome, verdict.details["steps"]) == ("valid", x)
            assert len(made) == compiled
    with set_to(_FIRST=2, _GROWTH=2, _COMPILE=4), compiler() as made:
        assert check(history, model="counter").details["steps"] == x
        assert made == [6]  # once


def test_where_a_compiler_is_loaded_long_parts_of_small_models_are_compiled_at_once() -> None:
    both = hard("x", "y")
    with set_to(_LONG=6), compiler() as made:
        assert check(both, model="counter")
    assert made == [6, 6]
    with set_to(_LONG=7), compiler() as made:
        assert check(both, model="counter")
    assert made == []
    for parts, compiled in ((2, [6, 6]), (1, [])):
        with set_to(_LONG=1, _FEW_PARTS=parts), compiler() as made:
            assert check(both, model="counter")
        assert made == compiled
    # Five adds that differ, and a read.
    for classes, compiled in ((6, [6, 6]), (5, [])):
        with set_to(_LONG=1, _FEW_CLASSES=classes), compiler() as made:
            assert check(both, model="counter")
        assert made == compiled
