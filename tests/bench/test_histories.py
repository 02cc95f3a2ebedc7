"""Every shipped scenario leaves a history that is well formed, whatever its faults did."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest

from bench.run import Recording
from bench.workload import WorkloadKind
from checkers.history import NEMESIS, Event
from tests.bench.runs import kept, record_shipped, run, run_shipped, shipped

SHIPPED = sorted(shipped())


def client_events(recording: Recording) -> list[Event]:
    return [event for event in recording.history.events() if event.process != NEMESIS]


def assert_well_formed(recording: Recording) -> None:
    events = list(recording.history.events())
    assert [event.index for event in events] == list(range(len(events)))
    assert all(one.time <= other.time for one, other in pairwise(events))
    opened: dict[object, Event] = {}
    gone: set[object] = set()
    lives: dict[object, list[object]] = defaultdict(list)
    written: dict[object, set[object]] = defaultdict(lambda: {None})
    workload = recording.plan.scenario.workload
    assert isinstance(workload, WorkloadKind)
    for event in client_events(recording):
        assert event.process not in gone, "a process went on after info"
        if event.type == "invoke":
            assert event.process not in opened, "one open operation per process"
            opened[event.process] = event
            if event.process not in lives[event.session]:
                lives[event.session].append(event.process)
            assert lives[event.session][-1] == event.process, "a session went back to an earlier process"
            if event.f == "cas":
                written[event.key].add(event.value[1])
            elif event.f != "read":
                written[event.key].add(event.value)
        else:
            asked = opened.pop(event.process)
            assert (asked.f, asked.key, asked.session, asked.final) == (event.f, event.key, event.session, event.final)
            if event.type == "info":
                gone.add(event.process)
            if event.type == "ok":
                assert event.node in {f"n{i}" for i in range(1, 100)}
                if event.f != "read":
                    assert event.value == asked.value
                elif workload.model == "set":
                    assert set(event.value or ()) <= written[event.key], "a read of what nobody has added"
                elif workload.model != "counter":
                    assert event.value in written[event.key], "a read of what nobody has written"
                assert (event.result is not None) == (event.f in ("cas", "propose"))
    assert not opened or recording.cut_short, "everything ends, if only as info"
    owners = [process for processes in lives.values() for process in processes]
    assert len(owners) == len(set(owners)), "a process belongs to one session"


def assert_as_planned(recording: Recording) -> None:
    plan = recording.plan
    workload = plan.scenario.workload
    assert isinstance(workload, WorkloadKind)
    nodes = tuple(f"n{i}" for i in range(1, plan.scenario.cluster.nodes + 1))
    pinned = {session.id: session.pinned for session in workload.sessions(nodes)}
    invoked = [event for event in client_events(recording) if event.type == "invoke" and not event.final]
    assert all(event.time < plan.scenario.duration * 1000 for event in invoked)
    arrivals = [(op.at * 1000, op.f, op.key, op.value) for op in plan.operations if op.at is not None]
    if arrivals and recording.cut_short is None:
        taken = [event for event in invoked if pinned.get(str(event.session)) is None]
        assert [(event.time, event.f, event.key, event.value) for event in taken] == arrivals
    for session, node in pinned.items():
        mine = [event for event in client_events(recording) if event.session == session]
        assert all(event.node in (node, None) for event in mine if node is not None)
        planned = [(op.f, op.key) for op in plan.operations if op.session == session]
        asked = [(event.f, event.key) for event in mine if event.type == "invoke"]
        if planned:
            assert asked == planned[: len(asked)]
            assert len(asked) < len(planned), "a closed loop must not run out of operations"


@pytest.mark.parametrize(("name", "column"), SHIPPED)
def test_the_history_of_every_shipped_scenario_is_well_formed_and_as_planned(name: str, column: str) -> None:
    recording = record_shipped(name, column, trace=False)
    assert_well_formed(recording)
    assert_as_planned(recording)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_so_are_those_of_random_faults(seed: int) -> None:
    seen = run_shipped("random-faults", "raft/log", seed)
    assert_well_formed(seen.recording)
    assert_as_planned(seen.recording)


def test_a_session_goes_on_under_another_process_when_nobody_knows() -> None:
    """Clients are cut off for two seconds: every session has an operation that ends as info, and goes on."""
    seen = run(
        """
        duration = "8s"
        heal = "4s"
        protocols = ["raft"]
        [cluster]
        nodes = 3
        [workload]
        kind = "kv"
        clients = 3
        [[faults]]
        kind = "partition"
        at = "1s"
        for = "2s"
        groups = [["clients"], ["all"]]
        """
    )
    assert_well_formed(seen.recording)
    by_session: dict[object, list[object]] = defaultdict(list)
    for event in client_events(seen.recording):
        if event.type == "invoke" and event.process not in by_session[event.session]:
            by_session[event.session].append(event.process)
    assert all(len(by_session[session]) >= 2 for session in ("c1", "c2", "c3"))
    infos = [event for event in client_events(seen.recording) if event.type == "info"]
    assert {event.error for event in infos} == {"timeout"}
    invoked = {event.process: event.time for event in client_events(seen.recording) if event.type == "invoke"}
    assert all(event.time - invoked[event.process] == 1_000_000_000 for event in infos)
    assert seen.result.status == "as expected"


def test_an_open_loop_opens_sessions_while_others_wait_up_to_its_most() -> None:
    seen = run(
        """
        duration = "6s"
        heal = "2s"
        protocols = ["raft"]
        [cluster]
        nodes = 3
        latency = "10ms"
        [workload]
        kind = "kv"
        clients = 2
        sessions-max = 6
        rate = "400/s"
        """
    )
    assert_well_formed(seen.recording)
    assert_as_planned(seen.recording)
    invoked = [event for event in client_events(seen.recording) if event.type == "invoke" and not event.final]
    assert {event.session for event in invoked} == {f"c{i}" for i in range(1, 7)} | {"shed"}
    assert seen.recording.counters["shed"] == sum(event.session == "shed" for event in invoked) > 0


def test_a_plan_is_drawn_before_the_run_and_the_run_moves_none_of_it() -> None:
    """The same operations arrive whatever the protocol answers and whatever breaks."""
    plans = [kept("partition-leader", column).recording.plan.operations for column in ("raft/log", "raft/leader-local")]
    assert plans[0] == plans[1]
    broken = run_shipped(
        "partition-leader", "raft/log", overrides=("duration=6s", "heal=5500ms", "faults=[]")
    ).recording
    assert broken.plan.operations[:100] == plans[0][:100]
