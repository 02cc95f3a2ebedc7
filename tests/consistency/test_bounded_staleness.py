"""Bounded staleness in detail: units, bounds, what cannot be judged, and witnesses that are as stale by themselves."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest

from checkers import History, Operation, check
from tests.consistency import generate, oracle
from tests.consistency.subjects import SUBJECTS

NAME = "bounded-staleness"


def timed(calls: list[Any], *, step: int = 1, untimed: bool = False) -> History:
    """Calls as (f, value) or (f, value, fields), one after the other, each taking a step; type "open" never ends."""
    events: list[dict[str, Any]] = []
    for number, (f, value, *more) in enumerate(calls):
        fields = {"process": number, "f": f, **(more[0] if more else {})}
        kind, result = fields.pop("type", "ok"), fields.pop("result", None)
        for type_, told in (("invoke", None if f in ("read", "get") else value), (kind, value)):
            if type_ != "open":
                answer = {} if type_ == "invoke" else {"result": result}
                events.append({**fields, "type": type_, "value": told, "time": len(events) * step, **answer})
    return History.from_events([{**event, "time": -1} for event in events] if untimed else events)


BEHIND = [("write", 1), ("write", 2), ("read", 1)]
FAR_BEHIND = [("write", 1), ("write", 2), ("write", 3), ("read", 1)]


# ---- t


@pytest.mark.parametrize(
    ("t", "told"),
    [
        (0, "0 ns"), ("0s", "0 ns"), ("1ns", "1 ns"), (999, "999 ns"), ("1us", "1 us"), ("1µs", "1 us"),
        ("1.5us", "1.5 us"), ("1.0001 us", "1.001 us"), (1_000_000, "1 ms"), ("20.5ms", "20.5 ms"), ("1s", "1 s"),
        (" 0.25m ", "15 s"), ("2.000001s", "2.000001 s"),
    ],
)  # fmt: skip
def test_a_stretch_of_time_is_read_and_told_in_any_unit(t: Any, told: str) -> None:
    verdict = check(timed(BEHIND, step=10**11), NAME, t=t)
    assert verdict.outcome == "invalid"
    assert verdict.reason.startswith(f"the smallest t is 100 s, k is 2, but t is {told}; with less, ")


def test_the_smallest_t_is_itself_enough() -> None:
    assert check(timed(BEHIND, step=10**6), NAME, t="1ms").outcome == "valid"
    assert check(timed([("write", 1), ("read", 1)]), NAME, t=0, k=1).outcome == "valid"


def test_at_one_instant_what_was_over_before_is_stale_by_a_nanosecond() -> None:
    assert check(timed(BEHIND, step=0), NAME).details["t"] == 1
    assert check(timed([("write", 1), ("read", None)], step=0), NAME).details["t"] == 1


def test_times_that_go_back_or_are_not_all_known_are_none() -> None:
    good = list(timed(BEHIND, step=10))
    for place, time in ((3, 5), (0, -1)):
        events = [msgspec.structs.replace(e, time=time) if n == place else e for n, e in enumerate(good)]
        verdict = check(History.from_events(events), NAME)
        assert (verdict.outcome, verdict.details["t"], verdict.details["k"]) == ("valid", None, [2, 2])
        assert verdict.reason.startswith("k is 2; there are no times; with less, ")


# ---- k


@pytest.mark.parametrize(
    ("k", "outcome"), [(1, "invalid"), ("1", "invalid"), (2, "valid"), (" 2 ", "valid"), (9, "valid")]
)
def test_a_number_of_versions_may_be_a_word(k: Any, outcome: str) -> None:
    assert check(timed(BEHIND), NAME, k=k).outcome == outcome


@pytest.mark.parametrize("wrong", [0, "0", -1, "-1", True, "two", "", "1.5", "9" * 10])
def test_a_k_that_counts_no_versions_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="k counts versions: it must be a whole number of at least 1, not "):
        check(timed(BEHIND), NAME, k=wrong)


def test_between_its_bounds_k_is_not_decided() -> None:
    """The second write may come before or after the first; the order of invocation has it after."""
    calls: list[dict[str, Any]] = [
        {"process": 0, "f": "write", "value": 1, "call": 0, "return": 5},
        {"process": 1, "f": "write", "value": 2, "call": 1, "return": 6},
        {"process": 0, "f": "write", "value": 3, "call": 10, "return": 11},
        {"process": 0, "f": "write", "value": 4, "call": 12, "return": 13},
        {"process": 1, "f": "read", "value": 1, "call": 20, "return": 21},
    ]
    history = History.from_operations(calls)
    assert check(history, NAME).details["k"] == [3, 4]
    verdict = check(history, NAME, k=2)
    assert verdict.outcome == "invalid"
    assert verdict.reason.startswith("the smallest t is 9 ns, k is 3 to 4, but 2 was allowed; with less, ")
    verdict = check(history, NAME, k=3)
    assert (verdict.outcome, verdict.reason) == (
        "unknown", "the smallest t is 9 ns, k is 3 to 4, so 3 is not decided",
    )  # fmt: skip
    assert check(history, NAME, k=4).outcome == "valid"


def test_of_two_reads_at_once_the_later_call_may_come_first() -> None:
    """The read of 4 has begun before that of 1, which need not follow it, nor the write of 4, which goes on."""
    calls: list[dict[str, Any]] = [
        {"process": n, "f": "write", "value": n, "call": 10 * n, "return": 200 if n == 4 else 10 * n + 5}
        for n in (1, 2, 3, 4)
    ]
    calls.append({"process": 5, "f": "read", "value": 4, "call": 50, "return": 90})
    calls.append({"process": 6, "f": "read", "value": 1, "call": 60, "return": 70})
    assert check(History.from_operations(calls), NAME).details["k"] == [3, 3]
    calls[-1] |= {"call": 95, "return": 99}
    assert check(History.from_operations(calls), NAME).details["k"] == [3, 4]


def test_where_a_key_is_more_than_read_and_written_k_has_no_upper_bound() -> None:
    history = timed([*FAR_BEHIND, ("write", 4, {"key": "x"}), ("cas", [4, 5], {"key": "x", "result": True})])
    verdict = check(history, NAME, k=9)
    assert (verdict.outcome, verdict.details["k"]) == ("unknown", [3, None])
    assert verdict.reason.endswith("k is 3 or more, so 9 is not decided")
    assert check(history, NAME, k=2).outcome == "invalid"


def test_bounds_are_those_of_the_versions_in_between_and_of_the_order_of_invocation() -> None:
    tally = Counter[str]()
    for number in range(120):
        random = Random(f"bounds/{number}")
        history = _written_again(random, _possible(generate.wild(
            random, random.randint(10, 30), random.choice((3, 5, 7)), random.choice((1, 2, 2)),
            old=random.choice((0.4, 0.6, 0.9)), info=random.choice((0.0, 0.2)),
        )))  # fmt: skip
        low, high = oracle.k_bounds(history)
        if _impossible(history):
            assert check(history, NAME, model="kv").outcome == "invalid"
        elif low > 2:
            assert check(history, NAME, model="kv").details["k"] == [low, high], list(history)
            tally["open" if high is None else "exact" if low == high else "apart"] += 1
    assert min(tally["open"], tally["exact"], tally["apart"]) >= 8, tally


def _possible(history: History) -> History:
    """What was read before it was written was nil."""
    wrong = {op.return_index for op in _impossible(history)}
    return History.from_events(
        msgspec.structs.replace(event, value=None) if event.index in wrong else event for event in history.events()
    )


def _written_again(random: Random, history: History) -> History:
    """Now and then a value is written again, or what was there at first; or a write that nobody read is refused."""
    writes = [op for op in history.operations() if op.f == "write"]
    seen = {op.value for op in history.operations() if op.f == "read"}
    how = random.choice(("", "again", "again", "again unread", "first", "refused"))
    if how in ("again unread", "refused"):
        writes = [op for op in writes if op.value not in seen]
    if not how or not writes:
        return history
    one = random.choice(writes)
    other = random.choice([op for op in writes if op.key == one.key])
    fields = {"result": False} if how == "refused" else {"value": None if how == "first" else other.value}
    return History.from_events(
        msgspec.structs.replace(event, **fields) if event.value == one.value else event for event in history.events()
    )


def _impossible(history: History) -> list[Operation]:
    """The reads of what nobody wrote, or wrote only after they were over."""
    ops = oracle.done(history)
    return [
        read
        for read in ops
        if read.f == "read" and read.value is not None
        if all(
            oracle.real_time_before(read, op) or (op.type == "ok" and op.result is False)
            for op in ops
            if op.f == "write" and (op.key, op.value) == (read.key, read.value)
        )
    ]


# ---- what cannot be judged


@pytest.mark.parametrize("untimed", [False, True])
@pytest.mark.parametrize("calls", [[("read", 1), ("write", 1)], [("write", 1), ("read", 7)]])
def test_for_what_nobody_had_written_yet_no_t_and_no_k_is_enough(calls: list[Any], untimed: bool) -> None:
    verdict = check(timed(calls, untimed=untimed), NAME)
    assert verdict.outcome == "invalid"
    assert verdict.reason.startswith("no t is enough: read -> ")
    assert (verdict.details["t"], verdict.details["k"]) == (None, [2, None])
    assert [op.value for op in verdict.witness if op.f == "read"] == [op[1] for op in calls if op[0] == "read"]


def test_without_times_too_many_versions_are_a_violation_whatever_t_is() -> None:
    history = timed(FAR_BEHIND, untimed=True)
    assert check(history, NAME, t="1s", k=2).outcome == "invalid"
    verdict = check(history, NAME, t="1s", k=3)
    assert (verdict.outcome, verdict.reason) == ("unknown", "the history has no times, so no t can be judged")


def test_where_nothing_was_read_there_is_nothing_to_judge() -> None:
    unseen: list[list[Any]] = [
        [("write", 1), ("cas", [7, 2], {"result": False})],
        [("write", 1), ("cas", [7, 7])],
        [("write", 1), ("read", None, {"type": "info"})],
    ]
    for calls in unseen:
        verdict = check(timed(calls), NAME, model="kv")
        assert (verdict.outcome, verdict.reason) == ("unknown", "nothing was read: there is nothing to judge")
    assert check(timed([("get", None)]), NAME, model="kv").outcome == "valid"


TWICE = [("write", 1), ("write", 1), ("write", 2), ("read", 1)]


def test_a_search_that_is_cut_short_claims_nothing() -> None:
    twice = [(f, value, {"key": "x"}) for f, value in TWICE]
    verdict = check(timed(twice), NAME, model="kv", steps=0)
    assert (verdict.outcome, verdict.reproducible) == ("unknown", True)
    assert verdict.reason == 'undecided after 0 steps on key "x"'
    assert (verdict.details["t"], verdict.details["k"]) == (None, [1, None])
    late = check(timed(twice), NAME, model="kv", timeout=0.0)
    assert (late.outcome, late.reproducible, late.reason) == ("unknown", False, "time is up (0 s)")
    assert check(timed(twice), NAME, model="kv").details["t"] == 1
    assert check(timed(twice), NAME, model="kv").details["k"] == [2, 2]


def test_a_search_for_k_that_is_cut_short_leaves_its_bounds() -> None:
    """Two writes and two reads at once: the order of invocation needs three versions, another order two."""
    calls: list[dict[str, Any]] = [
        {"process": 0, "f": "write", "value": 1, "call": 0, "return": 9},
        {"process": 1, "f": "write", "value": 2, "call": 1, "return": 8},
        {"process": 0, "f": "write", "value": 3, "call": 10, "return": 11},
        {"process": 0, "f": "read", "value": 1, "call": 20, "return": 21},
    ]
    history = History.from_operations(calls)
    assert check(history, NAME).details["k"] == [2, 2]
    assert check(history, NAME, steps=0).details["k"] == [2, 3]
    assert check(history, NAME, k=2, steps=0).outcome == "unknown"
    assert check(history, NAME, k=3, steps=0).outcome == "valid"


# ---- what counts as a read, and as a write


def test_a_write_of_a_pair_is_no_cas_and_a_list_of_any_length_may_be_written() -> None:
    for value in ([], [1], [1, 1], [1, 1, 1]):
        assert check(timed([("put", value), ("get", value)]), NAME, model="kv").details["t"] == 0
        early = timed([("get", value), ("put", value)])
        assert check(early, NAME, model="kv").reason.startswith("no t is enough"), "a put cannot have begun earlier"


def test_an_unanswered_write_may_have_happened_whatever_answer_it_carries() -> None:
    """Its own line says no; but nobody was told so."""
    for told in (False, True):
        lost = ("write", 1, {"type": "info", "result": told, "key": "x"})
        calls = [lost, ("write", 2, {"key": "x"}), ("read", 1, {"key": "x"})]
        verdict = check(timed(calls), NAME, model="kv")
        assert (verdict.details["t"], verdict.details["k"]) == (0, [1, 1])
        calls = [("write", 0, {"key": "x"}), ("read", 0, {"key": "x"}), lost, *calls[1:], ("read", 2, {"key": "x"})]
        calls += [("read", 1, {"key": "x"})]
        verdict = check(timed(calls), NAME, model="kv")
        assert (verdict.details["t"], verdict.details["k"]) == (1, [2, 2])
        verdict = check(timed([*calls, ("cas", [2, 3], {"result": True, "key": "x"})]), NAME, model="kv")
        assert (verdict.details["t"], verdict.details["k"]) == (5, [2, 2]), "2 was the last, so the 1 was before it"


@pytest.mark.parametrize(
    ("call", "k"),
    [
        (("cas", [2, 2], {"result": True}), 2), (("cas", [9, 5], {"result": False}), 2),
        (("cas", [1, 5], {"result": False}), 2), (("cas", [None, 5], {"result": True}), None),
        (("delete", None, {"result": False}), 3), (("delete", None, {"result": True}), 2),
        (("cas", [3, 4], {"result": True}), 2), (("cas", [9, 9], {"result": True}), None),
    ],
)  # fmt: skip
def test_an_answer_may_speak_of_any_of_the_last_versions_but_a_change_is_made_to_the_last(call: Any, k: Any) -> None:
    """After 2 and 3, of which the former was read last."""
    history = timed([("put", 2), ("put", 3), ("get", 2), call])
    verdict = check(history, NAME, model="kv")
    assert k == oracle.smallest_k(history)
    assert verdict.outcome == ("invalid" if k is None else "valid")
    assert verdict.details["k"] == ([2, None] if k is None else [k, k if k == 2 else None])


def test_where_every_line_says_yes_an_unanswered_write_was_not_refused() -> None:
    events = [
        {"type": kind, "process": n, "f": f, "value": value, "result": True, "time": 2 * n + (kind != "invoke")}
        for n, (f, value, end) in enumerate([("put", 1, "info"), ("get", 1, "ok"), ("put", 2, "ok"), ("get", 1, "ok")])
        for kind in ("invoke", end)
    ]
    verdict = check(History.from_events(events), NAME, model="kv")
    assert (verdict.details["t"], verdict.details["k"]) == (1, [2, 2])
    first = History.from_events([*events[2:4], *events[:2]])
    early = [msgspec.structs.replace(event, index=n, time=n) for n, event in enumerate(first)]
    assert check(History.from_events(early), NAME, model="kv").details["t"] is None, "nobody can have read it before"


# ---- witnesses


def _only(history: History, witness: Any) -> History:
    kept = {op.index for op in witness}
    return history.filter(lambda op: op.index in kept)


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name.startswith(f"{NAME}") and name.endswith(" t")])
def test_what_is_shown_is_as_stale_by_itself(name: str) -> None:
    """Where no search was needed, whose dead end is no proof by itself."""
    seen = 0
    for number in range(150):
        history = SUBJECTS[name].generate(Random(f"stale/{number}"))
        verdict = check(history, NAME, model="kv", t=0)
        assert bool(verdict.witness) == (verdict.outcome == "invalid")
        if verdict.outcome != "invalid" or "none of these fits" in verdict.reason:
            continue
        assert oracle.smallest_t(_only(history, verdict.witness)) == verdict.details["t"]
        seen += 1
    assert seen >= 15
