"""What the consistency checkers say: verdicts that people can verify, honest unknowns, budgets, and real logs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from benchmarks.consistency import replicated_log
from checkers import BadHistory, History, check, sequential
from checkers.lattice import EDGES, graph, models, strongest
from tests.consistency import generate, oracle
from tests.consistency.diagrams import drawn
from tests.consistency.subjects import SUBJECTS

ROOT = Path(__file__).resolve().parents[2]
ETCD = sorted((ROOT.parent / "shared" / "histories" / "etcd-jepsen").glob("*.log"))


def _only(history: History, kept: set[int]) -> History:
    return history.filter(lambda op: op.index in kept)


STORE_BUFFER = "a: [x=1]  [y?-]\nb: [y=1]  [x?-]"
IRIW = "a: [x=1]\nb: [y=1]\nc:         [x?1]  [y?-]\nd:         [y?1]  [x?-]"
ROLLBACK = "a: [x=1]  [x=2]\nb:               [x?2]  [x?1]"


# ---- one order


@pytest.mark.parametrize("model", ["sequential", "osc(u)"])
@pytest.mark.parametrize("picture", [STORE_BUFFER, IRIW, ROLLBACK])
def test_what_no_order_explains_is_refused(picture: str, model: str) -> None:
    verdict = check(drawn(picture), model, model="kv")
    assert verdict.outcome == "invalid"
    assert len(verdict.witness) >= 3


def test_keys_that_are_fine_one_by_one_may_have_no_order_together() -> None:
    history = drawn(STORE_BUFFER)
    assert not check(history, "sequential")
    assert all(check(history.filter(key=key), "sequential") for key in ("x", "y"))


@pytest.mark.skipif(not ETCD, reason="the shared histories are not here")
@pytest.mark.parametrize("failed_cas", ["dropped", "observed"])
def test_every_etcd_log_is_decided(failed_cas: Any) -> None:
    for path in ETCD:
        history = History.load(path, failed_cas=failed_cas)
        for model in ("sequential", "osc(u)"):
            assert check(history, model, model="cas-register", steps=200_000).outcome != "unknown", path.name


@pytest.mark.skipif(not ETCD, reason="the shared histories are not here")
def test_an_etcd_log_with_an_impossible_read_is_refused() -> None:
    refused = 0
    for path in ETCD[:20]:
        events = [
            {name: getattr(event, name) for name in ("type", "process", "f", "value")} for event in History.load(path)
        ]
        reads = [
            event for event in events if event["type"] == "ok" and event["f"] == "read" and event["value"] is not None
        ]
        if not reads:
            continue
        # The last read goes back to nil, which its session cannot see after any value.
        again = next(
            (event for event in reads[::-1] if any(e["process"] == event["process"] for e in reads if e is not event)),
            None,
        )
        if again is None or again is next(e for e in reads if e["process"] == again["process"]):
            continue
        again["value"] = None
        refused += not check(History.from_events(events), "sequential", model="cas-register", steps=200_000)
    assert refused >= 5


@pytest.mark.parametrize("name", ["sequential", "osc(u)"])
def test_a_minimal_witness_is_refused_and_loses_that_with_any_operation(name: str) -> None:
    minimal = 0
    truth = {"sequential": oracle.sequential, "osc(u)": oracle.osc_u}[name]
    for number in range(150):
        history = SUBJECTS[f"{name} of cas-register"].generate(Random(f"witness/{number}"))
        verdict = check(history, name, model="cas-register")
        if verdict.outcome != "invalid":
            continue
        kept = {op.index for op in verdict.witness}
        assert not truth(_only(history, kept), "cas-register")
        if verdict.details.get("minimal"):
            minimal += 1
            for gone in kept:
                rest = _only(history, kept - {gone})
                # Dropping a write may leave a read of a value that nobody wrote: that is its dependant.
                if check(rest, name, model="cas-register").outcome == "invalid":
                    dropped = next(op for op in verdict.witness if op.index == gone)
                    assert dropped.f != "read"
    assert minimal >= 15


@pytest.mark.parametrize("name", ["sequential", "osc(u)"])
def test_the_witness_of_forced_orders_is_minimal_and_its_reasons_are_about_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any operation, and the reads of its value, there is an order."""
    from checkers import sequential

    monkeypatch.setattr(sequential, "_FORCED", 0)
    truth = {"sequential": oracle.sequential, "osc(u)": oracle.osc_u}[name]
    sizes = []
    for number in range(400):
        history = generate.wild(Random(f"forced witness/{number}"), 9, 3, 2, old=0.6, info=0.15)
        verdict = check(history, name, model="kv")
        if verdict.outcome != "invalid" or verdict.details["method"] != "forced":
            continue
        kept = {op.index for op in verdict.witness}
        sizes.append(len(kept))
        assert verdict.details["minimal"]
        assert not truth(_only(history, kept), "kv"), verdict
        for gone in verdict.witness:
            rests = {
                op.index for op in verdict.witness if op.f == "read" and (op.key, op.value) == (gone.key, gone.value)
            }
            rest = kept - {gone.index} - (rests if gone.f == "write" else set())
            assert truth(_only(history, rest), "kv"), (verdict, gone)
        for event in re.findall(r"\(event (\d+)\)", verdict.reason):
            assert int(event) in kept, verdict
    assert len(sizes) > 100
    assert max(sizes) > 4


