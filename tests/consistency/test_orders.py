"""What only a certain history shows of the orders that sessions and values give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from benchmarks.consistency import replicated_log
from checkers import History, check, sequential
from checkers.lattice import models
from tests.consistency import generate
from tests.consistency.diagrams import drawn
from tests.consistency.proofs import Case

STORE_BUFFER = "a: [x=1]  [y?-]\nb: [y=1]  [x?-]"
ROLLBACK = "a: [x=1]  [x=2]\nb:               [x?2]  [x?1]"
BUFFER_OF_TWO = "a: [x=1]  [x=2]  [y?1]\nb: [y=1]  [y=2]  [x?1]"
OPPOSITE = "a: [x=1]\nb: [x=2]\nc:       [x?1] [x?2]\nd:       [x?2] [x?1]"
LATE = "a: [x=1]\nb:       [y=1]\nc:             [y?1] [x?-]"  # fine but for the real time of the two writes


@contextmanager
def forced_from(operations: int) -> Iterator[None]:
    """Forced orders come before any search from so many operations on."""
    usual, sequential._FORCED = sequential._FORCED, operations
    try:
        yield
    finally:
        sequential._FORCED = usual


def told(*operations: tuple[str, str, Any, str], sessions: str = "") -> History:
    """One operation after another: name, "ok" or "info", value and result; on one key unless the name says another, as
    in ``read:y``, and each in a session of its own unless they are named by letters.
    """
    events: list[dict[str, Any]] = []
    for n, (f, kind, value, result) in enumerate(operations):
        session = sessions[n] if sessions else f"s{n}"
        name, _, key = f.partition(":")
        common = {"process": n, "session": session, "f": name, "key": key or "x", "value": value}
        events.append({**common, "type": "invoke"})
        events.append({**common, "type": kind, "result": {"": None, "refused": False, "done": True}[result]})
    return History.from_events(events)


# ---- what was never answered


@pytest.mark.parametrize("name", models())
def test_what_was_never_answered_may_have_begun_while_its_session_waited_for_something_else(name: str) -> None:
    """A session's read finds what the same session has written while it waited."""
    common = {"session": "a", "key": "x"}
    history = History.from_events([
        {**common, "type": "invoke", "process": 0, "f": "read", "value": None},
        {**common, "type": "invoke", "process": 1, "f": "write", "value": 1},
        {**common, "type": "ok", "process": 0, "f": "read", "value": 1},
        {**common, "type": "info", "process": 1, "f": "write", "value": 1},
    ])  # fmt: skip
    for at in (0, 64):
        with forced_from(at):
            assert check(history, name, model="kv").outcome == "valid"


@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "sequential"])
def test_what_was_never_answered_comes_after_all_that_its_session_did_before(name: str) -> None:
    history = told(
        ("write", "ok", 7, ""), ("cas", "ok", [2, 3], ""), ("write", "info", 1, ""),
        ("read", "ok", 1, ""), ("write", "ok", 2, ""), sessions="aaabb",
    )  # fmt: skip
    assert Case(history, "kv").explained(name) == "reasons"


@pytest.mark.parametrize("name", models())
def test_what_was_never_answered_is_not_refused_whatever_else_has_results(name: str) -> None:
    fields = {"process": 0, "f": "write", "value": 1, "result": True}
    read = {"process": 1, "f": "read", "value": 1, "result": True}
    history = History.from_events([
        {**fields, "type": "invoke"}, {**fields, "type": "info"}, {**read, "type": "invoke"}, {**read, "type": "ok"},
    ])  # fmt: skip
    assert check(history, name, model="kv").outcome == "valid"


