"""Sets that only grow and lists that are only appended to: their versions against brute force, and what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from checkers import Event, History, Operation, Verdict, check, models
from checkers.models.set import ElementSet
from checkers.parts import Columns
from checkers.versions import Versions
from tests.checkers import oracle, sweep, told
from tests.consistency import oracle as orders
from tests.consistency.generate import ADDS, grown

TRUTH: dict[str, Callable[[History, str], bool]] = {
    "linearizable": oracle.linearizable,
    "sequential": orders.sequential,
    "osc(u)": orders.osc_u,
}


class Grown:
    """A random history, and what brute force says of pieces of it: asked once."""

    def __init__(self, model: str, seed: int) -> None:
        self.history = grown(Random(f"{model}/{seed}"), model)
        if seed % 2:
            self.history = _alike(self.history)
        self.model = model
        self.object = models.by_name(model)
        self.operations = {op.index: op for op in self.history.operations()}
        self._known: dict[tuple[str, frozenset[int]], bool] = {}

    def holds(self, name: str, kept: frozenset[int]) -> bool:
        """Whether these operations alone satisfy a consistency."""
        if (name, kept) not in self._known:
            alone = self.history.filter(lambda op: op.index in kept)
            nothing = all(op.type != "ok" for op in alone.operations())
            self._known[name, kept] = nothing or TRUTH[name](alone, self.model)
        return self._known[name, kept]

    def judged(self, name: str) -> str:
        """Judge it, and hold the verdict and its witness against brute force."""
        verdict = check(self.history, name, self.model)
        if verdict.outcome == "unknown":
            assert all(op.type != "ok" for op in self.operations.values())
            return "unknown"
        assert verdict.details["method"] == "versions"
        shown = f"{verdict}\n" + "\n".join(map(str, self.history))
        assert bool(verdict) == self.holds(name, frozenset(self.operations)), shown
        if not verdict:
            kept = frozenset(op.index for op in verdict.witness)
            assert not self.holds(name, kept), shown
            for op in verdict.witness:
                assert self.holds(name, kept - self._resting_on(op, kept)), f"{op} is not needed: {shown}"
            reasons = verdict.details.get("reasons", [verdict.reason])
            told.explained(name, list(self.operations.values()), reasons, verdict.witness)
            assert self._closed(kept, until_the_end=name == "linearizable") == kept, shown
            if name == "linearizable":
                self._first(verdict)
            else:
                self._circle(name)
        return str(verdict.outcome)

    def _resting_on(self, op: Operation, kept: frozenset[int]) -> set[int]:
        """An operation, and the reads that saw what it added."""
        others = (self.operations[index] for index in kept if index != op.index)
        return {op.index} | {o.index for o in others if o.key == op.key and self.object.rests_on(o, op)}

    def _closed(self, kept: frozenset[int], *, until_the_end: bool) -> frozenset[int]:
        """These operations and the additions of what they saw; or those that began before they were over."""
        reads = [self.operations[index] for index in kept if self.operations[index].f == "read"]
        return kept | {
            op.index
            for op in self.operations.values()
            for read in reads
            if op.f == ADDS[self.model] and op.type != "fail" and op.key == read.key and op.value in read.value
            if not until_the_end or op.index < read.end
        }

    def _circle(self, name: str) -> None:
        """The first circle that is found is of no more steps than any."""
        columns = Columns(self.history, self.object)
        sessions = {number: int(self.history.operation(number).session) for number in columns.numbers.tolist()}
        found = Versions(columns, self.object).against_sessions(sessions, real_time=name == "osc(u)")
        assert found is not None
        fewest = told.shortest(name, list(self.operations.values()))
        if fewest and "as element" not in found.reasons[0]:
            assert len(found.reasons) <= fewest, (found.reasons, fewest)

    def _first(self, verdict: Verdict) -> None:
        """The longest order is one, and what is said to be stuck is not in it."""
        sweep.witness(sweep.Case(self.model, self.object, 0, self.history, False, {}), verdict)
        longest = [self.operations[index] for index in verdict.details["longest"]]
        [stuck] = verdict.details["stuck"]
        told.ended(self.object, list(self.operations.values()), longest, self.operations[stuck])


def _alike(history: History) -> History:
    """The same with elements that are numbered anew for each key."""
    known: dict[Any, dict[Any, int]] = {}

    def renamed(event: Event) -> Event:
        names = known.setdefault(event.key, {})
        match event.value:
            case None:
                return event
            case [*elements]:
                return replace(event, value=[names.setdefault(element, len(names)) for element in elements])
            case element:
                return replace(event, value=names.setdefault(element, len(names)))

    return History.from_events([renamed(event) for event in history])


@pytest.mark.parametrize("model", ADDS)
def test_verdicts_witnesses_and_longest_orders_agree_with_brute_force(model: str) -> None:
    tally: Counter[tuple[str, str]] = Counter()
    for seed in range(400):
        case = Grown(model, seed)
        tally.update((name, case.judged(name)) for name in TRUTH)
    for name in TRUTH:
        assert 0.3 < tally[name, "valid"] / (tally[name, "valid"] + tally[name, "invalid"]) < 0.7, tally


@pytest.mark.parametrize("model", ADDS)
def test_a_history_too_long_for_a_search_is_decided(model: str) -> None:
    for lag, valid in ((0, True), (5, False)):
        history = long(model, 3_000, lag)
        assert bool(check(history, model=model)) == valid
        assert check(history, "sequential", model)
        assert check(history, "osc(u)", model)


def long(model: str, operations: int, lag: int) -> History:
    """One writer, and readers of their own replicas that trail by up to ``lag``."""
    random = Random(operations)
    log: list[int] = []
    known = [0, 0, 0]
    events: list[tuple[str, int, str, Any]] = []
    for n in range(operations):
        if n % 4:
            log.append(n)
            events += [("invoke", 3, ADDS[model], n), ("ok", 3, ADDS[model], n)]
        else:
            reader = random.randrange(3)
            known[reader] = max(known[reader], len(log) - random.randint(0, lag))
            events += [("invoke", reader, "read", None), ("ok", reader, "read", log[: known[reader]])]
    return History.from_events(events)


def test_two_reads_neither_of_which_holds_the_other_are_told_apart() -> None:
    calls = [("add", 1, 1), ("add", 2, 2), ("read", None, [1]), ("read", None, [2])]
    history = History.from_events(
        [("invoke", n, f, asked) for n, (f, asked, _) in enumerate(calls)]
        + [("ok", n, f, answer) for n, (f, _, answer) in enumerate(calls)]
    )
    verdict = check(history, model="set")
    assert verdict.reason == (
        "read -> [1] by process 2, events 2, 6 saw 1 and not 2, read -> [2] by process 3, events 3, 7 saw 2 and not 1: "
        "neither can have come first"
    )
    assert [op.index for op in verdict.witness] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("events", "searched"),
    [
        ([("add", 1, 1), ("remove", 1, 1), ("read", None, [])], True),
        ([("add", 1, 1), ("add", 1, 1), ("read", None, [1])], True),
        ([("add", 1, 1), ("read", None, [1, 1])], False),
    ],
)
def test_what_is_removed_or_added_twice_is_left_to_a_search(events: list[Any], searched: bool) -> None:
    history = History.from_events(
        [event for f, asked, seen in events for event in (("invoke", 0, f, asked), ("ok", 0, f, seen))]
    )
    verdict = check(history, model="set")
    assert verdict
    assert (verdict.details["method"] == "search") == searched


def played(*events: tuple[Any, ...]) -> History:
    """Events as type, process, f, value and, where there is one, key and result."""
    return History.from_events(
        [
            Event(
                index=n,
                time=n,
                type=kind,
                process=process,
                f=f,
                value=value,
                key=more[0] if more else None,
                result=more[1] if len(more) > 1 else None,
            )
            for n, (kind, process, f, value, *more) in enumerate(events)
        ]
    )


def one_by_one(*calls: tuple[Any, ...]) -> History:
    """Each over before the next: process, f, value and, where there is one, key and result."""
    return played(*((kind, *call) for call in calls for kind in ("invoke", "ok")))


@pytest.mark.parametrize(
    ("model", "history", "longest", "stuck"),
    [
        # What one read saw together may come in any order, so that the read is stuck, not what it saw.
        ("set", one_by_one((0, "add", 1), (1, "read", [1, 2]), (0, "add", 2)), [0], 2),
        ("list", one_by_one((0, "append", 1), (1, "read", [1, 2]), (0, "append", 2)), [0], 2),
        ("list", one_by_one((0, "append", 1), (1, "read", [2, 1]), (0, "append", 2)), [], 0),
        # Named once, however often it was seen.
        ("list", one_by_one((0, "append", 1), (1, "read", [1, 1])), [0], 2),
        ("list", one_by_one((0, "append", 1), (1, "read", [1, 9])), [0], 2),
        (
            "list",
            played(
                ("invoke", 0, "append", 1), ("invoke", 1, "append", 2),
                ("invoke", 2, "read", None), ("ok", 2, "read", [1]),
                ("invoke", 2, "read", None), ("ok", 2, "read", [2]),
                ("ok", 0, "append", 1), ("ok", 1, "append", 2),
            ),
            [0, 2],
            4,
        ),
        ("set", one_by_one((0, "add", 1), (1, "read", [1]), (2, "read", [])), [0, 2], 4),
        ("set", one_by_one((0, "add", 1), (0, "add", 2), (1, "read", [2])), [0], 2),
        # What a read, still open, did not see cannot come before what it saw and what is yet to begin.
        (
            "set",
            played(
                ("invoke", 1, "read", None), ("invoke", 0, "add", 1), ("ok", 0, "add", 1),
                ("invoke", 0, "add", 2), ("ok", 0, "add", 2), ("ok", 1, "read", [2]),
            ),
            [],
            1,
        ),
        # What was never answered and never seen has not happened.
        (
            "set",
            played(
                ("invoke", 3, "add", 3), ("info", 3, "add", 3), ("invoke", 0, "add", 1), ("ok", 0, "add", 1),
                ("invoke", 2, "read", None), ("ok", 2, "read", []),
            ),
            [2],
            4,
        ),
        # Each that turns out to be due before may be so for what began still later.
        (
            "list",
            one_by_one((0, "append", 1), (1, "read", [1, 2]), (0, "append", 3), (0, "append", 2), (1, "read", [1])),
            [0],
            2,
        ),
    ],
)  # fmt: skip
def test_the_longest_order_ends_where_something_cannot_come_next(
    model: str, history: History, longest: list[int], stuck: int
) -> None:
    verdict = check(history, model=model)
    assert not verdict
    assert (verdict.details["longest"], verdict.details["stuck"]) == (longest, [stuck]), verdict


@pytest.mark.parametrize(
    ("model", "history", "valid", "method"),
    [
        # A read of nil saw nothing.
        ("set", one_by_one((0, "read", None), (0, "add", 1), (0, "read", [1])), True, "versions"),
        ("list", one_by_one((0, "append", 1), (0, "read", None)), False, "versions"),
        # Elements may be lists themselves.
        ("set", one_by_one((0, "add", [1, 2]), (0, "read", [[1, 2]])), True, "versions"),
        ("list", one_by_one((0, "append", [1, 2]), (0, "read", [[2, 1]])), False, "versions"),
        # What was removed need not have been added.
        ("set", one_by_one((0, "add", 1), (0, "remove", 2), (0, "read", [1])), True, "search"),
        # What was refused did nothing, and what was not may have said so.
        ("list", one_by_one((0, "append", 1, None, False), (0, "append", 2), (0, "read", [2])), True, "search"),
        ("set", one_by_one((0, "add", 1, None, True), (0, "read", [1])), True, "versions"),
        ("set", one_by_one((0, "add", 1), (0, "add", 2, None, False)), False, "search"),
        (
            "set",
            played(
                ("invoke", 0, "add", 1, None, True), ("info", 0, "add", 1, None, True),
                ("invoke", 1, "add", 2, None, True), ("ok", 1, "add", 2, None, True),
            ),
            True,
            "versions",
        ),
    ],
)  # fmt: skip
def test_what_versions_decide_and_what_they_leave_to_a_search(
    model: str, history: History, valid: bool, method: str
) -> None:
    verdict = check(history, model=model)
    assert (bool(verdict), verdict.details["method"]) == (valid, method), verdict


def test_a_set_that_is_not_split_by_key_or_steps_otherwise_is_left_to_a_search() -> None:
    class Whole(ElementSet):
        def partition(self, op: Operation) -> Any:
            return None

    class Forgetful(ElementSet):
        def step(self, state: Any, op: Operation) -> Any:
            return state if op.f != "read" else super().step(state, op)

    history = one_by_one((0, "add", 1, "x"), (0, "read", [1], "y"))
    assert not check(history, model="set")
    assert check(history, model=Whole())
    assert not check(one_by_one((0, "add", 1), (0, "read", [1])), model=Forgetful())


@pytest.mark.parametrize("turn", [1, -1])
def test_of_contradictions_on_several_keys_that_of_the_first_is_told(turn: int) -> None:
    calls = [(0, "read", [1], "x"), (0, "read", [2], "y")][::turn]
    verdict = check(one_by_one(*calls), model="set")
    assert [op.index for op in verdict.witness] == [0]


@pytest.mark.parametrize("model", ADDS)
def test_of_reads_that_saw_what_began_later_the_first_to_be_over_is_told(model: str) -> None:
    verdict = check(one_by_one((0, "read", [1]), (0, "read", [1]), (0, ADDS[model], 1)), model=model)
    assert [op.index for op in verdict.witness] == [0]


def test_the_shortest_read_tells_two_additions_apart() -> None:
    calls = [(0, "append", 2), (0, "append", 1), (1, "read", [1, 2, 3])]
    late = [("invoke", 2, "read", None), ("invoke", 3, "append", 3)]
    history = played(
        *late,
        *((kind, *call) for call in calls[:2] for kind in ("invoke", "ok")),
        ("invoke", 1, "read", None),
        ("ok", 1, "read", [1, 2, 3]),
        ("ok", 2, "read", [1]),
        ("ok", 3, "append", 3),
    )
    verdict = check(history, model="list")
    assert "read -> [1] by process 2" in verdict.reason
    assert "saw 1 and not 2, though append 2" in verdict.reason
    assert [op.index for op in verdict.witness] == [0, 2, 4]


@pytest.mark.parametrize(
    ("earlier", "valid"), [([(0, "add", 1, "y"), (1, "add", 2, "x")], False), ([(0, "add", 1, "y")], True)]
)
def test_every_addition_that_was_over_comes_before_a_later_one(earlier: list[Any], valid: bool) -> None:
    # Who added 3 had not seen 2, which was there already.
    calls = [*earlier, (2, "add", 3, "x"), (4, "read", [3], "x"), (4, "read", [2, 3] if not valid else [3], "x")]
    history = one_by_one(*calls)
    assert bool(check(history, "osc(u)", "set")) == valid
    assert check(history, "sequential", "set")


def test_additions_to_two_objects_are_in_the_order_of_time_and_said_to_be() -> None:
    history = one_by_one(
        (5, "add", 5, "y"), (0, "add", 1, "x"), (1, "add", 2, "y"), (2, "read", [5, 2], "y"), (2, "read", [], "x"),
        (3, "read", [1], "x"),
    )  # fmt: skip
    _, first, second, saw, missed, _ = history.operations()
    assert check(history, "osc(u)", "set").details["reasons"] in _turned(
        [
            f"{first} was answered before {second} was invoked",
            f"{saw} saw what {second} added",
            f"{missed} follows {saw} in session 2",
            f"{missed} did not see what {first} added",
        ]
    )
    assert check(history, "sequential", "set")


def test_additions_to_one_object_that_no_read_tells_apart_are_in_the_order_of_time_and_said_to_be() -> None:
    history = played(
        ("invoke", 4, "add", 7, "y"),
        *((kind, 1, "read", [7], "y") for kind in ("invoke", "ok")),
        *((kind, 1, "add", 1, "x") for kind in ("invoke", "ok")),
        *((kind, 0, "add", 2, "x") for kind in ("invoke", "ok")),
        *((kind, 0, "read", [], "y") for kind in ("invoke", "ok")),
        ("ok", 4, "add", 7, "y"),
    )
    _, saw, first, second, missed = history.operations()
    assert check(history, "osc(u)", "set").details["reasons"] in _turned(
        [
            f"{saw} saw 7, {missed} did not",
            f"{first} follows {saw} in session 1",
            f"{first} was answered before {second} was invoked",
            f"{missed} follows {second} in session 0",
        ]
    )
    assert check(history, "sequential", "set")


def _turned(steps: list[str]) -> list[list[str]]:
    return [[*steps[n:], *steps[:n]] for n in range(len(steps))]


def test_what_lies_between_two_circles_is_on_neither() -> None:
    # Sessions 0 and 3 each go back; the read of session 1 comes after the one and before the other.
    history = one_by_one(
        (1, "read", [1], "x"), (1, "read", [], "y"),
        (0, "read", [1], "x"), (0, "read", [], "x"), (0, "add", 1, "x"),
        (3, "read", [1], "y"), (3, "read", [], "y"), (3, "add", 1, "y"),
    )  # fmt: skip
    verdict = check(history, "sequential", "set")
    assert len(verdict.details["reasons"]) == 2, verdict


def test_a_read_of_another_object_does_not_rest_on_an_addition_that_is_told_to_go() -> None:
    # Both objects are given a 2: that of y is not needed, and the read of x is, which saw that of x.
    history = one_by_one(
        (1, "add", 0, "x"), (1, "add", 0, "y"), (2, "read", [0], "y"), (2, "add", 2, "y"),
        (2, "add", 1, "x"), (2, "add", 2, "x"), (2, "read", [1, 2], "x"),
    )  # fmt: skip
    verdict = check(history, "sequential", "set")
    assert [op.index for op in verdict.witness] == [0, 2, 4, 8, 10, 12]
