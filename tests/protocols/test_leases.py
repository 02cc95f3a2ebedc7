"""Leases of Multi-Paxos: what they save, when a leader has one, and that they break no promise."""

from __future__ import annotations

import pytest

from bench.node import Answer, Command, NodeId
from bench.protocols.multipaxos import (
    ELECTION,
    HEARTBEAT,
    PROTOCOL,
    Accept,
    Granted,
    Heartbeat,
    LeaseMultiPaxos,
    Nack,
    Parameters,
    Prepare,
    Promise,
    Renew,
    Role,
)
from scenarios.units import Duration, Probability
from tests.bench.runs import run, run_shipped
from tests.bench.sansio import Cluster, Packet
from tests.protocols.paxos_story import THREE, multipaxos, packet

MS = 1_000
SHIPPED = ("bad-network", "bridge", "partition-leader", "pause-leader", "restart-everybody", "steady", "trimmed-log")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_ends_as_promised(name: str) -> None:
    seen = run_shipped(name, "multipaxos/lease")
    assert seen.result.status == "as expected", seen.result.notes


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
def test_random_faults_break_no_promise_whatever_the_size_of_the_cluster(nodes: int) -> None:
    for seed in range(2):
        seen = run_shipped("random-faults", "multipaxos/lease", seed, (f"cluster.nodes={nodes}",))
        assert seen.result.status == "as expected", (seed, seen.result.notes)


def test_a_read_under_a_lease_asks_nobody() -> None:
    """Links take 10 ms, but a client is where its server is: a read takes no time at all, in all but the first."""
    recording = run(
        """
        duration = "4s"
        protocols = ["multipaxos/lease"]
        [cluster]
        nodes = 3
        latency = "10ms"
        fsync = "5ms"
        [workload]
        kind = "kv"
        clients = 1
        mix = { read = 1 }
        """,
        "multipaxos/lease",
    ).recording
    operations = [op for op in recording.history.operations() if op.time > 1_000_000_000 and not op.final]
    assert len(operations) > 100
    assert {(op.return_time or 0) - op.time for op in operations} == {0}


def leases(parameters: Parameters | None = None) -> Cluster:
    """Three servers, led by n1, which was elected at 200 ms; what it proposes and asks for is under way."""
    parameters = parameters or Parameters()
    cluster = Cluster(THREE, lambda id: LeaseMultiPaxos(id, THREE, parameters))
    cluster.now = 200 * MS
    cluster.ring("n1", "election")
    for other in ("n2", "n3"):
        cluster.deliver(packet(cluster, Prepare, "n1", other))
    for other in ("n2", "n3"):
        cluster.deliver(packet(cluster, Promise, other, "n1"))
    assert server(cluster, "n1").role is Role.LEADER
    return cluster


def server(cluster: Cluster, id: NodeId) -> LeaseMultiPaxos:
    node = cluster.nodes[id]
    assert isinstance(node, LeaseMultiPaxos)
    return node


def reads_from_memory(cluster: Cluster, id: NodeId = "n1") -> bool:
    """Whether this server, now, answers a read before it hears anything."""
    fork = cluster.fork()
    fork.deliver(fork.ask("c9", 1, Command("read", "x"), id))
    return any(answer.to == "c9" and isinstance(answer.message, Answer) for answer in fork.answers)


def test_a_leader_has_a_lease_when_a_majority_with_itself_has_granted_it() -> None:
    cluster = leases()
    assert not reads_from_memory(cluster)
    cluster.deliver(packet(cluster, Renew, "n1", "n2"))
    assert not reads_from_memory(cluster)
    cluster.deliver(packet(cluster, Granted, "n2", "n1"))
    assert reads_from_memory(cluster)
    assert not reads_from_memory(cluster, "n2")


@pytest.mark.parametrize("drift", [0, 10_000, 200_000])
def test_a_lease_ends_so_much_earlier_that_neither_clock_can_be_too_slow(drift: int) -> None:
    cluster = leases(Parameters(clock_drift=Probability(drift)))
    asked = cluster.now
    for other in ("n2", "n3"):
        cluster.now += 10 * MS
        cluster.deliver(packet(cluster, Renew, "n1", other))
        cluster.deliver(packet(cluster, Granted, other, "n1"))
    ends = asked + 150 * MS * (1_000_000 - drift) // (1_000_000 + drift)
    cluster.now = ends - 1
    assert reads_from_memory(cluster)
    cluster.now = ends
    assert not reads_from_memory(cluster)