PARTLY: dict[str, tuple[History, str]] = {
    "the first refused cas is named": (
        told(("cas", "ok", [1, 2], "refused"), ("cas", "ok", [1, 3], "refused")),
        "events 0, 1 cannot be judged: a refused cas says only what was not there",
    ),
    "the first cas that was seen is named": (
        told(("cas", "info", [7, 1], ""), ("cas", "info", [7, 2], ""), ("read", "ok", 1, ""), ("read", "ok", 2, "")),
        "events 0, never answered cannot be judged: when it found the old value is not known",
    ),
    "a refused cas has not seen its old value": (
        told(("cas", "info", [7, 1], ""), ("cas", "ok", [1, 3], "refused")),
        "events 2, 3 cannot be judged: a refused cas says only what was not there",
    ),
    "a refused cas has not seen nil": (
        told(("cas", "info", [7, None], ""), ("cas", "ok", [1, 3], "refused")),
        "events 2, 3 cannot be judged: a refused cas says only what was not there",
    ),
    "a delete has not seen nil": (told(("cas", "info", [7, None], ""), ("delete", "ok", None, "done")), ""),
    "a delete that found nothing has seen nil": (
        told(("write", "ok", 1, ""), ("cas", "info", [1, None], ""), ("delete", "ok", None, "refused"), sessions="aab"),
        "its value has 2 writers, the initial value is one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PARTLY)
@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "pram"])
def test_of_what_cannot_be_judged_the_first_is_named_and_why(what: str, name: str) -> None:
    history, why = PARTLY[what]
    assert Case(history, "kv").explained(name) == ("cannot be judged" if why else "valid")
    assert why in check(history, name, model="kv").reason


@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "pram", "sequential"])
def test_a_delete_that_found_nothing_has_read_nil(name: str) -> None:
    history = told(("put", "ok", 1, ""), ("delete", "ok", None, "refused"), sessions="aa")
    assert Case(history, "kv").explained(name) == "reasons"


# ---- forced orders


@pytest.mark.parametrize("name", ["sequential", "osc-u"])
@pytest.mark.parametrize("picture", [STORE_BUFFER, BUFFER_OF_TWO, ROLLBACK, OPPOSITE, LATE])
def test_forced_orders_alone_refute_what_needs_no_search(picture: str, name: str) -> None:
    with forced_from(0):
        verdict = check(drawn(picture), name, model="kv")
    if (picture, name) == (LATE, "sequential"):
        assert verdict
    else:
        assert (verdict.outcome, verdict.details["method"], verdict.details["steps"]) == ("invalid", "forced", 0)


@pytest.mark.parametrize("name", ["sequential", "osc-u"])
def test_a_search_comes_first_where_there_is_little_to_search(name: str) -> None:
    """And forced orders from so many operations on, not one later."""
    for at, method, told_by in ((4, "forced", "no order is possible"), (5, "search", "at best")):
        with forced_from(at):
            verdict = check(drawn(STORE_BUFFER), name, model="kv")
        assert (verdict.outcome, verdict.details["method"]) == ("invalid", method)
        assert told_by in verdict.reason


# ---- the search


