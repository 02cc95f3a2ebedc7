"""An invalid verdict explains itself: the sentence, the witness, the longest order."""

from __future__ import annotations

from random import Random

from checkers import History, Verdict, check
from tests.checkers import generate


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
    assert "saw 7, which nobody wrote" in verdict.reason
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
    assert "both replaced 1, which was written once, by write 1" in verdict.reason


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
