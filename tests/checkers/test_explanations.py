"""An invalid verdict explains itself: the sentence, the witness, the longest order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from checkers import ILLEGAL, History, Model, Operation, Verdict, check, explain
from checkers.model import Illegal, State
from checkers.models.cas_register import CasRegister
from tests.checkers import generate
from tests.checkers.test_models import at, history, row


def judged(*events: tuple[object, ...], model: str | None = None) -> Verdict:
    return check(History.from_events(events), "linearizable", model)


def calls(verdict: Verdict) -> list[str]:
    return [op.call for op in verdict.witness]


def test_a_stale_read_is_told_from_the_write_that_replaced_its_value() -> None:
    verdict = judged(
        ("invoke", 0, "write", "x", 1), ("ok", 0, "write", "x", 1),
        ("invoke", 1, "write", "x", 2), ("ok", 1, "write", "x", 2),
        ("invoke", 2, "read", "x", None), ("ok", 2, "read", "x", 1),
        ("invoke", 2, "read", "y", None), ("ok", 2, "read", "y", None),
    )  # fmt: skip
    assert verdict.outcome == "invalid"
    assert calls(verdict) == ['write "x" 1', 'write "x" 2', 'read "x" -> 1']
    assert "so 1 was there before 2" in verdict.reason
    assert "so 2 was there before 1" in verdict.reason
    assert "events 4, 5" in verdict.reason


def test_a_value_that_nobody_wrote_is_said_to_be_so() -> None:
    verdict = judged(("invoke", 0, "read", None), ("ok", 0, "read", 7))
    assert "saw 7, which nobody had written" in verdict.reason
    assert calls(verdict) == ["read -> 7"]


def test_a_read_before_the_only_write_of_its_value_names_that_write() -> None:
    verdict = judged(
        ("invoke", 0, "read", None), ("ok", 0, "read", 7), ("invoke", 1, "write", 7), ("ok", 1, "write", 7)
    )
    assert "but ended before write 7" in verdict.reason


def test_two_cas_from_one_value_are_both_named() -> None:
    verdict = judged(
        ("invoke", 0, "write", 1), ("ok", 0, "write", 1),
        ("invoke", 1, "cas", [1, 2]), ("invoke", 2, "cas", [1, 3]), ("ok", 1, "cas", [1, 2]), ("ok", 2, "cas", [1, 3]),
    )  # fmt: skip
    assert calls(verdict) == ["write 1", "cas 1 -> 2", "cas 1 -> 3"]
    assert "both replaced 1, which had been written once, by write 1" in verdict.reason


def test_a_circle_of_cas_has_no_first() -> None:
    verdict = judged(
        ("invoke", 0, "cas", [1, 2]), ("invoke", 1, "cas", [2, 1]), ("ok", 0, "cas", [1, 2]), ("ok", 1, "cas", [2, 1])
    )
    assert "no cas of these could be the first" in verdict.reason
    assert verdict.reason.count("cas 1 -> 2") == 2  # the circle closes where it began
    assert verdict.reason.count("cas 2 -> 1") == 1


def test_a_refused_cas_that_had_to_match_is_an_observation() -> None:
    refused = {"type": "ok", "process": 1, "f": "cas", "value": [1, 2], "result": False}
    history = History.from_events([
        {"type": "invoke", "process": 0, "f": "write", "value": 1},
        {"type": "ok", "process": 0, "f": "write", "value": 1},
        {"type": "invoke", "process": 1, "f": "cas", "value": [1, 2]}, refused,
    ])  # fmt: skip
    verdict = check(history)
    assert verdict.outcome == "invalid"
    assert calls(verdict) == ["write 1", "cas 1 -> 2 refused"]
    assert "at best write 1 can come first and leave 1; then cas 1 -> 2 refused" in verdict.reason


def test_the_longest_order_and_what_could_not_come_next_are_given_by_index() -> None:
    verdict = judged(
        ("invoke", 0, "write", 1), ("ok", 0, "write", 1), ("invoke", 0, "write", 2), ("ok", 0, "write", 2),
        ("invoke", 1, "read", None), ("ok", 1, "read", 1), ("invoke", 1, "write", 3), ("ok", 1, "write", 3),
    )  # fmt: skip
    assert verdict.details["longest"] == [0, 2]
    assert verdict.details["stuck"] == [4]
    assert verdict.details["key"] is None


def test_the_longest_order_is_one() -> None:
    for seed in range(150):
        random = Random(f"longest-{seed}")
        history = generate.history(random, generate.shape(random, "cas-register"))
        verdict = check(history, model="cas-register")
        if verdict.outcome != "invalid":
            continue
        ops = {op.index: op for op in history.operations()}
        state = None
        order = [ops[index] for index in verdict.details["longest"]]
        for place, op in enumerate(order):
            assert all(later.end > op.index for later in order[place:])
            if op.f == "write":
                state = op.value
            elif op.f == "read":
                assert op.value == state
            else:
                assert (op.value[0] == state) != (op.result is False)
                state = state if op.result is False else op.value[1]
        assert verdict.details["stuck"]
        assert not set(verdict.details["stuck"]) & set(verdict.details["longest"])


def test_an_explanation_is_the_same_every_time() -> None:
    for seed in range(60):
        history = generate.history(Random(seed), generate.shape(Random(seed), "kv"))
        assert str(check(history, model="kv")) == str(check(history, model="kv"))


def test_times_are_quoted_where_the_history_has_them() -> None:
    history = History.from_operations([
        {"process": 0, "f": "write", "value": 1, "call": 0, "return": 1_500_000},
        {"process": 1, "f": "read", "value": None, "call": 2_000_000, "return": 3_000_000},
    ])  # fmt: skip
    verdict = check(history)
    assert verdict.outcome == "invalid"
    assert "0.002000 s to 0.003000 s" in str(verdict)


@pytest.mark.parametrize("model", generate.MODELS)
def test_a_reason_speaks_of_nothing_that_the_witness_lacks(model: str) -> None:
    spoken = 0
    for seed in range(40):
        random = Random(f"spoken-{model}-{seed}")
        history = generate.history(random, generate.shape(random, model))
        verdict = check(history, model=model)
        if verdict.outcome != "invalid":
            continue
        kept = {op.index for op in verdict.witness}
        for op in history.operations():
            # A write that came too late is told beside a read that cannot have seen it.
            told = str(op) in verdict.reason and f"but ended before {op}" not in verdict.reason
            assert op.index in kept or not told, verdict
            spoken += told
    assert spoken >= 5


# ---- what is drawn beside it


@contextmanager
def set_to(**constants: int) -> Iterator[None]:
    before = {name: getattr(explain, name) for name in constants}
    vars(explain).update(constants)
    try:
        yield
    finally:
        vars(explain).update(before)


def drawn(verdict: Verdict) -> tuple[list[int], list[int]]:
    return verdict.details["longest"], verdict.details["stuck"]


def test_beside_a_conflict_all_is_drawn_that_was_invoked_before_it_was_complete() -> None:
    stale = history(row(("write", 7), ("write", 1), ("write", 2), ("read", 1), ("write", 9)))
    assert calls(check(stale)) == ["write 1", "write 2", "read -> 1"]
    assert drawn(check(stale)) == ([0, 2, 4], [6])
    with set_to(_DRAWN=4):
        assert drawn(check(stale)) == ([0, 2, 4], [6])
    with set_to(_DRAWN=3):  # then of the witness alone
        assert drawn(check(stale)) == ([2, 4], [6])


def test_beside_a_conflict_whose_surroundings_are_hard_the_witness_alone_is_drawn() -> None:
    lost = [at("cas", [n, n + 1], 0, None) for n in range(10, 30)]
    crowd = [at("write", n, 0, 99) for n in range(10, 20)]
    stale = history([*crowd, *lost, *(at(f, v, 2 * n + 2, 2 * n + 3) for n, (f, v) in enumerate(
        [("write", 1), ("write", 2), ("read", 1)]
    ))])  # fmt: skip
    with set_to(_STEPS=40):
        verdict = check(stale)
    assert calls(verdict) == ["write 1", "write 2", "read -> 1"]
    first, second, read = (op.index for op in verdict.witness)
    assert drawn(verdict) == ([first, second], [read])


def test_the_longest_order_is_not_cut_short_by_looking_ahead_unless_it_takes_too_long() -> None:
    foreseen = history(row(("append", "a"), ("append", "b"), ("append", "d"), ("get", "x")))
    assert drawn(check(foreseen, model="kv-append")) == ([0, 2, 4], [6])
    with set_to(_PLAIN=2):
        assert drawn(check(foreseen, model="kv-append")) == ([0], [2])


# ---- the sentence of a search


class Never(Model):
    """Nothing can ever be done, and all of it may rest on all the rest."""

    def step(self, state: State, op: Operation) -> Illegal:
        return ILLEGAL


def test_the_sentence_names_who_had_to_come_next_and_who_was_open_then() -> None:
    last = "has to take effect before it returns, but cannot"
    for others, listed in (
        ("", ""),
        ("b", ", and b, open at that moment, cannot make it possible"),
        ("bc", ", and b and c, open at that moment, cannot make it possible"),
        ("bcd", ", and b, c and d, open at that moment, cannot make it possible"),
    ):
        # a is called last of them, and returns first.
        open_now = [at(f, None, n, 20 + n) for n, f in enumerate(others)]
        verdict = check(history([*open_now, at("a", None, 8, 9)]), model=Never())
        count = "this operation fits" if not others else f"these {len(others) + 1} operations have"
        a = next(op for op in verdict.witness if op.f == "a")
        assert verdict.reason == (
            f"{count} no order: at best nothing can come first; the state is nil; then {a} {last}{listed}"
        )


# ---- how small


class Strict(CasRegister):
    """One that takes its contract at its word; zones do not judge it."""

    def step(self, state: State, op: Operation) -> State | Illegal:
        return super().step(state, op)

    def rests_on(self, op: Operation, other: Operation) -> bool:
        assert not self.observes(other)
        return super().rests_on(op, other)


def test_a_model_is_never_asked_what_rests_on_an_observer() -> None:
    told = set()
    for seed in range(30):
        random = Random(f"strict-{seed}")
        small = generate.history(random, generate.shape(random, "cas-register"))
        told.add(check(small, model=Strict()).outcome)
        assert check(small, model=Strict()).outcome == check(small, model="cas-register").outcome
    assert len(told) >= 2


def test_what_an_unanswered_operation_rests_on_matters_only_to_who_came_back_later() -> None:
    # The release came first and nobody knows; what the lock did after the refusal cannot explain it.
    verdict = check(
        history([
            at("release", None, 0, None), at("acquire", None, 1, 2, result=False),
            at("acquire", None, 3, 8), at("acquire", None, 4, 9), at("release", None, 5, 6),
        ]), model="mutex",
    )  # fmt: skip
    assert calls(verdict) == ["release", "acquire refused"]


def test_minimising_that_ran_out_of_steps_or_questions_says_so() -> None:
    # Every add may matter to the read.
    wide = history([*(at("add", 1, 0, 9) for _ in range(12)), at("read", 13, 1, 2)])
    assert check(wide, model="counter").details["minimal"] is True
    for budget in ({"_STEPS": 1}, {"_PAIRS": 1}):
        with set_to(**budget):
            verdict = check(wide, model="counter")
        assert verdict.details["minimal"] is False
        assert len(verdict.witness) == 13


def test_a_witness_does_not_rest_on_what_only_a_later_write_explains() -> None:
    # The read of 1 comes back last: by then 5 had been written, which the lost cas replaced.
    calls_ = [
        at("cas", [5, 1], 0, None), at("read", 1, 1, 30), *(at(f, v, 2 * n + 2, 2 * n + 3) for n, (f, v) in enumerate(
            [("write", 2), ("write", 2), ("write", 3), ("read", 2), ("write", 5)]
        )),
    ]  # fmt: skip
    assert calls(check(history(calls_))) == ["write 2", "write 2", "write 3", "read -> 2"]


def test_a_witness_is_found_among_many_that_have_an_order() -> None:
    late = [at("write", 10 + n, 5 + n, 40 + n) for n in range(8)]
    verdict = check(history([*row(("write", 1), ("write", 1)), at("read", None, 4, 30), *late]))
    assert calls(verdict) == ["write 1", "read -> nil"]


def test_a_register_that_was_searched_is_told_in_the_words_of_zones() -> None:
    verdict = check(history([*row(("write", 1), ("write", 1), ("read", 7)), at("write", 7, 8, 9)]))
    assert verdict.details["method"] == "search"
    assert verdict.reason.endswith("saw 7, which nobody had written")
    assert calls(verdict) == ["read -> 7"]
