"""The built-in models, by hand: what they allow, what they refuse, and which operations a witness keeps together."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from checkers import BadHistory, History, Model, Operation, check, models
from checkers.model import Illegal
from tests.checkers import generate, oracle, sweep

Call = dict[str, Any]


def at(f: str, value: Any, call: int, end: int | None, **more: Any) -> Call:
    """An operation that was open from one moment to another, or was never answered."""
    return {"f": f, "value": value, "call": call, "return": end, **more}


def row(*calls: tuple[Any, ...]) -> list[Call]:
    """Operations one after the other: f, value and, if there is one, result."""
    return [
        at(f, value, 2 * nth, 2 * nth + 1, result=result[0] if result else None)
        for nth, (f, value, *result) in enumerate(calls)
    ]


def history(calls: list[Call]) -> History:
    """Each of them by a process of its own."""
    return History.from_operations([{"process": nth, **call} for nth, call in enumerate(calls)])


# An unanswered operation whose completion carries a result all the same; then something that only its having happened
# explains, and something that only its not having happened does.
UNANSWERED: dict[str, tuple[Call, tuple[Any, ...], tuple[Any, ...]]] = {
    "register": (at("write", 1, 0, 1, type="info", result=False), ("read", 1), ("read", None)),
    "cas-register": (at("cas", [None, 1], 0, 1, type="info", result=False), ("read", 1), ("read", None)),
    "kv": (at("put", 1, 0, 1, type="info", result=False), ("cas", [1, 2]), ("get", None)),
    "kv-append": (at("append", "a", 0, 1, type="info", result=False), ("get", "a"), ("get", "")),
    "list": (at("append", 1, 0, 1, type="info", result=False), ("read", [1]), ("read", [])),
    "set": (at("add", 1, 0, 1, type="info", result=False), ("read", [1]), ("read", [])),
    "counter": (at("add", 3, 0, 1, type="info", result=False), ("read", 3), ("read", 0)),
    "queue": (at("enqueue", 1, 0, 1, type="info", result=False), ("dequeue", 1), ("dequeue", None)),
    "mutex": (at("acquire", None, 0, 1, type="info", result=False), ("release", None), ("acquire", None)),
    "consensus": (at("propose", 1, 0, 1, type="info", result=2), ("read", 1), ("read", None)),
}


@pytest.mark.parametrize("model", UNANSWERED)
def test_what_an_unanswered_operation_carries_says_nothing(model: str) -> None:
    lost, happened, did_not = UNANSWERED[model]
    for f, value in (happened, did_not):
        told = history([lost, at(f, value, 4, 5)])
        assert told.operations()[0].result is None
        assert "refused" not in told.operations()[0].call
        assert check(told, model=model)
    assert not check(history(row(happened)), model=model)


def test_the_value_of_an_unanswered_operation_is_what_was_asked() -> None:
    for kind, seen in (("write", 1), ("cas", [None, 1])):
        events = [("invoke", 0, kind, seen), ("info", 0, kind, 7), ("invoke", 1, "read", None), ("ok", 1, "read", 1)]
        assert check(History.from_events(events), model="cas-register")
    taken = [
        ("invoke", 0, "enqueue", 1), ("ok", 0, "enqueue", 1), ("invoke", 0, "enqueue", 2), ("ok", 0, "enqueue", 2),
        ("invoke", 1, "dequeue", None), ("info", 1, "dequeue", 2),
        ("invoke", 2, "dequeue", None), ("ok", 2, "dequeue", 2),
    ]  # fmt: skip
    assert check(History.from_events(taken), model="queue")
    assert not check(History.from_events([*taken[:4], *taken[6:]]), model="queue")


def test_a_result_that_stands_in_every_event_does_not_make_a_lost_write_a_refused_one() -> None:
    events = [
        {"type": "invoke", "process": 0, "f": "write", "value": 1, "result": "sent"},
        {"type": "info", "process": 0, "f": "write", "value": 1, "result": "lost"},
        {"type": "invoke", "process": 1, "f": "read", "value": None, "result": "sent"},
        {"type": "ok", "process": 1, "f": "read", "value": 1, "result": "sent"},
    ]
    assert check(History.from_events(events), model="register")


# An update, what a reader sees if it happened, and what if it did not.
REFUSED: list[tuple[str, tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]] = [
    ("register", ("write", 1), ("read", 1), ("read", None)),
    ("kv-append", ("put", "a"), ("get", "a"), ("get", "")),
    ("kv-append", ("append", "a"), ("get", "a"), ("get", "")),
    ("list", ("append", 1), ("read", [1]), ("read", [])),
    ("counter", ("add", 2), ("read", 2), ("read", 0)),
    ("counter", ("increment", None), ("read", 1), ("read", 0)),
    ("counter", ("decrement", None), ("read", -1), ("read", 0)),
    ("queue", ("enqueue", 1), ("dequeue", 1), ("dequeue", None)),
]


@pytest.mark.parametrize(("model", "update", "changed", "unchanged"), REFUSED)
def test_an_update_that_was_refused_did_nothing(
    model: str, update: tuple[Any, ...], changed: tuple[Any, ...], unchanged: tuple[Any, ...]
) -> None:
    assert check(history(row(update, changed)), model=model)
    assert not check(history(row(update, unchanged)), model=model)
    assert check(history(row((*update, False), unchanged)), model=model)
    assert not check(history(row((*update, False), changed)), model=model)


def test_a_refused_put_does_not_bring_back_what_nothing_can_lead_to() -> None:
    # After "ab" no get of "b" can come but behind another put; one that was refused is none.
    for result, valid in ((None, True), (False, False)):
        calls = row(("append", "a"), ("append", "b"), ("put", "", result), ("append", "b"), ("get", "b"))
        assert bool(check(history(calls), model="kv-append")) == valid


NOTHING_THERE = [
    ("kv-append", ("append", "a"), ("get", None)),
    ("list", ("append", 1), ("read", None)),
    ("set", ("add", 1), ("read", None)),
    ("counter", ("add", 1), ("read", None)),
    ("queue", ("enqueue", 1), ("dequeue", None)),
]


@pytest.mark.parametrize(("model", "update", "nil"), NOTHING_THERE)
def test_an_answer_of_nil_saw_the_empty_object(model: str, update: tuple[Any, ...], nil: tuple[Any, ...]) -> None:
    assert check(history(row(nil, nil, update)), model=model)
    verdict = check(history(row(update, nil)), model=model)
    assert verdict.outcome == "invalid"
    assert verdict.witness[-1].call.startswith(nil[0])


def test_a_dequeue_that_was_refused_found_the_queue_empty_whatever_value_stands_beside() -> None:
    for value in (None, 1):
        assert check(history(row(("dequeue", value, False), ("enqueue", 1))), model="queue")
        assert not check(history(row(("enqueue", 1), ("dequeue", value, False))), model="queue")


def test_an_unanswered_dequeue_takes_one_element() -> None:
    lost = at("dequeue", None, 4, None)
    two = row(("enqueue", 1), ("enqueue", 2))
    for seen, valid in ((1, True), (2, True), (3, False), (None, False)):
        assert bool(check(history([*two, lost, at("dequeue", seen, 6, 7)]), model="queue")) == valid


@pytest.mark.parametrize(("f", "value", "after"), [
    ("increment", None, 1), ("increment", 5, 5), ("decrement", None, -1), ("decrement", 5, -5), ("add", -2, -2),
    ("add", 0, 0),
])  # fmt: skip
def test_a_counter_goes_by_one_or_by_the_value_given(f: str, value: Any, after: int) -> None:
    for seen in range(-6, 7):
        assert bool(check(history(row((f, value), ("read", seen))), model="counter")) == (seen == after)


REFUSALS = [
    ("counter", "add", None, "add of a counter needs a whole number, got None"),
    ("counter", "add", "1", "add of a counter needs a whole number, got '1'"),
    ("counter", "increment", True, "increment of a counter needs a whole number, got True"),
    ("counter", "decrement", 1.5, "decrement of a counter needs a whole number, got 1.5"),
    ("counter", "read", "1", "read of a counter needs a whole number, got '1'"),
    ("counter", "remove", "1", "the model counter does not know 'remove'; it knows add, decrement, increment, read"),
    ("kv-append", "put", None, "put needs a string, got None"),
    ("kv-append", "append", 1, "append needs a string, got 1"),
    ("kv-append", "get", 1, "a get returns a string, got 1"),
    ("kv-append", "read", 1, "the model kv-append does not know 'read'; it knows append, get, put"),
    ("list", "read", 1, "a read of a list returns a list, got 1"),
    ("set", "read", 1, "a read of a set returns a list, got 1"),
    ("queue", "enqueue", None, "enqueue needs a value"),
    ("consensus", "propose", None, "propose needs a value"),
    ("cas-register", "cas", 5, r"a cas needs the value \[old, new\], got 5"),
    ("cas-register", "cas", "ab", r"a cas needs the value \[old, new\], got 'ab'"),
    ("cas-register", "cas", [1], r"a cas needs the value \[old, new\], got \[1\]"),
    ("cas-register", "cas", [1, 2, 3], r"a cas needs the value \[old, new\], got \[1, 2, 3\]"),
]


@pytest.mark.parametrize(("model", "f", "value", "message"), REFUSALS)
def test_what_makes_no_sense_to_a_model_is_refused_with_its_place(model: str, f: str, value: Any, message: str) -> None:
    known = {"kv-append": ("get", None), "queue": ("dequeue", None), "consensus": ("read", None)}
    with pytest.raises(BadHistory, match=f"^event 2: {message}$"):
        check(history(row(known.get(model, ("read", None)), (f, value))), model=model)


# ---- which operations a witness keeps together

WITNESSES: dict[str, tuple[str, list[Call], list[str]]] = {
    "a read stays without a cas that left what it found": (
        "cas-register",
        [
            *row(("write", 1), ("write", 1)), at("cas", [1, 1], 4, None),
            at("write", 2, 5, 6), at("read", 1, 7, 8),
        ],
        ["write 1", "write 1", "write 2", "read -> 1"],
    ),
    "a read stays with the cas that wrote what it saw": (
        "cas-register",
        row(("write", 1), ("write", 1), ("cas", [1, 2]), ("write", 3), ("read", 2)),
        ["write 1", "write 1", "cas 1 -> 2", "write 3", "read -> 2"],
    ),
    "a refused cas stays with the write that may have been there instead": (
        "cas-register",
        [at("write", 1, 0, 1), at("write", 2, 2, 9), at("cas", [1, 3], 3, 4, result=False), at("read", 1, 5, 6)],
        ["write 1", "write 2", "cas 1 -> 3 refused", "read -> 1"],
    ),
    "a delete that was not refused saw nothing": (
        "kv",
        row(("delete", None), ("write", 1), ("write", 1), ("delete", None), ("read", 1)),
        ["write 1", "write 1", "delete", "read -> 1"],
    ),
    "a refused delete stays with the delete before it": (
        "kv",
        row(("delete", None), ("write", 1), ("delete", None, False)),
        ["delete", "write 1", "delete refused"],
    ),
    "a refused delete does not need a write that it did not see": (
        "kv",
        row(("write", 1), ("write", 1), ("delete", None, False)),
        ["write 1", "delete refused"],
    ),
    "a get stays without what was refused": (
        "kv-append",
        row(("put", "a"), ("append", "b", False), ("get", "ab")),
        ['put "a"', 'get -> "ab"'],
    ),
    "a read of a list stays without what was refused": (
        "list",
        row(("append", 1, False), ("append", 3), ("read", [1, 3])),
        ["append 3", "read -> [1,3]"],
    ),
    "a read of a counter stays without what was refused": (
        "counter",
        row(("add", 2, False), ("add", 3), ("read", 5)),
        ["add 3", "read -> 5"],
    ),
    "an add without an answer saw nothing": (
        "set",
        row(("remove", 1), ("add", 1), ("add", 2), ("read", [1])),
        ["add 1", "add 2", "read -> [1]"],
    ),
    "an add that was answered stays with the remove that it may rest on": (
        "set",
        row(("remove", 1), ("add", 1, True), ("add", 2), ("read", [1])),
        ["remove 1", "add 1", "add 2", "read -> [1]"],
    ),
    "an empty dequeue does not need the value that stands beside it": (
        "queue",
        [at("enqueue", 5, 0, 9), at("enqueue", 6, 1, 2), at("dequeue", 5, 3, 4, result=False)],
        ["enqueue 6", "dequeue 5 refused"],
    ),
    "an enqueue without an answer does not need who took its value": (
        "queue",
        [
            at("enqueue", 4, 0, 1), at("enqueue", 5, 2, None), at("dequeue", 5, 4, 5),
            at("dequeue", 5, 3, 7),
        ],
        ["enqueue 4", "enqueue 5", "dequeue 5"],
    ),
    "an enqueue whose value was taken does not show that a queue was not empty": (
        "queue",
        row(("enqueue", 2), ("enqueue", 1), ("dequeue", 2), ("dequeue", None)),
        ["enqueue 1", "dequeue"],
    ),
    "a dequeue of what nobody enqueued needs nobody": (
        "queue",
        row(("enqueue", 2), ("enqueue", 1), ("dequeue", 2), ("dequeue", 1), ("dequeue", 9)),
        ["dequeue 9"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", WITNESSES)
def test_a_witness_keeps_what_rests_on_each_other_and_nothing_else(sentence: str) -> None:
    model, calls, kept = WITNESSES[sentence]
    verdict = check(history(calls), model=model)
    assert verdict.outcome == "invalid"
    assert [op.call for op in verdict.witness] == kept
    assert verdict.details["minimal"] is True


# ---- what the models promise to the searches

WORDS: dict[str, list[tuple[Any, ...]]] = {
    "register": [("read", 1), ("read", None), ("write", 1), ("write", 2), ("write", 2, False), ("get", 2), ("put", 1)],
    "cas-register": [("read", 1), ("write", 1), ("cas", [1, 2]), ("cas", [1, 2], False), ("cas", [2, 2])],
    "kv": [("get", 1), ("put", 1), ("cas", [None, 1]), ("cas", [1, 1]), ("delete", None), ("delete", None, False)],
    "kv-append": [("get", text) for text in ("", "a", "ab", "b", None)] + [("put", "a"), ("put", ""), ("append", "b")],
    "list": [("read", seen) for seen in ([], [1], [2], [1, 2], [2, 1], None)] + [("append", 1), ("append", 2)],
    "set": [("read", seen) for seen in ([], [1], [2], [2, 1], None)]
    + [(f, 1, said) for f in ("add", "remove") for said in (None, True, False)]
    + [("add", 2)],
    "counter": [("read", 0), ("read", 2), ("add", 2), ("increment", None), ("decrement", 1)],
    "queue": [("enqueue", 1), ("enqueue", 2), ("enqueue", 2, False), ("dequeue", 1)]
    + [("dequeue", value, said) for value, said in ((None, None), (None, False), (1, False))],
    "mutex": [(f, None, said) for f in ("acquire", "release") for said in (None, True, False)],
    "consensus": [("propose", 1, 1), ("propose", 1, 2), ("propose", 2), ("read", 1), ("read", None)],
}


def words(model: str) -> list[Operation]:
    return history(row(*WORDS[model])).operations()


def reached(model: Model, first: list[Any], ops: list[Operation], depth: int) -> Iterator[Any]:
    """The states that some of these operations lead to, so many at most."""
    seen, now = set(first), list(first)
    yield from first
    for _ in range(depth):
        now = [after for state in now for op in ops if not isinstance(after := model.step(state, op), Illegal)]
        now = [after for after in dict.fromkeys(now) if after not in seen]
        seen.update(now)
        yield from now


@pytest.mark.parametrize("name", WORDS)
def test_what_only_observes_is_what_changes_no_state(name: str) -> None:
    model = models.by_name(name)
    ops = words(name)
    states = list(reached(model, [model.initial], ops, 4))
    assert len(states) >= 2
    for op in ops:
        after = [model.step(state, op) for state in states]
        unchanged = all(isinstance(new, Illegal) or new == old for new, old in zip(after, states, strict=True))
        assert model.observes(op) == unchanged, op


@pytest.mark.parametrize("name", ["kv-append", "list", "set"])
def test_a_state_is_doomed_exactly_when_nothing_but_a_reset_leads_to_the_answer(name: str) -> None:
    model = models.by_name(name)
    ops = words(name)
    grow = [op for op in ops if not model.observes(op) and not model.resets(op)]
    assert grow
    answers = [op for op in ops if op.f in model.reads]
    for state in list(reached(model, [model.initial], ops, 3)):
        further = list(reached(model, [state], grow, 3))
        for op in answers:
            lost = all(isinstance(model.step(later, op), Illegal) for later in further)
            assert lost or not model.doomed(state, op)
            if name == "set":
                assert model.doomed(state, op) == lost
        foresees = model.foresees(answers)
        if foresees is not None:
            assert foresees(state) == any(not model.doomed(state, op) for op in answers)
    some = [op for op in answers if op.value in ("a", "b")]
    for state in ("", "a", "b", "ab", "aa", "c"):
        if name == "kv-append" and (foresees := model.foresees(some)) is not None:
            assert foresees(state) == any(text.startswith(state) for text in ("a", "b"))


@pytest.mark.parametrize("name", generate.MODELS)
def test_without_an_operation_and_what_rests_on_it_a_valid_history_stays_valid(name: str) -> None:
    tried = 0
    for seed in range(40):
        random = Random(f"rests-{name}-{seed}")
        whole = generate.history(random, generate.shape(random, name), near_miss=0.3, changes=(1, 2))
        if not check(whole, model=name):
            continue
        model = models.by_name(name)
        ops = [op for op in whole.operations() if op.type != "fail"]
        for op in ops:
            gone = {op.index}
            while more := {
                p.index
                for p in ops
                if p.index not in gone
                and any(p.key == q.key and sweep.rests(model, p, q) for q in ops if q.index in gone)
            }:
                gone |= more
            rest = whole.filter(lambda op, gone=gone: op.index not in gone)  # type: ignore[misc]
            assert oracle.linearizable(rest, name, sweep.INITIAL.get(name)), (op, ops)
            tried += 1
    assert tried >= 60


def test_an_unanswered_cas_of_a_value_with_itself_is_judged_by_bounded_staleness() -> None:
    calls = [at("write", 1, 0, 1), at("cas", [1, 1], 2, None), at("write", 2, 4, 5), at("write", 3, 6, 7)]
    verdict = check(history([*calls, at("read", 1, 8, 9)]), "bounded-staleness", model="cas-register")
    assert verdict.details["k"] == [3, None]


def test_a_read_of_nil_saw_the_empty_list_also_where_an_element_is_appended_twice() -> None:
    calls = [("read", None), ("append", 1), ("append", 1), ("read", [1, 1])]
    events = [(kind, 0, f, value) for f, value in calls for kind in ("invoke", "ok")]
    verdict = check(History.from_events(events), model="list")
    assert verdict
    assert verdict.details["method"] == "search"