def test_an_acknowledgement_is_worth_what_is_left_of_what_was_asked_for() -> None:
    cluster = leases()
    cluster.deliver(packet(cluster, Renew, "n1", "n2"))
    cluster.now += 200 * MS
    cluster.deliver(packet(cluster, Granted, "n2", "n1"))
    assert not reads_from_memory(cluster)


def test_a_leader_reads_nothing_before_it_has_executed_what_its_predecessor_may_have_acknowledged() -> None:
    cluster = leases()
    cluster.drain()
    cluster.deliver(cluster.ask("c1", 1, Command("write", "x", 1), "n1"))
    cluster.deliver(packet(cluster, Accept, "n1", "n2"))
    cluster.wire.clear()
    cluster.now += 300 * MS
    cluster.ring("n2", "election")
    cluster.wire = [p for p in cluster.wire if "n1" not in (p.sender, p.to)]
    cluster.deliver(packet(cluster, Prepare, "n2", "n3"))
    cluster.deliver(packet(cluster, Promise, "n3", "n2"))
    cluster.deliver(packet(cluster, Renew, "n2", "n3"))
    cluster.deliver(packet(cluster, Granted, "n3", "n2"))
    assert not reads_from_memory(cluster, "n2")
    cluster.drain()
    assert reads_from_memory(cluster, "n2")


@pytest.mark.parametrize("restarted", [False, True])
def test_nobody_is_promised_anything_while_a_lease_runs_even_if_it_is_forgotten(restarted: bool) -> None:
    cluster = leases()
    cluster.drain()
    granted = cluster.now
    cluster.now += 100 * MS
    if restarted:
        cluster.start("n2")
        granted = cluster.now
    for now, promised in ((granted + 150 * MS - 1, False), (granted + 150 * MS, True)):
        cluster.now = now
        fork = cluster.fork()
        server(fork, "n3").granted_until = 0
        fork.ring("n3", "election")
        fork.deliver(packet(fork, Prepare, "n3", "n2"))
        assert any(isinstance(p.message, Promise) for p in fork.wire) == promised


def test_whoever_has_the_lease_may_stand_again() -> None:
    """It leads no more, so it reads nothing under its lease; it need not wait for it."""
    cluster = leases()
    cluster.drain()
    cluster.start("n1")
    cluster.now += 150 * MS
    server(cluster, "n2").granted_until = server(cluster, "n3").granted_until = cluster.now + 100 * MS
    cluster.ring("n1", "election")
    cluster.drain()
    assert server(cluster, "n1").role is Role.LEADER


def elect(cluster: Cluster, candidate: NodeId, voter: NodeId) -> None:
    """One vote elects it, and what else it has sent before is lost; its first requests for leases are under way."""
    cluster.ring(candidate, ELECTION)
    cluster.deliver(packet(cluster, Prepare, candidate, voter))
    cluster.wire = [p for p in cluster.wire if isinstance(p.message, Promise)]
    cluster.deliver(packet(cluster, Promise, voter, candidate))
    assert server(cluster, candidate).role is Role.LEADER


def test_a_late_request_of_a_deposed_leader_does_not_take_the_place_of_its_successors_lease() -> None:
    """n2 has never promised n3's ballot but by granting it a lease; n1, whom it granted one before, stands again."""
    cluster = Cluster(THREE, lambda id: LeaseMultiPaxos(id, THREE, Parameters()))

    def at(milliseconds: int) -> None:
        cluster.now = milliseconds * MS

    at(160)
    elect(cluster, "n1", "n2")
    cluster.wire.clear()  # n3 hears nothing of it
    at(200)
    cluster.ring("n3", ELECTION)  # in vain
    cluster.wire.clear()
    at(212)
    cluster.ring("n1", HEARTBEAT)
    late = packet(cluster, Renew, "n1", "n2")
    cluster.deliver(packet(cluster, Heartbeat, "n1", "n3"))
    cluster.deliver(packet(cluster, Nack, "n3", "n1"))
    assert server(cluster, "n1").role is Role.FOLLOWER
    at(364)
    elect(cluster, "n3", "n1")
    cluster.deliver(packet(cluster, Renew, "n3", "n2"))
    cluster.deliver(packet(cluster, Granted, "n2", "n3"))
    assert reads_from_memory(cluster, "n3")
    cluster.wire = [late]  # and from now on nobody hears of n3
    cluster.deliver(late)
    cluster.wire.clear()
    at(508)
    cluster.ring("n1", ELECTION)
    cluster.deliver(packet(cluster, Prepare, "n1", "n2"))
    assert reads_from_memory(cluster, "n3")
    assert not any(isinstance(p.message, Promise) for p in cluster.wire)


