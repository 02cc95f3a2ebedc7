"""Paxos and Multi-Paxos keep what they promise under every shipped fault, and cost what their papers say."""

from __future__ import annotations

import pytest

from bench.node import Answer, CancelTimer, Command, NodeId, Outbox, RequirementBroken
from bench.parts.ballot import ballot_above, highest
from bench.parts.chosen import Chosen
from bench.parts.machine import MachineState
from bench.protocols.multipaxos import (
    ELECTION,
    HEARTBEAT,
    Accept,
    Heartbeat,
    Learn,
    LeaseMultiPaxos,
    MultiPaxos,
    Nack,
    Parameters,
    Prepare,
    Promise,
    PValue,
    Role,
    State,
)
from checkers import Outcome
from tests.bench.runs import REGISTRY, ROOT, run, run_shipped, with_protocol
from tests.bench.sansio import Packet
from tests.protocols.paxos_story import multipaxos, packet

SHIPPED = ("bad-network", "bridge", "partition-leader", "pause-leader", "restart-everybody", "steady", "trimmed-log")
MS = 1_000_000


@pytest.mark.parametrize(
    ("name", "column"),
    [
        *((name, "multipaxos/log") for name in SHIPPED),
        *((name, "paxos/log") for name in SHIPPED if name != "trimmed-log"),
    ],
)
def test_a_shipped_scenario_ends_as_promised(name: str, column: str) -> None:
    seen = run_shipped(name, column)
    assert seen.result.status == "as expected", seen.result.notes
    assert {each.name for each in seen.result.judged if each.expected == "valid"} >= {
        "linearizable", "agreement", "validity", "leadership", "prefix-consistency", "exactly-once", "requirements",
        "progress",
    }  # fmt: skip


@pytest.mark.parametrize("column", ["multipaxos/log", "paxos/log"])
@pytest.mark.parametrize("nodes", [3, 5])
def test_random_faults_break_no_promise(column: str, nodes: int) -> None:
    for seed in range(3):
        seen = run_shipped("random-faults", column, seed, (f"cluster.nodes={nodes}",))
        assert seen.result.status == "as expected", (seed, seen.result.notes)


def test_a_leader_does_not_stand_against_itself_in_a_run_that_said_so() -> None:
    """A candidate was paused: its promises came before its alarm, and writes before the alarm's cancelling."""
    seen = run_shipped("random-faults", "multipaxos/log", 1937, ("cluster.nodes=3",))
    assert seen.result.status == "as expected", seen.result.notes


@pytest.mark.parametrize("node", [MultiPaxos, LeaseMultiPaxos])
def test_an_alarm_that_rings_before_it_is_cancelled_means_nothing_to_a_leader(node: type[MultiPaxos]) -> None:
    """The effects of a handler wait for its writes, and whatever rings meanwhile rings."""
    cluster = multipaxos(node=node)
    cluster.now = 200_000
    cluster.ring("n1", ELECTION)
    cluster.deliver(packet(cluster, Prepare, "n1", "n2"))
    effects = cluster.delivering(packet(cluster, Promise, "n2", "n1"))
    assert CancelTimer(ELECTION) in effects
    assert cluster.ring("n1", ELECTION) == []
    leader = cluster.nodes["n1"]
    assert isinstance(leader, MultiPaxos)
    assert leader.role is Role.LEADER


def test_a_follower_that_has_led_minds_no_alarm_of_that_time() -> None:
    cluster = multipaxos()
    cluster.ring("n1", ELECTION)
    cluster.drain()
    cluster.wire = [Packet("n2", "n1", Prepare(10, 1))]
    assert CancelTimer(HEARTBEAT) in cluster.delivering(cluster.wire[0])
    assert cluster.ring("n1", HEARTBEAT) == []


def test_a_late_copy_of_an_operation_does_not_cost_a_client_the_answer_to_its_next() -> None:
    cluster = multipaxos()
    cluster.ring("n1", ELECTION)
    cluster.drain()
    copy = cluster.ask("c1", 1, Command("write", "x", 1), "n1")
    cluster.deliver(cluster.ask("c1", 2, Command("write", "x", 2), "n1"))
    cluster.deliver(copy)
    cluster.drain()
    assert [p.message for p in cluster.answers] == [Answer(2, 2)]


def latencies(column: str, fsync: int) -> set[int]:
    """Every latency, in nanoseconds, that a client alone sees of its writes; links take 10 ms."""
    recording = run(
        f"""
        duration = "6s"
        protocols = ["{column}"]
        [cluster]
        nodes = 3
        latency = "10ms"
        fsync = "{fsync}ms"
        [workload]
        kind = "kv"
        clients = 1
        mix = {{ write = 1 }}
        """,
        column,
    ).recording
    operations = [op for op in recording.history.operations() if op.time > 2_000 * MS and not op.final]
    assert len(operations) > 40
    return {op.return_time - op.time for op in operations if op.return_time is not None}


def test_a_leaders_command_costs_one_round_trip_and_a_sync_at_each_end() -> None:
    """The leader syncs what it has accepted, 5 ms, and asks, 10 ms; a follower syncs, 5 ms, and answers, 10 ms."""
    assert latencies("multipaxos/log", 0) == {20 * MS}
    assert latencies("multipaxos/log", 5) == {30 * MS}


def test_a_command_without_a_leader_costs_both_phases() -> None:
    """Phase 1 syncs a promise at each end and phase 2 a vote, each with a round trip: twice a leader's command.

    The chosen value is written without waiting for it: an operation that comes within that sync waits for the rest.
    """
    assert latencies("paxos/log", 0) == {40 * MS}
    assert latencies("paxos/log", 5) == {60 * MS}