def test_a_long_refutation_keeps_only_what_it_needs() -> None:
    """Forced orders may lead far around; what is shown is a handful all the same."""
    for nth in range(3):
        verdict = check(replicated_log(Random(nth), 1_500, swapped=True), "sequential", model="kv")
        assert (verdict.outcome, verdict.details["method"]) == ("invalid", "forced")
        assert verdict.details["minimal"]
        assert len(verdict.witness) <= 6, "two writes, and two sessions that read them in opposite orders"


def test_a_cas_from_a_value_to_itself_is_no_update_whose_real_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 0 lags: its cas fits the first put of 1 only, although 2 had been put before it began."""
    calls: list[tuple[int, str, Any]] = [(1, "put", 1), (1, "put", 2), (0, "cas", [1, 1]), (0, "get", 1)]
    history = History.from_events([(kind, who, f, value) for who, f, value in calls for kind in ("invoke", "ok")])
    for forced in (0, 1 << 30):
        monkeypatch.setattr(sequential, "_FORCED", forced)
        assert check(history, "osc(u)", model="kv")


@pytest.mark.parametrize("name", models())
def test_a_delete_that_found_nothing_has_seen_what_an_unanswered_delete_did(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequential, "_FORCED", 0)
    common = {"process": 0, "session": "a", "key": "x"}
    history = History.from_events([
        {**common, "type": "invoke", "f": "put", "value": 1}, {**common, "type": "ok", "f": "put", "value": 1},
        {**common, "type": "invoke", "f": "delete"}, {**common, "type": "info", "f": "delete"},
        {**common, "type": "invoke", "f": "delete", "process": 1},
        {**common, "type": "ok", "f": "delete", "process": 1, "result": False},
    ])  # fmt: skip
    assert check(history, name, model="kv").outcome != "invalid"


# ---- causal and sessions


@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "pram"])
def test_the_operations_of_a_bad_pattern_break_the_model_by_themselves(name: str) -> None:
    truth = {"cc": oracle.cc, "ccv": oracle.ccv, "cm": oracle.cm, "pram": oracle.pram}[name]
    seen = 0
    for number in range(300):
        history = SUBJECTS[name].generate(Random(f"pattern/{number}"))
        verdict = check(history, name, model="kv")
        if verdict.outcome == "invalid":
            kept = {op.index for op in verdict.witness}
            assert not truth(_only(history, kept)), str(verdict)
            seen += 1
            for op in verdict.witness:
                if verdict.details["pattern"] != "ThinAirRead" and op.f == "read":
                    assert f"(event {op.index})" in verdict.reason
    assert seen > 50


@pytest.mark.parametrize("name", ["read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"])
def test_a_handful_of_operations_breaks_a_session_guarantee_by_themselves(name: str) -> None:
    seen = 0
    for number in range(150):
        history = SUBJECTS[name].generate(Random(f"guarantee/{number}"))
        verdict = check(history, name, model="kv")
        if verdict.outcome == "invalid":
            kept = {op.index for op in verdict.witness}
            assert len(kept) <= 8
            assert not oracle.guarantee(_only(history, kept), name)
            seen += 1
    assert seen > 25


def test_a_violation_is_told_with_a_reason_for_every_step() -> None:
    verdict = check(drawn("a: [x=1]\nb:         [x?1]  [y=1]\nc:                        [y?1]  [x?-]"), "cc")
    assert verdict.reason == (
        'WriteCOInitRead: read "x" -> nil (event 8) returned the initial value, '
        'but write "x" 1 (event 0) comes before it; '
        'read "x" -> 1 (event 2) read what write "x" 1 (event 0) wrote; '
        'write "y" 1 (event 4) follows read "x" -> 1 (event 2) in session "b"; '
        'read "y" -> 1 (event 6) read what write "y" 1 (event 4) wrote; '
        'read "x" -> nil (event 8) follows read "y" -> 1 (event 6) in session "c"'
    )


def _told(lines: list[tuple[str, str, str, Any, str]]) -> History:
    """One operation after another: session, name, key, value, "ok", "info" or "refused"."""
    events: list[dict[str, Any]] = []
    for number, (session, f, key, value, kind) in enumerate(lines):
        common = {"process": number, "session": session, "f": f, "key": key}
        events.append({**common, "type": "invoke", "value": None if f == "read" else value})
        result = {} if f != "cas" or kind == "info" else {"result": kind == "ok"}
        events.append({**common, "type": "info" if kind == "info" else "ok", "value": value, **result})
    return History.from_events(events)


BETWEEN = [
    ("b", "write", "x", 1, "ok"), ("c", "read", "x", 1, "ok"), ("c", "write", "x", 5, "ok"),
    ("c", "write", "y", 1, "ok"), ("a", "cas", "x", [1, 2], "ok"), ("a", "read", "y", 1, "ok"),
    ("a", "read", "x", 2, "ok"),
]  # fmt: skip


def test_nothing_comes_between_what_a_cas_saw_and_what_it_wrote() -> None:
    """Session a knows of x = 5 when it reads its own 2 again, so 5 came before its cas; but that saw the older 1."""
    history = _told(BETWEEN)
    for name, truth in (("cm", oracle.cm), ("pram", oracle.pram), ("ccv", oracle.ccv), ("cc", oracle.cc)):
        assert check(history, name, model="kv").outcome == ("valid" if truth(history) else "invalid")
    assert strongest(history, "kv").strongest == ("ccv", "pram")
    one = _told([("c", "write", "x", 1, "ok"), *BETWEEN[2:]])
    assert not oracle.pram(one)
    assert check(one, "pram", model="kv").outcome == "invalid", "the same where one session wrote both"
    verdict = check(history, "cm", model="kv")
    assert 'write "x" 5 (event 4) comes before cas "x" 1 -> 2 (event 8)' in verdict.reason
    apart = _told([*BETWEEN[:4], ("a", "read", "x", 1, "ok"), ("a", "write", "x", 2, "ok"), *BETWEEN[5:]])
    assert check(apart, "cm", model="kv"), "a read and a write of its own let the 5 pass between them"


@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "pram"])
@pytest.mark.parametrize("kind", ["refused", "info"])
def test_a_cas_that_is_not_known_in_full_is_unknown_unless_the_rest_is_a_violation(name: str, kind: str) -> None:
    fine = [
        ("a", "write", "x", 1, "ok"),
        ("b", "cas", "x", [1, 2], kind),
        ("c", "read", "x", 1 + (kind == "info"), "ok"),
    ]
    verdict = check(_told(fine), name, model="kv")
    assert verdict.outcome == "unknown"
    assert 'cas "x" 1 -> 2' in verdict.reason
    wrong = [*fine, ("a", "write", "y", 1, "ok"), ("a", "read", "y", None, "ok")]
    assert check(_told(wrong), name, model="kv").outcome == "invalid"


@pytest.mark.parametrize("name", ["cc", "ccv", "cm", "pram"])
def test_what_is_not_known_of_a_cas_never_makes_a_violation(name: str) -> None:
    """An unanswered one may be an unanswered write; a refused one may not have been asked."""
    tally = Counter[str]()
    truth = {"cc": oracle.cc, "ccv": oracle.ccv, "cm": oracle.cm, "pram": oracle.pram}[name]
    for number in range(300):
        history = generate.wild(Random(f"partly/{number}"), 7, 3, 2, old=0.2, info=0.4, reads=0.4, cas=0.6)
        given_up = [op for op in history.operations() if op.type == "info" and op.f == "cas"]
        at = {index for op in given_up for index in (op.index, op.return_index)}
        lesser = History.from_events(
            msgspec.structs.replace(event, f="write", value=event.value[1]) if event.index in at else event
            for event in history.events()
        )
        outcome = check(history, name, model="kv").outcome
        tally[outcome] += 1
        assert truth(lesser) == (outcome != "invalid"), list(history)
    assert min(tally["valid"], tally["invalid"], tally["unknown"]) > 10, tally


def test_what_is_not_a_read_or_a_write_is_unknown_and_named() -> None:
    queue = History.from_events([("invoke", 0, "enqueue", 1), ("ok", 0, "enqueue", 1)])
    for name in ("cc", "ccv", "cm", "pram", "read-your-writes"):
        assert check(queue, name).outcome == "unknown"
    assert "the model queue is more than reads and writes" in check(queue, "cm").reason


def test_a_value_with_two_writers_is_unknown_unless_the_rest_is_a_violation() -> None:
    twice = "a: [x=1]  [x=1]  [x?1]"
    assert check(drawn(twice), "cc").outcome == "unknown"
    assert "2 writers" in check(drawn(twice), "monotonic-reads").reason
    assert check(drawn(twice + "  [y=1]  [y?-]"), "cc").outcome == "invalid"


def test_an_unanswered_write_follows_its_session_and_precedes_nothing() -> None:
    events: list[dict[str, Any]] = [
        {"type": "invoke", "process": 0, "session": "a", "f": "write", "key": "x", "value": 1},
        {"type": "info", "process": 0, "session": "a", "f": "write", "key": "x", "value": 1},
        {"type": "invoke", "process": 1, "session": "a", "f": "read", "key": "x", "value": None},
        {"type": "ok", "process": 1, "session": "a", "f": "read", "key": "x", "value": None},
        {"type": "invoke", "process": 2, "session": "b", "f": "read", "key": "x", "value": None},
        {"type": "ok", "process": 2, "session": "b", "f": "read", "key": "x", "value": 1},
    ]
    standing = strongest(History.from_events(events), "kv")
    assert standing.strongest == ("linearizable",)


def test_a_session_that_does_two_things_at_once_is_refused() -> None:
    events: list[dict[str, Any]] = [
        {"type": kind, "process": process, "session": "a", "f": "write", "key": "x", "value": process}
        for kind in ("invoke", "ok")
        for process in (0, 1)
    ]
    for name in ("sequential", "cm", "monotonic-reads"):
        with pytest.raises(BadHistory, match=r'session "a" has another operation open'):
            check(History.from_events(events), name)


# ---- models apart


def test_the_smallest_t_is_exact_to_the_nanosecond() -> None:
    history = drawn("a: [x=1]\nb:         [x=2]\nc:                 [x?1]")
    verdict = check(history, "bounded-staleness")
    # x=2 is answered in column 15, the read is called in column 19.
    assert verdict.details["t"] == 4_000_000
    assert verdict.details["k"] == [2, 2]
    assert check(history, "weak", t="4ms")
    assert check(history, "weak", t="3.999999ms").outcome == "invalid"
    assert "4 ms" in check(history, "weak", t=3_999_999).reason
    assert check(history, "weak", k=2)
    assert not check(history, "weak", k=1)


@pytest.mark.parametrize("wrong", ["fifty", "50", -1, "1h", True])
def test_a_t_that_is_no_stretch_of_time_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="stretch of time"):
        check(drawn("a: [x=1]"), "bounded-staleness", t=wrong)


def test_a_parameter_that_a_model_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="sequential has no parameter 't'"):
        check(drawn("a: [x=1]"), "sequential", t="50ms")


def test_a_read_of_the_future_is_never_fresh_enough() -> None:
    verdict = check(drawn("a: [x?1]\nb:         [x=1]"), "bounded-staleness")
    assert verdict.outcome == "invalid"
    assert verdict.details["t"] is None


def test_a_cas_from_a_value_to_itself_is_as_old_as_a_read() -> None:
    calls: list[tuple[int, str, Any]] = [(0, "put", 1), (0, "put", 2), (1, "cas", [1, 1])]
    events = [(kind, *call) for call in calls for kind in ("invoke", "ok")]
    fields = ("type", "process", "f", "value")
    rows = [{**dict(zip(fields, event, strict=True)), "time": 10 * n} for n, event in enumerate(events)]
    # The second put is answered at 30, the cas is called at 40.
    assert (
        check(
            History.from_events(
                [
                    *rows,
                    {"type": "invoke", "process": 2, "f": "get", "time": 60},
                    {"type": "ok", "process": 2, "f": "get", "value": 2, "time": 70},
                ]
            ),
            "bounded-staleness",
        ).details["t"]
        == 10
    )


def test_without_times_only_k_is_judged() -> None:
    events = [("invoke", 0, "write", 1), ("ok", 0, "write", 1), ("invoke", 0, "read", None), ("ok", 0, "read", None)]
    history = History.from_events(events)
    assert check(history, "bounded-staleness").details == {"model": "register", "operations": 2, "t": None, "k": [2, 2]}
    assert check(history, "bounded-staleness", t="1s").outcome == "unknown"
    assert check(history, "bounded-staleness", k=2)


def _ended(updates: list[tuple[str, Any, str]], *finals: Any, f: str = "read") -> History:
    events: list[dict[str, Any]] = []
    for number, (name, value, kind) in enumerate(updates):
        for type_ in ("invoke", kind):
            events.append({"type": type_, "process": number, "f": name, "value": value, "time": len(events)})
    for number, value in enumerate(finals):
        common = {"process": f"f{number}", "f": f, "final": True, "node": f"n{number}"}
        events.append({**common, "type": "invoke", "value": None, "time": len(events)})
        events.append({**common, "type": "ok", "value": value, "time": len(events)})
    return History.from_events(events)


def test_replicas_may_agree_on_a_value_that_lost_a_write() -> None:
    history = _ended([("write", 1, "ok"), ("write", 2, "ok")], 1, 1)
    assert check(history, "eventual", model="register")
    verdict = check(history, "no-lost-writes", model="register")
    assert verdict.outcome == "invalid"
    assert "write 2" in verdict.reason


def test_replicas_may_disagree_and_have_lost_nothing() -> None:
    events: list[dict[str, Any]] = [
        {"type": kind, "process": process, "f": "write", "value": process}
        for kind in ("invoke", "ok")
        for process in (1, 2)
    ]
    for node, value in (("n1", 1), ("n2", 2)):
        for kind in ("invoke", "ok"):
            events.append({"type": kind, "process": node, "f": "read", "value": value, "final": True, "node": node})
    history = History.from_events(events)
    assert check(history, "no-lost-writes", model="register")
    assert "disagree" in check(history, "eventual", model="register").reason


def test_without_a_quiescent_point_or_a_replica_nothing_is_known() -> None:
    open_end = _ended([("write", 1, "ok")])
    assert "no quiescent point" in check(open_end, "eventual", model="register").reason
    asked = {"index": 9, "type": "invoke", "process": 9, "f": "read", "value": None}
    answer = {"index": 10, "type": "ok", "process": 9, "f": "read", "value": 1, "node": "n7"}
    events = [*_ended([("write", 1, "ok")], 1), asked, answer]
    verdict = check(History.from_events(events), "eventual", model="register")
    assert (verdict.outcome, verdict.reason) == ("unknown", "replica n7 answered no final read")


def test_the_figures_of_set_full() -> None:
    updates = [("add", n, "ok") for n in range(1, 6)] + [("add", 6, "info"), ("remove", 5, "ok")]
    events: list[Any] = list(_ended(updates[:2]))
    clock = len(events)
    # 2 is known and absent from a read, but there in the end: stale for as long as from its answer to that read.
    for kind, value in (("invoke", None), ("ok", [1, 1])):
        events.append({"index": clock, "time": clock + 100, "type": kind, "process": 50, "f": "read", "value": value})
        clock += 1
    for event in _ended(updates[2:], [1, 2, 3, 5], [1, 2, 3, 5]):
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        process = event.process + 60 if isinstance(event.process, int) else event.process
        events.append({**fields, "index": event.index + clock, "time": event.time + 200, "process": process})
    verdict = check(History.from_events(events), "no-lost-writes", model="set")
    assert verdict.outcome == "invalid"
    figures = {
        name: verdict.details[name]
        for name in ("lost", "never-read", "stale", "worst-stale", "resurrected", "duplicated")
    }
    assert figures == {
        "lost": [4],
        "never-read": [4, 6],
        "stale": [2],
        "worst-stale": 104 - 3,
        "resurrected": [5],
        "duplicated": [1],
    }


def test_how_long_it_took_to_converge() -> None:
    events: list[dict[str, Any]] = [
        {"type": "invoke", "process": 0, "f": "write", "value": 7, "time": 0},
        {"type": "ok", "process": 0, "f": "write", "value": 7, "time": 0},
        {"type": "invoke", "process": 0, "f": "write", "value": 1, "time": 0},
        {"type": "ok", "process": 0, "f": "write", "value": 1, "time": 10, "node": "n1"},
        {"type": "invoke", "process": 1, "f": "read", "value": None, "time": 20},
        {"type": "ok", "process": 1, "f": "read", "value": None, "time": 35, "node": "n2"},
    ]
    for node in ("n1", "n2"):
        for kind in ("invoke", "ok"):
            events.append(
                {"type": kind, "process": node, "f": "read", "value": 1, "final": True, "node": node, "time": 50}
            )
    assert check(History.from_events(events), "eventual", model="register").details["converged"] == {"": 25}


# ---- budgets, size, the lattice


def test_an_exhausted_budget_is_unknown_and_reproducible() -> None:
    history = replicated_log(Random(5), 400)
    verdict = check(history, "sequential", model="kv", steps=10)
    assert (verdict.outcome, verdict.reproducible, verdict.details["steps"]) == ("unknown", True, 10)
    late = check(history, "sequential", model="kv", timeout=0.0)
    assert (late.outcome, late.reproducible) == ("unknown", False)


@pytest.mark.parametrize("seed", range(2))
def test_a_replicated_log_with_lag_is_ordered_by_its_updates(seed: int) -> None:
    history = replicated_log(Random(seed), 1_000)
    standing = strongest(history, "kv")
    assert standing.strongest == ("osc(u)",)
    assert all(standing.apart.values())


def test_one_altered_read_and_swapped_replicas_are_found() -> None:
    assert not check(replicated_log(Random(1), 1_500, altered=True), "sequential", model="kv")
    standing = strongest(replicated_log(Random(1), 1_500, swapped=True), "kv")
    assert {"sequential", "ccv"} <= set(standing.fails)
    assert {"cm", "cc"} <= set(standing.holds)


def test_the_forced_orders_and_the_search_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        random = Random(f"forced/{number}")
        history = generate.wild(random, 10, 3, 2, old=0.5, info=0.1)
        for name in ("sequential", "osc(u)"):
            monkeypatch.setattr(sequential, "_FORCED", 0)
            forced = check(history, name, model="kv")
            monkeypatch.setattr(sequential, "_FORCED", 1 << 30)
            assert forced.outcome == check(history, name, model="kv").outcome


def test_known_verdicts_are_not_reached_again() -> None:
    history = drawn(STORE_BUFFER)
    known = {"linearizable": check(history, "linearizable"), "cm": check(history, "cm")}
    standing = strongest(history, "kv", known=known)
    assert standing.verdicts["cm"] is known["cm"]
    assert {"cc", "pram"} <= set(standing.because)


def test_the_lattice_can_be_drawn() -> None:
    drawn_graph = graph()
    assert set(drawn_graph.edges) == set(EDGES)
    assert set(models()) <= set(drawn_graph.nodes)


def test_the_checkers_work_alone_without_networkx_and_numba(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "checkers", tmp_path / "checkers", ignore=shutil.ignore_patterns("__pycache__"))
    program = """
import sys
sys.modules["networkx"] = sys.modules["numba"] = None
from checkers import History
from checkers.lattice import strongest
lines = []
for n in range(700):
    f, value = ("write", n) if n % 2 else ("read", n - 1 if n else None)
    lines += [{"type": t, "process": n % 3, "f": f, "key": "x", "value": value} for t in ("invoke", "ok")]
print(*strongest(History.from_events(lines)).strongest)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("linearizable", "")
