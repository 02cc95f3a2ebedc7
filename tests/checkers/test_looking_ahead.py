"""Where states only grow a search looks ahead; these are the cases in which it must not look too far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, ClassVar

from checkers import ILLEGAL, History, Model, Operation, check, models
from checkers.model import Illegal
from checkers.parts import _BACK, _BLIND, NEVER, Ahead, Columns, Part, Steps
from checkers.search import Search
from tests.checkers.shapes import GROWING, grown, parts_of


def spread(*calls: tuple[str, object, object]) -> History:
    """Operations that are all open at one moment: f, what is asked, what is answered."""
    invokes = [("invoke", n, f, asked) for n, (f, asked, _) in enumerate(calls)]
    return History.from_events(invokes + [("ok", n, f, answered) for n, (f, _, answered) in enumerate(calls)])


def after(first: History, then: History) -> History:
    events = [*first, *then]
    return History.from_events([(e.type, e.process, e.f, e.value) for e in events])


def test_two_removes_together_may_empty_a_set_though_neither_does_alone() -> None:
    full = spread(("add", 1, 1), ("add", 2, 2))
    assert check(after(full, spread(("remove", 1, 1), ("remove", 2, 2), ("read", None, []))), model="set")
    assert not check(after(full, spread(("remove", 1, 1), ("read", None, []))), model="set")


def test_a_put_that_is_still_to_come_may_explain_a_get() -> None:
    grown = spread(("put", "a", "a"), ("append", "b", "b"))
    assert check(after(grown, spread(("put", "c", "c"), ("append", "d", "d"), ("get", None, "cd"))), model="kv-append")
    assert not check(after(grown, spread(("put", "c", "c"), ("get", None, "d"))), model="kv-append")


def test_appends_before_a_get_are_ordered_by_what_it_saw_without_trying_all_orders() -> None:
    letters = [f"{n}." for n in range(9)]
    seen = "".join(reversed(letters))
    appends = spread(*(("append", letter, letter) for letter in letters))
    model = models.by_name("kv-append")
    for text, valid in ((seen, True), (seen[2:] + seen[:2], True), (seen + "x", False)):
        history = after(appends, spread(("get", None, text)))
        assert bool(check(history, model=model)) == valid
        (part,), table = Columns(history, model).parts(model)
        search = Search(part, table)
        search.run(1 << 40)
        assert search.steps < 200


def test_a_get_behind_a_further_put_is_not_foreseen() -> None:
    calls = [("append", "a"), ("append", "b"), ("append", "d"), ("put", "c"), ("get", "c")]
    events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
    assert check(History.from_events(events), model="kv-append")


def test_a_search_that_may_not_look_ahead_goes_as_far_as_there_is_an_order() -> None:
    calls = [("append", "a"), ("append", "b"), ("append", "d"), ("get", "x")]
    events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
    model = models.by_name("kv-append")
    (part,), table = Columns(History.from_events(events), model).parts(model)
    for ahead in (True, False):
        search = Search(part, table, ahead=ahead)
        search.run(1 << 40)
        assert search.outcome is False
        assert (search.foreseen, len(search.longest)) == ((True, 1) if ahead else (False, 3))


def leads(model: str, left: Any, op: Operation) -> bool:
    """Whether an object that holds this can still become what was seen, as long as it only grows."""
    seen = op.value or ("" if model == "kv-append" else [])
    return set(left) <= set(seen) if model == "set" else list(seen[: len(left)]) == list(left)


def foreseeable(model: str, part: Part, table: Steps) -> tuple[list[int], list[int], list[list[int]]]:
    """By the definitions of `Ahead`: since, watch, and resets."""
    ops = [table.samples[kind] for kind in part.classes]
    returns = sorted((i for i in range(len(part)) if part.ends[i] != NEVER), key=part.ends.__getitem__)
    observing = [i for i in returns if ops[i].f in ("get", "read") or ops[i].result is False]
    resets = [i for i in range(len(part)) if ops[i].f in ("put", "remove") and ops[i].result is not False]
    since = [NEVER] * len(part)
    for i in observing:
        since[i] = -1
        before = [reset for reset in resets if part.begins[reset] < part.ends[i]]
        for reset in before[max(len(before) - _BACK - 1, 0) :]:
            # What a put leaves is known; what a remove leaves is not.
            far = len(before) > _BACK and reset == before[-_BACK - 1]
            if far or model != "kv-append" or leads(model, ops[reset].value, ops[i]):
                since[i] = part.begins[reset]
    watch, present = [], []
    for last in returns:
        now = part.ends[last]
        known = max((i for i in observing if since[i] < now), key=part.ends.__getitem__, default=None)
        watch.append(known if known is not None and part.begins[known] > now else -1)
        present.append([i for i in resets if part.begins[i] < now <= part.ends[i]])
    return since, watch, present


def test_what_a_search_may_foresee_is_what_the_definitions_say() -> None:
    cases = [(model, *grown(model, seed)) for model in GROWING for seed in range(24)]
    # A hundred puts, and what the first, the fortieth, and none of them left is seen again and again.
    for lead in (0, 1):
        random = Random(lead)
        calls = [("get", "")] * lead
        for n in range(100):
            calls += [("put", f"{n}."), ("get", random.choice((f"{n}.", "0.", "40.", "x")))]
        events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
        cases.append(("kv-append", *parts_of(events, "kv-append")))
    # The very first operation is the last to return, and was foreseen.
    long = [("invoke", 0, "get", None), ("invoke", 1, "get", None), ("ok", 1, "get", ""), ("ok", 0, "get", "x")]
    cases.append(("kv-append", *parts_of(long, "kv-append")))
    for model, part, table in cases:
        returns = sorted((i for i in range(len(part)) if part.ends[i] != NEVER), key=part.ends.__getitem__)
        ahead = Ahead(part, table, returns)
        assert (ahead.since, ahead.watch, list(map(sorted, ahead.resets))) == foreseeable(model, part, table)


def test_nothing_is_foreseen_where_the_model_says_nothing() -> None:
    part, table = parts_of([(kind, 0, "read", None) for _ in range(5) for kind in ("invoke", "ok")], "register")
    ahead = Ahead(part, table, range(5))
    assert (ahead.since, ahead.watch, ahead.resets) == ([NEVER] * 5, [-1] * 5, [[]] * 5)


def test_of_strings_only_those_are_remembered_that_some_get_begins_with() -> None:
    forgotten = 0
    for seed in range(24):
        part, table = grown("kv-append", seed)
        Search(part, table, ahead=False).run(400)
        seen = [op.value or "" for op in table.samples if op.f == "get"]
        for state in table.states[1:]:
            assert state is _BLIND or any(text.startswith(state) for text in seen)
        forgotten += any(state is _BLIND for state in table.states)
    assert forgotten >= 12


def test_elements_before_a_read_of_a_list_are_ordered_by_what_it_saw_without_trying_all_orders() -> None:
    appends = spread(*(("append", n, n) for n in range(9)))
    for seen, valid in ((list(range(9)), True), (list(range(8, -1, -1)), True), ([*range(9), 9], False)):
        history = after(appends, spread(("read", None, seen)))
        assert bool(check(history, model="list")) == valid
        part, table = parts_of(list(history), "list")
        search = Search(part, table)
        search.run(1 << 40)
        assert search.steps < 200


class Log(Model):
    """Text that grows; ``look`` sees all of it, ``append`` is refused twice in a row, ``swap`` exchanges it as a whole.

    ``look`` is not among `reads`: one without an answer stays in the history. ``swap`` is possible from one text only.
    """

    resets_forget: ClassVar[bool] = True

    def __init__(self, initial: str = "", *, quick: bool = False) -> None:
        self.initial = initial
        self.quick = quick

    def step(self, state: str, op: Operation) -> str | Illegal:
        if op.f == "look":
            return state if op.type == "info" or state == op.value else ILLEGAL
        if op.f == "swap":
            old, new = op.value
            return new if state == old else ILLEGAL
        return state + op.value if self.quick or not state.endswith(op.value) else ILLEGAL

    def observes(self, op: Operation) -> bool:
        return op.f == "look"

    def doomed(self, state: str, op: Operation) -> bool:
        assert op.f == "look"
        assert op.type == "ok"
        return not op.value.startswith(state)

    def resets(self, op: Operation) -> bool:
        return op.f == "swap"

    def foresees(self, answers: Sequence[Operation]) -> Callable[[str], bool] | None:
        assert all(op.f == "look" and op.type == "ok" for op in answers)
        return (lambda state: any(op.value.startswith(state) for op in answers)) if self.quick else None


def searched(model: Model, *events: tuple[object, ...]) -> Iterator[Any]:
    """By the plain search and, where there is a compiler, by the compiled one."""
    kinds: list[Any] = [Search]
    try:
        from checkers.compiled import CompiledSearch
    except ImportError:
        pass
    else:
        kinds.append(CompiledSearch)
    for kind in kinds:
        (part,), table = Columns(History.from_events(events), model).parts(model)
        search = kind(part, table)
        while not search.run(1 << 40):
            pass
        yield search


def judged(model: Model, *events: tuple[object, ...]) -> bool:
    """The verdict, which all searches confirm."""
    verdict = check(History.from_events(events), model=model)
    assert all(search.outcome == bool(verdict) for search in searched(model, *events))
    return bool(verdict)


def test_a_model_is_asked_about_answers_alone_and_an_unanswered_look_changes_nothing() -> None:
    lost = [("invoke", 0, "look", None), ("invoke", 1, "append", "a"), ("ok", 1, "append", "a")]
    for text, quick in (("", False), ("", True), ("x", False), ("x", True)):
        for seen, valid in ((f"{text}a", True), ("ab", False)):
            looks = [("invoke", 2, "look", None), ("ok", 2, "look", seen)]
            assert judged(Log(text, quick=quick), *lost, *looks) == valid
        assert judged(Log(text, quick=quick), *lost)


def test_an_operation_that_is_refused_dooms_nothing() -> None:
    twice = [(kind, 0, "append", "a") for _ in range(2) for kind in ("invoke", "ok")]
    assert not judged(Log(), *twice)
    between = [("invoke", 1, "append", "b"), *twice, ("invoke", 2, "look", None), ("ok", 2, "look", "aba")]
    assert judged(Log(), *between)


def test_a_reset_that_is_not_possible_yet_may_be_later() -> None:
    # Only after "ab" may it become "z"; from "", where it begins, and from "a" it may not.
    for open_first in ("append", "swap"):
        calls = [("append", "a"), ("append", "b"), ("swap", ["ab", "z"])]
        first = [call for call in calls if call[0] == open_first]
        order = [*first, *(call for call in calls if call not in first)]
        events: list[tuple[object, ...]] = [("invoke", n, *call) for n, call in enumerate(order)]
        events += [("ok", n, *call) for n, call in enumerate(order)]
        for seen, valid in (("z", True), ("y", False)):
            assert judged(Log(), *events, ("invoke", 9, "look", None), ("ok", 9, "look", seen)) == valid


def test_a_reset_that_was_not_possible_at_first_may_lead_to_what_is_seen_later() -> None:
    calls = [
        ("swap", ["", "p"]),
        ("look", "p"),
        ("append", "b"),
        ("swap", ["pb", "z"]),
        ("append", "c"),
        ("look", "zc"),
    ]
    for last, valid in (("zc", True), ("zb", False)):
        events = [(kind, 0, f, value) for f, value in (*calls[:-1], ("look", last)) for kind in ("invoke", "ok")]
        assert judged(Log(), *events) == valid


def test_a_reset_to_what_there_was_at_first_is_foreseen_as_any_other_is() -> None:
    append: list[tuple[object, ...]] = [("invoke", 1, "append", "a"), ("ok", 1, "append", "a")]
    swap: list[tuple[object, ...]] = [("invoke", 0, "swap", ["x", "x"]), ("ok", 0, "swap", ["x", "x"])]
    look = [("invoke", 1, "look", None), ("ok", 1, "look", "y")]
    for events in ([*append, *swap, *look], [swap[0], *append, swap[1], *look]):
        for search in searched(Log("x"), *events):
            assert (search.outcome, search.foreseen, search.steps) == (False, True, 1)
