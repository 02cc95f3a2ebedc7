"""How long a leader of Raft leads: as long as a majority answers it (thesis §6.2)."""

from __future__ import annotations

import pytest

from bench.node import NodeId
from bench.protocols.raft import Parameters, Raft, Role
from tests.bench.runs import run
from tests.bench.sansio import Cluster, Packet

HOUR = 3_600_000_000
CHECK = 6  # heartbeats in the longest election timeout

DEAF = """
duration = "8s"
heal = "3s"
heal-core = true
core = ["n3", "n4", "n5"]
protocols = ["raft/log"]
[cluster]
nodes = 5
[workload]
kind = "kv"
clients = 3
[[faults]]
kind = "partition"
at = "2s"
groups = [["n3", "n4", "n5"], ["WHO"]]
one-way = true
"""


@pytest.mark.parametrize("who", ["leader", "n1"])
@pytest.mark.parametrize("seed", range(4))
def test_a_core_is_served_although_the_leader_outside_is_heard_and_hears_nothing_of_it(who: str, seed: int) -> None:
    seen = run(DEAF.replace("WHO", who), seed=seed)
    assert seen.result.status == "as expected", seen.result.notes
    (progress,) = (each.verdict for each in seen.result.judged if each.name == "progress")
    assert progress.outcome == "valid"


def test_answers_have_the_time_of_the_longest_election_timeout_whatever_its_shape() -> None:
    """A round trip takes longer than the median of the timeout here, which is all that its ``high`` is."""
    slow = """
duration = "20s"
heal = "1s"
protocols = ["raft/log"]
[cluster]
nodes = 3
latency = "160ms"
[workload]
kind = "kv"
clients = 2
timeout = "5s"
[protocol.raft]
election-timeout = "lognormal 300ms 0.5"
"""
    seen = run(slow)
    (progress,) = (each.verdict for each in seen.result.judged if each.name == "progress")
    assert progress.outcome == "valid", progress.reason


def led(*ids: NodeId) -> Cluster:
    """A cluster that n1 leads; all that was under way has arrived."""
    cluster = Cluster(ids, lambda id: Raft(id, ids, Parameters()))
    cluster.ring("n1", "election")
    cluster.drain()
    return cluster


def beat(cluster: Cluster, hears: tuple[NodeId, ...] = ()) -> None:
    """A heartbeat of n1 that reaches everybody; n1 hears these alone."""

    def reaches(packet: Packet) -> bool:
        return packet.to != "n1" or packet.sender in hears

    cluster.ring("n1", "heartbeat")
    cluster.drain(reaches)


def leads(cluster: Cluster) -> bool:
    node = cluster.nodes["n1"]
    assert isinstance(node, Raft)
    return node.role is Role.LEADER


def test_a_majority_of_answers_in_every_election_timeout_is_enough() -> None:
    cluster = led("n1", "n2", "n3", "n4", "n5")
    for heartbeat in range(4 * CHECK):
        beat(cluster, {1: ("n2",), 4: ("n4",)}.get(heartbeat % CHECK, ()))
    assert leads(cluster)


def test_one_answer_less_is_not() -> None:
    cluster = led("n1", "n2", "n3", "n4", "n5")
    for _ in range(2 * CHECK - 1):
        beat(cluster, ("n2",))
    assert leads(cluster)
    beat(cluster, ("n2",))
    assert not leads(cluster)
    assert cluster.timers["n1"] == {"election"}


def test_a_leader_that_was_paused_sees_to_its_answers_first() -> None:
    """However long it slept: its heartbeat, which was due long ago, rings before what came behind it is handled."""
    cluster = led("n1", "n2", "n3")
    for _ in range(2 * CHECK):
        cluster.ring("n1", "heartbeat")
        cluster.now += HOUR
        cluster.drain()
    assert leads(cluster)


def test_a_cluster_of_one_is_its_own_majority() -> None:
    cluster = led("n1")
    for _ in range(2 * CHECK):
        beat(cluster)
    assert leads(cluster)