FOUND: dict[str, History] = {
    "a cas finds what a delete left": told(("delete", "ok", None, ""), ("cas", "ok", [None, 1], ""), sessions="ba"),
    "nil has two writers": told(("delete", "ok", None, ""), ("read", "ok", None, ""), sessions="aa"),
    "a value has two writers": told(
        ("write", "ok", 1, ""), ("cas", "ok", [None, 1], ""), ("read", "ok", 1, ""), ("write", "ok", 2, ""),
        sessions="abab",
    ),
    "what was used up in vain is there again": told(
        ("delete", "info", None, ""), ("cas", "ok", [1, 2], "refused"), ("write", "info", 1, ""),
        ("write", "ok", 1, ""),
        ("write", "info", 3, ""), ("read", "ok", 3, ""), ("delete", "ok", None, "refused"), sessions="aaaaabb",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
@pytest.mark.parametrize("at", [0, 64])
def test_an_order_is_found(what: str, at: int) -> None:
    with forced_from(at):
        assert check(FOUND[what], "sequential", model="kv")


# Configurations that are looked at in all, with forced orders and without: what is waited for, tried first, tried only
# once or known to fail makes these as small as they are.
WORK: dict[str, tuple[list[History], int, int]] = {
    "cas, and much that was never answered": (
        [
            generate.wild(Random(f"work/{n}"), 20, 4, 1, old=0.2, info=0.4, reads=0.4, cas=0.3)
            for n in range(40)
        ],
        297, 895,
    ),
    "all that a register can be asked": ([generate.mixed(Random(f"work/{n}"), 14) for n in range(60)], 469, 715),
    "a replicated log": ([replicated_log(Random(n), 120, sessions=5, keys=3) for n in range(4)], 500, 762),
    "one write that many asked for": (
        [
            told(
                *[("write", "info", 1, "")] * 6, ("read", "ok", 1, ""), ("write", "ok", 2, ""), ("read", "ok", 1, ""),
                ("write", "ok", 3, ""), ("read", "ok", 1, ""), ("read", "ok", 2, ""), sessions="abcdefggghgg",
            )
        ],
        20, 20,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WORK)
def test_the_search_looks_at_no_more_configurations_than_it_did(what: str) -> None:
    histories, *most = WORK[what]
    for at, limit in zip((0, 1 << 30), most, strict=True):
        with forced_from(at):
            steps = [
                check(history, name, model="kv").details["steps"]
                for history in histories
                for name in ("sequential", "osc-u")
            ]
        assert sum(steps) <= limit, (at, sum(steps))


# ---- budgets


def writes(number: int) -> History:
    return told(*[("write", "ok", n, "") for n in range(number)], sessions="a" * number)


def test_an_order_without_choices_takes_a_step_per_update_and_one_for_the_end() -> None:
    history = writes(20)
    assert check(history, "sequential", model="kv").details["steps"] == 21
    assert check(history, "sequential", model="kv", steps=21)
    for steps in (0, 5, 20):
        verdict = check(history, "sequential", model="kv", steps=steps)
        assert (verdict.outcome, verdict.details["steps"], verdict.reproducible) == ("unknown", steps, True)
        assert verdict.reason.startswith(f"undecided after {steps} steps")


def test_memory_is_that_of_what_has_failed() -> None:
    """A search that never goes back needs none; this one remembers less than half of what it has looked at."""
    history = WORK["cas, and much that was never answered"][0][8]
    usual, sequential._SLICE = sequential._SLICE, 7
    try:
        assert check(writes(100), "sequential", model="kv", memory=0)
        with forced_from(1 << 30):
            needed = check(history, "sequential", model="kv").details["steps"]
            assert needed > 100
            assert check(history, "sequential", model="kv", memory=sequential._BYTES * needed // 2).outcome == "invalid"
            none = check(history, "sequential", model="kv", memory=0)
    finally:
        sequential._SLICE = usual
    assert (none.outcome, none.reproducible) == ("unknown", False)
    assert none.reason.startswith("the search needs more than 0 MiB")


# ---- witnesses

LEAST: dict[str, tuple[History, bool, int]] = {
    "a part of what forced orders found is refuted by itself": (
        told(
            ("cas", "ok", [1, 1], ""), ("read", "ok", None, ""), ("delete", "ok", None, "refused"),
            ("put", "ok", 1, ""), ("put", "ok", 1, ""), sessions="ababa",
        ),
        True, 1,
    ),
    "values of different keys have nothing to do with each other": (
        told(
            ("write:y", "ok", 1, ""), ("write:x", "ok", 1, ""), ("read:y", "ok", 1, ""), ("read:y", "ok", None, ""),
            sessions="aabb",
        ),
        False, 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LEAST)
@pytest.mark.parametrize("name", ["sequential", "osc-u"])
def test_a_witness_is_as_small_as_can_be(what: str, name: str) -> None:
    history, forced, size = LEAST[what]
    Case(history, "kv").explained(name.replace("osc-u", "osc(u)"), forced=forced)
    with forced_from(0 if forced else 64):
        verdict = check(history, name, model="kv")
    assert (len(verdict.witness), verdict.details["minimal"]) == (size, True)


@pytest.mark.parametrize(
    ("bound", "at", "minimal"),
    [("_WITNESS", 4, True), ("_WITNESS", 3, False), ("_ATTEMPT", 2, False), ("_SMALLER", 1, False)],
)
def test_a_witness_is_called_minimal_only_if_that_was_found_out(bound: str, at: int, minimal: bool) -> None:
    usual = getattr(sequential, bound)
    setattr(sequential, bound, at)
    try:
        verdict = check(drawn(STORE_BUFFER), "sequential", model="kv")
    finally:
        setattr(sequential, bound, usual)
    assert verdict.details["minimal"] is minimal
    assert len(verdict.witness) == 4
