"""Sets, counters and decisions: what clients ask for, what the replicated machine answers, and what judges it."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby

import msgspec
import pytest

from bench.draws import below, stream
from bench.node import Command, Value
from bench.parts.keyvalue import KeyValue
from checkers import History, check
from checkers.history import Event
from tests.bench.runs import REGISTRY, Run, run

SCENARIO = """
duration = "6s"
heal = "3s"
protocols = ["raft"]
[cluster]
nodes = 3
[workload]
kind = "KIND"
clients = 4
readers = 3
keys = 5
[[faults]]
kind = "crash"
at = "1s"
node = "leader"
for = "500ms"
"""
LOGS = ("multipaxos/log", "paxos/log", "raft/log", "zab/log")
KINDS = ("set", "counter", "consensus")


def conduct(kind: str, column: str = "raft/log", *overrides: str, seed: int = 0) -> Run:
    return run(SCENARIO.replace("KIND", kind), column, seed=seed, overrides=overrides)


@pytest.mark.parametrize("column", LOGS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_replicated_log_serves_every_workload(kind: str, column: str) -> None:
    seen = conduct(kind, column, "expect.no-lost-writes=valid")
    assert seen.result.status == "as expected", seen.result.notes
    assert {"linearizable", "no-lost-writes"} <= {each.name for each in seen.result.judged}
    assert min(seen.recording.counters[name] for name in ("reads", "writes")) > 100
    finals = [op for op in seen.recording.history.operations() if op.final]
    readers = 3 if column == "paxos/log" else 1
    assert Counter(op.key for op in finals) == dict.fromkeys((f"k{i}" for i in range(5)), readers)


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_that_are_read_one_by_one_agree_in_the_end(kind: str) -> None:
    seen = conduct(kind, "primary_backup/sync", "expect.eventual=valid", "expect.no-lost-writes=valid")
    verdicts = {each.name: each.verdict for each in seen.result.judged}
    assert verdicts["eventual"].details["replicas"] == 3
    assert seen.result.status == "as expected", seen.result.notes


def test_no_element_is_added_twice_and_every_key_has_its_share() -> None:
    operations = conduct("set").recording.plan.operations
    added = [op.value for op in operations if op.f == "add"]
    assert sorted(map(str, added)) == sorted(map(str, range(1, len(added) + 1)))
    assert min(Counter(op.key for op in operations).values()) > len(operations) // 10


def test_a_counter_goes_up_and_down_by_drawn_steps() -> None:
    operations = conduct("counter", "raft/log", "workload.step-max=3").recording.plan.operations
    steps = {f: {op.value for op in operations if op.f == f} for f in ("increment", "decrement")}
    assert steps == {"increment": {1, 2, 3}, "decrement": {1, 2, 3}}


def test_proposals_race_for_one_key_after_another() -> None:
    seen = conduct("consensus", "raft/log", "workload.calls=6")
    asked = [op for op in seen.recording.plan.operations if op.session is None or op.session.startswith("c")]
    turns = [(key, len(list(turn))) for key, turn in groupby(op.key for op in asked)]
    assert turns[:7] == [(f"k{i % 5}", 6) for i in range(7)]
    racing: dict[object, set[object]] = defaultdict(set)
    for op in seen.recording.history.operations():
        if op.f == "propose" and op.type == "ok":
            racing[op.key].add(op.session)
    assert all(len(sessions) > 1 for sessions in racing.values())


@pytest.mark.parametrize("kind", ["kv", *KINDS])
def test_the_machine_does_what_the_model_says(kind: str) -> None:
    """Whatever is asked of it one after the other, the model takes every answer for the right one."""
    store, random, events = KeyValue(), stream(0, "machine", kind), list[Event]()
    functions = sorted(REGISTRY.workloads[kind]().operations)
    for number in range(300):
        f, key = functions[below(len(functions), random)], f"k{below(3, random)}"
        pair = (below(4, random), below(4, random))
        asked: Value = None if f == "read" else pair if f == "cas" else pair[0]
        answer = store.apply(number, Command(f, key, asked), position=7)
        assert (answer.sequence, answer.position) == (number, 7)
        for type, value, result in (("invoke", asked, None), ("ok", answer.value, answer.result)):
            line = {"index": len(events), "process": 1, "f": f, "key": key}
            events.append(msgspec.convert({**line, "type": type, "value": value, "result": result}, Event))
    assert {event.f for event in events} == set(functions)
    assert check(History.from_events(events), "linearizable", model=kind)


def test_a_key_is_not_two_things_at_once() -> None:
    store = KeyValue()
    store.apply(1, Command("write", "x", 5))
    with pytest.raises(AssertionError, match="no set"):
        store.apply(2, Command("add", "x", 1))
    with pytest.raises(ValueError, match="knows no 'pop'"):
        store.apply(3, Command("pop", "x"))


@pytest.mark.parametrize("kind", ["set", "counter"])
def test_a_thousand_updates_of_one_key_are_judged_in_few_steps(kind: str) -> None:
    """Clients that are cut off leave operations that may take effect at any later time, or never."""
    seen = conduct(
        kind,
        "raft/log",
        "duration=12s",
        "workload.keys=1",
        "workload.clients=8",
        "workload.mix=" + ("{ add = 3, read = 1 }" if kind == "set" else "{ increment = 3, read = 1 }"),
        'faults=[{ kind = "loss", at = "1s", link = "all - clients", rate = 0.2 }]',
    )
    linearizable = next(each.verdict for each in seen.result.judged if each.name == "linearizable")
    assert seen.recording.counters["writes"] > 1000
    assert seen.recording.counters["info"] > 5
    assert linearizable
    assert linearizable.details["steps"] < 100_000


def test_one_session_that_reads_at_the_end_reads_the_system() -> None:
    """But of several, each speaks of its replica, and one that nobody has read may have lost something."""

    def ended(*readers: tuple[str, str]) -> History:
        events = [("c1", "n3", "add", 1, False), *((who, node, "read", [1], True) for who, node in readers)]
        return History.from_events(
            {"type": kind, "process": who, "f": f, "value": value, "final": final}
            | ({"node": node} if kind == "ok" else {})
            for who, node, f, value, final in events
            for kind in ("invoke", "ok")
        )

    assert check(ended(("f1", "n1")), "no-lost-writes", model="set")
    assert check(ended(("f1", "n1"), ("f2", "n3")), "no-lost-writes", model="set")
    verdict = check(ended(("f1", "n1"), ("f2", "n2")), "no-lost-writes", model="set")
    assert (verdict.outcome, verdict.reason) == ("unknown", "replica n3 answered no final read")
    assert check(ended(("f1", "n1")), "eventual", model="set").outcome == "unknown"


def test_a_decision_that_was_told_is_the_last_word() -> None:
    def ended(*finals: object) -> History:
        events = [("c1", "n1", "propose", 5, 5, False), ("c2", "n2", "propose", 6, 5, False)]
        events += [(f"f{i}", f"n{i}", "read", value, None, True) for i, value in enumerate(finals, 1)]  # type: ignore[misc]
        return History.from_events(
            {"type": kind, "process": who, "f": f, "value": value, "final": final}
            | ({"node": node, "result": result} if kind == "ok" else {})
            for who, node, f, value, result, final in events
            for kind in ("invoke", "ok")
        )

    for model in ("no-lost-writes", "eventual"):
        assert check(ended(5, 5), model, model="consensus")
    lost = check(ended(6, 6), "no-lost-writes", model="consensus")
    assert "propose 5 -> 5" in lost.reason
    assert "replica n1 ended with 6" in lost.reason
    assert check(ended(5, 6), "eventual", model="consensus").reason.startswith("replicas disagree")
    assert check(ended(7, 7), "eventual", model="consensus").reason.startswith("7 was never written")


def test_replicas_that_hold_different_sets_are_told_by_what_they_lack() -> None:
    """However many elements they have in common."""
    common = list(range(100, 200))
    events = [("c1", "n1", "add", element) for element in (1, 2, *common)]
    finals = [("f1", "n1", "read", [*common, 1]), ("f2", "n2", "read", [*common, 2])]
    history = History.from_events(
        {"type": kind, "process": who, "f": f, "key": "x", "value": value, "final": f == "read", "node": node}
        for who, node, f, value in [*events, *finals]
        for kind in ("invoke", "ok")
    )
    eventual = check(history, "eventual", model="set")
    assert eventual.details["key"] == "x"
    assert eventual.reason == (
        'replicas disagree on key "x": n2 returned no 1, as n1 did; n1 returned no 2, as n2 did (events 205, 207)'
    )
    lost = check(history, "no-lost-writes", model="set")
    assert 'replica n1 ended without 2; 2 elements are lost: "x" 1, "x" 2' in lost.reason
    assert str(lost.witness[-1]).startswith('read "x" -> [100,101,102,…,195,196,197,198,199,1] (101 elements)')
