"""Sets that only grow and lists that are only appended to: their versions against brute force, and what they say."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from checkers import Event, History, check, models
from checkers.model import Illegal
from tests.checkers import oracle, sweep
from tests.consistency import oracle as orders

MODELS = {"set": "add", "list": "append"}


def grown(random: Random, model: str) -> History:
    """Clients of a replicated log: reads trail, answers are lost, and now and then a read is altered."""
    clients, keys = random.choice((2, 3)), random.choice((1, 1, 2))
    old, lost, altered = random.choice((0.0, 0.4, 0.8)), random.choice((0.0, 0.2)), random.choice((0.0, 0.2, 0.4))
    logs: list[list[Any]] = [[] for _ in range(keys)]
    session_of = list(range(clients))  # the process that speaks for each session
    processes, element = clients, 0
    pending: dict[int, dict[str, Any]] = {}
    events: list[dict[str, Any]] = []
    left = random.randint(4, 8)
    while left or pending:
        session = random.randrange(clients)
        process = session_of[session]
        if session not in pending:
            if not left:
                continue
            left -= 1
            key = random.randrange(keys)
            element += 1
            reads, early = random.random() < 0.5, random.random() < 0.5
            op: dict[str, Any] = {
                "f": "read" if reads else MODELS[model],
                "key": key,
                "value": None if reads else element,
            }
            if early and not reads:
                logs[key].append(element)
            pending[session] = {**op, "applied": early and not reads}
            events.append({**op, "type": "invoke", "process": process, "session": session})
            continue
        op = pending.pop(session)
        applied, log = op.pop("applied"), logs[op["key"]]
        kind = "info" if random.random() < lost else "fail" if random.random() < lost / 4 else "ok"
        if op["f"] == "read":
            seen = log[: len(log) - (random.randint(1, 3) if random.random() < old else 0)] if log else []
            op["value"] = _altered(random, model, seen, element) if random.random() < altered else seen
            if kind == "info":
                op["value"] = None
        elif not applied and (kind == "ok" or random.random() < 0.5):
            late = random.randint(0, 1) if log and random.random() < altered else 0
            log.insert(len(log) - late, op["value"])
        events.append({**op, "type": kind, "process": process, "session": session})
        if kind == "info":
            session_of[session], processes = processes, processes + 1
    return History.from_events([Event(index=n, time=n, **event) for n, event in enumerate(events)])


def _altered(random: Random, model: str, seen: list[Any], last: int) -> list[Any]:
    match random.randrange(4):
        case 0:
            return [*seen, last + 1]
        case 1 if seen:
            return [*seen, random.choice(seen)]
        case 2 if len(seen) > 1:
            return random.sample(seen, len(seen))
        case _:
            return random.sample(seen, max(len(seen) - 1, 0))


def answered(history: History) -> bool:
    return any(op.type == "ok" for op in history.operations())


@pytest.mark.parametrize("model", MODELS)
def test_versions_agree_with_brute_force(model: str) -> None:
    tally: Counter[tuple[str, str]] = Counter()
    for seed in range(500):
        history = grown(Random(f"{model}/{seed}"), model)
        if not answered(history):
            continue
        for name, truth in (
            ("linearizable", oracle.linearizable),
            ("sequential", orders.sequential),
            ("osc(u)", orders.osc_u),
        ):
            verdict = check(history, name, model)
            assert verdict.details["method"] == "versions"
            events = "\n".join(map(str, history))
            assert bool(verdict) == truth(history, model), f"{verdict}\n{events}"
            tally[name, str(verdict.outcome)] += 1
            if not verdict:
                kept = {op.index for op in verdict.witness}
                alone = history.filter(lambda op, kept=kept: op.index in kept)  # type: ignore[misc]
                assert not truth(alone, model), f"{verdict}\n{events}"
                for op in alone.operations():
                    rest = without(alone, model, op.index)
                    assert not answered(rest) or truth(rest, model), f"{op} is not needed: {verdict}\n{events}"
    for name in ("linearizable", "sequential", "osc(u)"):
        assert 0.3 < tally[name, "valid"] / (tally[name, "valid"] + tally[name, "invalid"]) < 0.7, tally


def without(history: History, model: str, gone: int) -> History:
    """A history without an operation and the reads that saw what it added."""
    (op,) = (op for op in history.operations() if op.index == gone)
    rests = {
        other.index
        for other in history.operations()
        if other is not op and other.key == op.key and models.by_name(model).rests_on(other, op)
    }
    return history.filter(lambda op: op.index != gone and op.index not in rests)


@pytest.mark.parametrize("model", MODELS)
def test_witnesses_are_closed_and_the_longest_order_can_come_first(model: str) -> None:
    refuted = 0
    for seed in range(300):
        history = grown(Random(f"{model}/{seed}"), model)
        verdict = check(history, model=model)
        if verdict.outcome != "invalid":
            continue
        refuted += 1
        expected = oracle.linearizable(history, model)
        sweep.witness(sweep.Case(model, models.by_name(model), seed, history, expected, {}), verdict)
        placed = {op.index: op for op in history.operations()}
        state, object_ = models.by_name(model).initial, models.by_name(model)
        order = [placed[index] for index in verdict.details["longest"]]
        for n, op in enumerate(order):
            state = object_.step(state, op)
            assert not isinstance(state, Illegal), verdict
            assert not any(later.end < op.index for later in order[n + 1 :]), verdict
        assert not set(verdict.details["stuck"]) & set(verdict.details["longest"])
    assert refuted > 50


@pytest.mark.parametrize("model", MODELS)
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
            events += [("invoke", 3, MODELS[model], n), ("ok", 3, MODELS[model], n)]
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
