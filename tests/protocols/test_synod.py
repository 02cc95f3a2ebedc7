"""The synod decides once for every key, whoever crashes, and a reader does not say nil of what may be decided."""

from __future__ import annotations

from itertools import product

import pytest

from bench.node import Answer, Command, NodeId
from bench.protocols.synod import Accept, Accepted, Prepare, Promise, Synod, slot
from checkers import agreement
from tests.bench.runs import run, run_shipped
from tests.bench.sansio import Cluster, cuts
from tests.protocols.paxos_story import Story, synod

MS = 1_000_000
READ = Command("read", "x")


def propose(value: int) -> Command:
    return Command("propose", "x", value)


def answers(cluster: Cluster) -> list[tuple[NodeId, object]]:
    """Who was answered, and what it has learnt."""
    told = [(packet.to, packet.message) for packet in cluster.answers if isinstance(packet.message, Answer)]
    return [(client, m.value if m.result is None else m.result) for client, m in told]


@pytest.mark.parametrize("nodes", [1, 2, 3, 5])
def test_random_faults_break_no_promise(nodes: int) -> None:
    for seed in range(3):
        overrides = (f"cluster.nodes={nodes}", "workload.kind=consensus", "workload.keys=40")
        seen = run_shipped("random-faults", "synod/register", seed, overrides)
        assert seen.result.status == "as expected", (seed, seen.result.notes)
        assert {"linearizable", "agreement", "leadership", "requirements", "progress"} <= {
            each.name for each in seen.result.judged
        }


def test_a_decision_costs_both_phases_once_and_is_told_from_memory_ever_after() -> None:
    """Each phase takes a sync at both ends and a round trip; the client is told what is on disk."""
    recording = run(
        """
        duration = "4s"
        protocols = ["synod"]
        [cluster]
        nodes = 3
        latency = "10ms"
        fsync = "5ms"
        [workload]
        kind = "consensus"
        clients = 1
        mix = { propose = 1 }
        calls = 2
        """,
        "synod/register",
    ).recording
    taken = [op.return_time - op.time for op in recording.history.operations() if op.return_time and not op.final]
    assert len(taken) > 20
    assert set(taken[::2]) == {65 * MS}
    assert set(taken[1::2]) == {0}


def test_what_another_workload_asks_for_is_refused_before_the_run() -> None:
    from bench.run import Unfit

    with pytest.raises(Unfit, match="synod knows no cas, write: it serves propose, read"):
        run_shipped("steady", "synod/register")


def test_no_two_keys_are_one_slot() -> None:
    keys = [f"k{i}" for i in range(1000)]
    assert len({slot(key) for key in keys}) == len(keys)


def test_who_asks_while_a_majority_promises_is_not_told_nil_by_it() -> None:
    """A value can be chosen between the first promise and the last: nil was true before, and is not any more."""
    story = Story("", synod())
    story.ask("c1", 1, READ, "n1")
    story.lose(Prepare, "n1", "n2")
    story.deliver(Prepare, "n1", "n3")
    story.ask("c2", 1, propose(5), "n2")
    story.lose(Prepare, "n2", "n1")
    story.deliver(Prepare, "n2", "n3")
    story.deliver(Promise, "n3", "n2")
    story.lose(Accept, "n2", "n1")
    story.deliver(Accept, "n2", "n3")
    story.deliver(Accepted, "n3", "n2")
    assert answers(story.cluster) == [("c2", 5)]  # chosen, after n3 has promised to n1
    story.ask("c3", 1, READ, "n1")
    story.deliver(Promise, "n3", "n1")
    assert answers(story.cluster)[1:] == [("c1", None)]
    story.settle()
    assert answers(story.cluster)[2:] == [("c3", 5)]


def crashes(node: type[Synod]) -> list[Cluster]:
    """A crash after any effect of any handler while n1 and n2 propose; then all ask, at first without one of them.

    What is under way then arrives, or does not.
    """
    cluster = synod(node)
    cluster.ask("c1", 1, propose(1), "n1")
    cluster.ask("c2", 1, propose(2), "n2")
    outcomes = []
    while cluster.wire:
        packet = cluster.wire[0]
        if isinstance(packet.message, Accept) and packet.to == "n3":  # so that no more than a majority votes
            del cluster.wire[0]
            continue
        for cut in cuts(cluster.fork().delivering(packet)):
            crashed = cluster.fork()
            crashed.delivering(packet)
            crashed.crash(packet.to, cut)
            for absent, lost in product(cluster.ids, (False, True)):
                twin = crashed.fork()
                if lost:
                    twin.wire.clear()
                for id in twin.ids:
                    if id != absent:
                        ask_late(twin, id, absent)
                ask_late(twin, absent, None)
                outcomes.append(twin)
        cluster.deliver(packet)
    return outcomes


def ask_late(cluster: Cluster, id: NodeId, absent: NodeId | None) -> None:
    cluster.ask(f"late {id}", 1, READ, id)
    for _ in range(8):  # whoever has met a higher ballot tries again
        cluster.drain(lambda packet: absent not in (packet.sender, packet.to))
        if "x" in cluster.timers[id]:
            cluster.ring(id, "x")
    cluster.drain(lambda packet: absent not in (packet.sender, packet.to))


class Amnesiac(Synod):
    """Forgets its votes in a crash."""

    def _recall(self, record: object) -> None:
        if type(record).__name__ == "Pledge":
            super()._recall(record)  # type: ignore[arg-type]


def is_one_decision(cluster: Cluster) -> bool:
    """Nobody has learnt another value than the others, or nil after somebody has learnt one."""
    values = [value for _, value in answers(cluster)]
    while values and values[0] is None:
        del values[0]
    return len(set(values)) <= 1 and agreement.check(cluster.observations).outcome != "invalid"


def test_a_crash_after_any_effect_leaves_one_decision() -> None:
    outcomes = crashes(Synod)
    assert len(outcomes) > 100
    for twin in outcomes:
        assert sum(client.startswith("late") for client, _ in answers(twin)) == 3
        assert is_one_decision(twin), answers(twin)
    assert {value for twin in outcomes for _, value in answers(twin)} >= {None, 2}


def test_the_same_crashes_convict_acceptors_that_forget() -> None:
    assert not all(is_one_decision(twin) for twin in crashes(Amnesiac))


def test_a_reader_finishes_what_a_dead_proposer_began() -> None:
    story = Story("A reader meets a vote, and completes what may be decided (§2.2)", synod())
    story.say("n1 proposes, n2 accepts, and nobody hears of it. n1 is gone.")
    story.ask("c1", 1, propose(1), "n1")
    story.lose(Prepare, "n1", "n3")
    story.deliver(Prepare, "n1", "n2")
    story.deliver(Promise, "n2", "n1")
    story.lose(Accept, "n1", "n3")
    story.deliver(Accept, "n1", "n2")
    story.lose(Accepted, "n2", "n1")
    story.say("Somebody reads at n3. The promise of n2 names its vote: 1 is chosen, for all that n3 can know.")
    story.ask("c3", 1, READ, "n3")
    story.lose(Prepare, "n3", "n1")
    story.deliver(Prepare, "n3", "n2")
    story.deliver(Promise, "n2", "n3")
    story.lose(Accept, "n3", "n1")
    story.say("So n3 has it accepted in its own ballot before it answers.")
    story.deliver(Accept, "n3", "n2")
    story.deliver(Accepted, "n2", "n3")
    story.settle()
    assert answers(story.cluster) == [("c3", 1), ("c1", 1)]
    story.check("synod-reader")