def test_a_leader_that_grants_its_successor_a_lease_does_not_take_it_back() -> None:
    """The request for the lease is the first that n1 hears of n2, and an alarm that was due already still rings."""
    parameters = Parameters(lease=Duration(600 * MS))
    cluster = Cluster(THREE, lambda id: LeaseMultiPaxos(id, THREE, parameters))
    cluster.now = 700 * MS
    elect(cluster, "n1", "n3")
    cluster.wire.clear()
    elect(cluster, "n2", "n3")
    heartbeat = packet(cluster, Heartbeat, "n2", "n1")
    cluster.deliver(packet(cluster, Renew, "n2", "n1"))
    cluster.deliver(packet(cluster, Granted, "n1", "n2"))
    cluster.timers["n1"].add(HEARTBEAT)
    cluster.ring("n1", HEARTBEAT)
    cluster.deliver(heartbeat)
    cluster.wire.clear()
    assert server(cluster, "n1").role is Role.FOLLOWER
    cluster.now += 200 * MS
    cluster.ring("n1", ELECTION)
    assert reads_from_memory(cluster, "n2")
    assert not any(isinstance(p.message, Prepare) for p in cluster.wire)


def test_what_went_with_a_grant_is_remembered_when_the_grant_is_not() -> None:
    """A restarted acceptor grants leases in the ballot of the grant that it has forgotten, and in higher ones."""
    for ballot, granted in ((3, False), (5, True), (7, True)):
        cluster = Cluster(THREE, lambda id: LeaseMultiPaxos(id, THREE, Parameters()))
        cluster.wire = [Packet("n3", "n2", Renew(5, 0))]
        cluster.deliver(cluster.wire[0])
        assert [p.message for p in cluster.wire] == [Granted(5, 0)]
        cluster.start("n2")
        cluster.wire = [Packet("n1", "n2", Renew(ballot, 0))]
        cluster.deliver(cluster.wire[0])
        assert bool(cluster.wire) == granted


def test_a_longer_lease_makes_the_stated_bound_longer() -> None:
    assert PROTOCOL.recovers_within(Parameters()) == 3_000_000
    assert PROTOCOL.recovers_within(Parameters(lease=Duration(1_000_000))) == 10_000_000


def test_a_server_that_is_its_own_majority_has_its_own_lease() -> None:
    cluster = multipaxos(("n1",), LeaseMultiPaxos)
    cluster.now += 150 * MS
    cluster.ring("n1", "election")
    assert reads_from_memory(cluster)
    cluster.now += 150 * MS
    cluster.deliver(cluster.ask("c1", 1, Command("read", "x"), "n1"))
    assert cluster.said[-2].what == "decide"


@pytest.mark.parametrize("seed", range(3))
def test_a_leader_that_no_majority_hears_does_not_keep_the_others_from_electing_one(seed: int) -> None:
    """Two of four do not hear the leader, and the third hears all: it must not grant it leases for ever."""
    seen = run(
        """
        duration = "6s"
        heal = "5900ms"
        protocols = ["multipaxos/lease"]
        [cluster]
        nodes = 4
        [workload]
        kind = "kv"
        clients = 4
        [[faults]]
        kind = "partition"
        at = "1s"
        groups = [["leader"], ["2 follower"]]
        """,
        "multipaxos/lease",
        seed=seed,
    )
    operations = [op for op in seen.recording.history.operations() if op.type == "ok"]
    assert sum(3_000 * MS < op.time // 1000 < 5_500 * MS for op in operations) > 50