def test_ballots_of_different_proposers_are_disjoint_and_grow() -> None:
    for members in range(1, 6):
        used = {index: [ballot_above(seen, index, members) for seen in range(60)] for index in range(members)}
        assert all(ballot > seen for ballots in used.values() for seen, ballot in enumerate(ballots))
        assert sum(len(set(ballots)) for ballots in used.values()) == len(set().union(*used.values()))


def test_the_highest_ballot_wins_and_no_vote_is_none() -> None:
    votes = [PValue(1, ballot, None) for ballot in (4, 9, 3)]
    assert highest(votes) == votes[1]
    assert highest([]) is None


def test_a_second_value_for_a_slot_is_a_finding_on_either_side_of_a_gap() -> None:
    chosen: Chosen[str] = Chosen()
    chosen.learn(1, "a")
    chosen.learn(3, "c")
    assert list(chosen.in_order()) == [(1, "a")]
    for slot in (1, 3):
        with pytest.raises(RequirementBroken, match="no two values"):
            chosen.learn(slot, "b")
    chosen.learn(2, "b")
    assert list(chosen.in_order()) == [(2, "b"), (3, "c")]
    assert chosen.since(2) == ("b", "c")


def test_what_is_trimmed_is_chosen_whether_it_was_known_before_or_not() -> None:
    chosen: Chosen[str] = Chosen()
    for slot, value in ((1, "a"), (2, "b"), (5, "e"), (8, "h")):
        chosen.learn(slot, value)
    assert list(chosen.in_order()) == [(1, "a"), (2, "b")]
    chosen.trim(1)
    assert (chosen.trimmed, chosen.watermark, chosen.since(2)) == (1, 2, ("b",))
    with pytest.raises(RequirementBroken, match="no two values"):
        chosen.learn(2, "x")
    chosen.trim(6)  # the state came from elsewhere
    assert (chosen.trimmed, chosen.watermark, chosen.since(7)) == (6, 6, ())
    assert [chosen.knows(slot) for slot in (5, 6, 7, 8)] == [True, True, False, True]
    chosen.learn(7, "g")
    assert list(chosen.in_order()) == [(7, "g"), (8, "h")]


def test_an_old_state_does_not_turn_back_what_was_executed_since() -> None:
    cluster = multipaxos(snapshot_every=1)
    cluster.ring("n1", "election")
    cluster.drain()
    for sequence in (1, 2):
        cluster.ask("c1", sequence, Command("write", "x", sequence), "n1")
        cluster.drain()
    cluster.ring("n1", "heartbeat")
    cluster.drain()
    before = cluster.nodes["n2"].copy()
    assert isinstance(before, MultiPaxos)
    assert before.chosen.trimmed == 2
    cluster.wire = [Packet("n1", "n2", State(slot, MachineState())) for slot in (1, 2)]
    cluster.drain()
    assert cluster.nodes["n2"] == before


def test_an_acceptor_refuses_what_it_has_promised_not_to_take_though_it_has_trimmed_and_restarted() -> None:
    """n3 has promised nothing but by accepting, and first nothing but what it has trimmed tells of that."""
    cluster = multipaxos(snapshot_every=1)
    cluster.wire = [Packet("n1", "n3", Accept(3, 1, (None,), 1)), Packet("n1", "n3", Heartbeat(3, 1))]
    cluster.drain()
    cluster.start("n3")
    cluster.wire = [Packet("n2", "n3", Prepare(2, 1))]
    cluster.deliver(cluster.wire[0])
    assert [packet.message for packet in cluster.wire] == [Nack(2, 3)]
    cluster.wire = [
        Packet("n1", "n3", Accept(6, 1, (None,), 1))
    ]  # a new leader, who does not know that slot 1 is chosen
    cluster.drain(lambda packet: packet.to == "n3")
    cluster.start("n3")
    cluster.wire = [Packet("n2", "n3", Prepare(5, 1))]
    cluster.deliver(cluster.wire[0])
    assert [packet.message for packet in cluster.wire] == [Nack(5, 6)]


class SessionlessMultiPaxos(MultiPaxos):
    """Sends the store, and not the sessions."""

    def _on_learn(self, learner: NodeId, m: Learn, out: Outbox) -> None:
        if m.first <= self.chosen.trimmed:
            out.send(learner, State(self.chosen.watermark, MachineState(self.machine.state().values)))
        else:
            super()._on_learn(learner, m, out)


def test_replicas_that_end_up_in_different_states_do_not_agree() -> None:
    parent = REGISTRY.protocols["multipaxos"]
    registry = with_protocol("own", parent.mutant("multipaxos/log", SessionlessMultiPaxos, "as the test says"))
    text = (ROOT / "scenarios" / "trimmed-log.toml").read_text(encoding="utf-8")
    text = text.replace('"multipaxos/log", "multipaxos/lease"', '"own"').replace("protocol.multipaxos", "protocol.own")
    seen = run(text, "own", registry=registry)
    verdict = next(each.verdict for each in seen.result.judged if each.name == "agreement")
    assert verdict.outcome is Outcome.INVALID
    assert "is in state" in verdict.reason


def test_what_is_asked_again_goes_in_runs_and_only_to_those_who_have_not_accepted() -> None:
    """A run ends at a slot that was accepted, and at the size of a message."""
    ids: tuple[NodeId, ...] = ("n1", "n2", "n3")
    node = MultiPaxos("n1", ids, Parameters(slots_max=2))
    node.overdue = 7
    node.proposals = dict.fromkeys(range(1, 9))
    node.acceptors = {slot: {"n1"} | ({"n2"} if slot == 4 else set()) for slot in range(1, 9)}
    assert node._unanswered("n2") == [(1, (None, None)), (3, (None,)), (5, (None, None))]
    assert node._unanswered("n3") == [(1, (None, None)), (3, (None, None)), (5, (None, None))]
