"""The near-linear way on fixed operations at random moments: chains of cas, early and late reads, first values."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from checkers import BadHistory, History, Verdict, check, models
from tests.checkers import generate, oracle
from tests.checkers.test_models import at, history, row

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
    for before in ([], [("cas", [1, 2])]):
        for value in ([1], [1, 2, 3], 5, "ab"):
            calls = [*before, ("write", value), ("cas", value)]
            with pytest.raises(BadHistory, match=f"event {2 * len(calls) - 2}: a cas needs"):
                check(history(row(*calls)), model="cas-register")


def on(key: str, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**call, "key": key} for call in calls]


def judged(*calls: dict[str, Any], initial: Any = None) -> Verdict:
    return check(history(list(calls)), model=models.by_name("kv", initial=initial))


METHODS = {
    "a value written twice that nobody saw": ("zones", on("x", *row(("write", 1), ("write", 1)))),
    "a value written twice that was seen": ("search", on("x", *row(("write", 1), ("write", 1), ("read", 1)))),
    "nil that nobody wrote": ("zones", row(("read", None), ("write", 1), ("read", 1))),
    "nil that somebody wrote": ("search", row(("read", None), ("delete", None), ("read", None))),
    "a cas that matched": ("zones", row(("write", 1), ("cas", [1, 2]), ("read", 2))),
    "a cas that was refused": ("search", row(("write", 1), ("cas", [3, 2], False), ("read", 1))),
    "a write that was refused": ("zones", row(("write", 1), ("write", 2, False), ("read", 1))),
}


@pytest.mark.parametrize("what", METHODS)
def test_zones_alone_decide_on_values_with_one_writer_and_where_no_cas_was_refused(what: str) -> None:
    method, calls = METHODS[what]
    verdict = judged(*calls)
    assert (verdict.outcome, verdict.details["method"]) == ("valid", method)


def test_a_value_of_nobody_is_found_where_others_have_several_writers() -> None:
    verdict = judged(*on("x", *row(("write", 1), ("write", 1), ("read", 1), ("read", 7))))
    assert verdict.details["method"] == "zones"
    assert "saw 7, which nobody had written" in verdict.reason


def test_numbers_that_are_equal_are_one_value() -> None:
    assert judged(*row(("write", 1), ("write", 2), ("read", 2.0), ("write", 3), ("read", 3)))
    assert judged(*row(("write", 1.0), ("cas", [1, 2]), ("read", 2.0)))
    assert not judged(*row(("write", True), ("read", 1)))


def test_an_unanswered_cas_of_a_value_with_itself_writes_nothing() -> None:
    assert judged(*row(("write", 1), ("read", 1)), at("cas", [1, 1], 4, None), at("read", 1, 6, 7))
    assert judged(*row(("write", 1), ("read", 1), ("write", 2)), at("cas", [1, 1], 6, None), at("read", 2, 8, 9))


def test_a_value_that_was_seen_proves_that_the_cas_which_wrote_it_saw_its_own() -> None:
    verdict = judged(at("cas", [1, 2], 0, None), at("read", 2, 2, 3))
    assert [op.call for op in verdict.witness] == ["cas 1 -> 2", "read -> 2"]
    assert verdict.reason.startswith("cas 1 -> 2 by process 0")
    assert verdict.reason.endswith("saw 1, which nobody had written")
    assert judged(at("cas", [1, 2], 0, None), at("read", None, 2, 3))


def test_a_cas_that_nobody_proves_to_have_happened_is_not_held_to_have_seen_anything() -> None:
    verdict = judged(at("cas", [5, 6], 0, None), at("read", 5, 2, 3))
    assert [op.call for op in verdict.witness] == ["read -> 5"]
    assert verdict.reason.startswith("read -> 5")


def test_the_first_who_was_answered_proves_that_an_unanswered_cas_happened() -> None:
    lost = at("cas", [1, 2], 0, None)
    verdict = judged(lost, at("cas", [2, 3], 1, None), at("read", 2, 2, 3), at("read", 3, 4, 5), at("read", 2, 6, 7))
    assert [(op.call, op.time) for op in verdict.witness] == [("cas 1 -> 2", 0), ("read -> 2", 2)]
    # Nobody was: then it is who came first, and the first who proves that.
    chain = [at("cas", [2, 3], 1, None), at("cas", [2, 4], 2, None), at("read", 3, 3, 4), at("read", 4, 5, 6)]
    verdict = judged(lost, *chain)
    assert [op.call for op in verdict.witness] == ["cas 1 -> 2", "cas 2 -> 3", "read -> 3"]


def test_of_many_keys_with_many_values_the_one_that_has_no_order_is_named() -> None:
    calls = [
        call
        for key in range(40)
        for call in on(f"k{key}", *row(("write", f"v{key}"), ("read", f"v{key}"), ("write", f"w{key}")))
    ]
    assert judged(*calls).details["method"] == "zones"
    late = on("k7", at("read", "v7", 90, 91))
    verdict = judged(*calls, *late)
    assert [op.call for op in verdict.witness] == ['write "k7" "v7"', 'write "k7" "w7"', 'read "k7" -> "v7"']
    assert verdict.details["key"] == "k7"


def test_who_only_wrote_is_never_said_to_have_seen_what_nobody_wrote() -> None:
    # The first value that is named at all is one that was not written after all, and is read.
    first = [{"process": 0, "f": "write", "key": "k0"}, {"process": 1, "f": "read", "key": "k0"}]
    events = [
        {**first[0], "type": "invoke", "value": "none"}, {**first[0], "type": "ok", "value": "one"},
        {**first[1], "type": "invoke", "value": None}, {**first[1], "type": "ok", "value": "none"},
    ]  # fmt: skip
    for key in range(1, 40):
        write = {"process": 2, "f": "write", "key": f"k{key}", "value": f"v{key}"}
        events += [{**write, "type": "invoke"}, {**write, "type": "ok"}]
    verdict = check(History.from_events(events), model="kv")
    assert verdict.reason.startswith('read "k0" -> "none"')
    assert [op.call for op in verdict.witness] == ['read "k0" -> "none"']


def test_two_cas_that_replaced_one_value_are_told_with_its_writer() -> None:
    nil = judged(*row(("cas", [None, 1]), ("cas", [None, 2])))
    assert nil.reason == (
        "cas nil -> 1 by process 0, 0.000000 s to 0.000000001 s (events 0, 1) and "
        "cas nil -> 2 by process 1, 0.000000002 s to 0.000000003 s (events 2, 3) "
        "both replaced nil, which had been there only at the start"
    )
    one = judged(*row(("write", 1), ("cas", [1, 2]), ("cas", [1, 3])))
    assert one.reason.startswith("cas 1 -> 2 by process 1")
    assert "and cas 1 -> 3 by process 2" in one.reason
    assert "both replaced 1, which had been written once, by write 1 by process 0" in one.reason


def test_chains_of_different_keys_are_not_compared_with_each_other() -> None:
    assert judged(
        *on("y", at("cas", [None, 1], 0, 1)), *on("x", *(at(f, v, 2 * n + 2, 2 * n + 3) for n, (f, v) in enumerate(
            [("write", 1), ("cas", [1, 2])]
        ))),
    )  # fmt: skip


def test_a_value_that_was_seen_after_it_had_been_replaced_is_told_by_those_who_saw_and_replaced_it() -> None:
    calls = [
        *on("x", at("write", 1, 0, 1), at("cas", [1, 2], 90, 91)),
        *on("y", at("write", 5, 2, 3), at("cas", [5, 6], 4, 5), at("read", 5, 6, 7)),
        *on("z", at("write", 1, 8, 9), at("cas", [1, 2], 10, 11)),
    ]
    verdict = judged(*calls)
    assert [op.call for op in verdict.witness] == ['write "y" 5', 'cas "y" 5 -> 6', 'read "y" -> 5']
    assert verdict.reason.startswith('read "y" -> 5')
    assert 'must come before cas "y" 5 -> 6' in verdict.reason
    assert verdict.reason.endswith("by the values they saw, but began only after it had ended")


def test_the_first_value_was_there_first() -> None:
    verdict = judged(*row(("write", 1), ("read", None)))
    assert verdict.reason == (
        "nil was there first; but write 1 by process 0, 0.000000 s to 0.000000001 s (events 0, 1) ended before "
        "read -> nil by process 1, 0.000000002 s to 0.000000003 s (events 2, 3) began, so 1 was there before nil"
    )
    other = judged(*row(("write", 1), ("read", "start")), initial="start")
    assert other.reason.startswith('"start" was there first; but write 1')
