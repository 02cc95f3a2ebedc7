"""Whoever waits at a node of Paxos or of the synod is served, however much the others decide meanwhile."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.node import Answer, Command, Effect, Send, SetTimer
from bench.protocols import paxos as single
from bench.protocols import synod as keys
from bench.protocols.paxos import ROUND, Decided, Paxos, Phase, Prepare
from scenarios.units import Span
from tests.bench.runs import run
from tests.bench.sansio import Cluster, Packet, cuts
from tests.protocols.paxos_story import THREE, packet, paxos, synod

READ = Command("read", "x")


def write(value: int) -> Command:
    return Command("write", "x", value)


def small_portions() -> Cluster:
    return Cluster(THREE, lambda id: Paxos(id, THREE, single.Parameters(instances_max=4)))


def waits(effects: list[Effect]) -> list[Span]:
    return [effect.span for effect in effects if isinstance(effect, SetTimer)]


def asked(effects: list[Effect]) -> list[int]:
    """The instances that were asked about, once for each of the others."""
    return [e.message.instance for e in effects if isinstance(e, Send) and isinstance(e.message, Prepare)]


def decide(cluster: Cluster, sequence: int) -> None:
    """n2 has a command of c9 decided with n3; what it tells n1 stays on the wire."""
    cluster.deliver(cluster.ask("c9", sequence, write(sequence), "n2"))
    while any(p.to in ("n2", "n3") for p in cluster.wire):
        cluster.deliver(next(p for p in cluster.wire if p.to in ("n2", "n3")))
    cluster.wire = [p for p in cluster.wire if isinstance(p.message, Decided)]


def answered(cluster: Cluster) -> list[tuple[str, int]]:
    return [(p.to, p.message.sequence) for p in cluster.answers if isinstance(p.message, Answer)]


def test_what_others_decide_later_does_not_put_off_a_pause() -> None:
    """n1 loses instance 1 while c2 waits. It pauses once, and then asks, though n2 and n3 go on deciding."""
    cluster = paxos()
    cluster.deliver(cluster.ask("c1", 1, write(1), "n1"))
    cluster.deliver(cluster.ask("c2", 1, write(2), "n1"))  # too late to be named by the prepare request
    cluster.wire.clear()
    pauses = []
    for sequence in range(1, 6):
        decide(cluster, sequence)
        for told in list(cluster.wire):
            pauses.append(waits(cluster.deliver(told)))
            cluster.wire.append(told)
            pauses.append(waits(cluster.deliver(told)))  # and a copy of it
    assert [pause for pause in pauses if pause] == [[single.Parameters().pause]]
    cluster.ring("n1", ROUND)
    assert [request.session for request in packet(cluster, Prepare, "n1", "n2").message.wanted] == ["c1", "c2"]  # type: ignore[attr-defined]
    cluster.drain()
    assert {("c1", 1), ("c2", 1)} <= set(answered(cluster))


def test_who_has_missed_much_is_told_portion_by_portion_without_a_pause() -> None:
    """n1 lacks ten instances, and is told four at a time; decisions beyond its gap and copies change nothing."""
    cluster = small_portions()
    for sequence in range(1, 11):
        decide(cluster, sequence)
    cluster.wire.clear()  # n1 has missed it all
    cluster.deliver(cluster.ask("c1", 1, READ, "n1"))
    about, pauses = [1], 0
    for sequence in range(11, 200):
        portions = [p for p in cluster.wire if isinstance(p.message, Prepare)]
        if not portions:
            break
        for portion in portions:
            cluster.deliver(portion)
        told = [p for p in cluster.wire if p.to == "n1"]
        cluster.wire.clear()
        decide(cluster, sequence)  # of which n1 hears first
        for beyond in [p for p in cluster.wire if p.to == "n1"]:
            assert not waits(cluster.deliver(beyond))
        cluster.wire += told
        for each in told:
            effects = cluster.deliver(each)
            about += sorted(set(asked(effects)))
            pauses += single.Parameters().pause in waits(effects)
    n1 = cluster.nodes["n1"]
    assert isinstance(n1, Paxos)
    assert about == [1, 5, 9]
    assert n1.chosen.watermark >= 11
    assert pauses == 0
    assert ("c1", 1) in answered(cluster)
    assert n1.phase is Phase.IDLE


BEHIND = """
why = "n1 has missed far more than it is told at once, and is asked for reads beside a busy node"
duration = "6s"
heal = "2s"
protocols = ["paxos/log"]
[cluster]
nodes = 3
latency = "500us..1ms"
[workload]
kind = "kv"
clients = 1
readers = 1
keys = 2
think = "1ms"
read-every = "20ms"
mix = { write = 1 }
[[faults]]
kind = "partition"
at = "500ms"
groups = [["n1"], ["n2", "n3"]]
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_a_node_that_has_missed_hundreds_of_instances_serves_again_beside_a_busy_one(seed: int) -> None:
    seen = run(BEHIND, "paxos/log", seed=seed)
    assert seen.result.status == "as expected", seen.result.notes
    [progress] = [each.verdict for each in seen.result.judged if each.name == "progress"]
    assert progress.outcome == "valid", progress


def test_a_late_copy_of_an_older_request_does_not_take_the_place_of_the_newer_one() -> None:
    for cluster, older, newer in (
        (paxos(), write(5), write(6)),
        (synod(), READ, Command("propose", "x", 6)),
    ):
        cluster.deliver(cluster.ask("c1", 6, newer, "n1"))
        cluster.deliver(cluster.ask("c1", 5, older, "n1"))
        cluster.drain()
        assert answered(cluster) == [("c1", 6)]


def test_a_request_that_is_asked_again_is_answered_to_whoever_asked_last() -> None:
    for cluster, command in ((paxos(), write(5)), (synod(), Command("propose", "x", 6))):
        cluster.deliver(cluster.ask("c1", 5, command, "n1"))
        cluster.deliver(cluster.ask("c1", 5, command, "n1"))
        cluster.drain()
        assert answered(cluster) == [("c1", 5)]


def test_a_drawn_pause_keeps_its_shape_when_it_is_doubled() -> None:
    patience, pause = Span.constant(100_000), Span.exponential(20_000)
    clusters = [
        (Cluster(THREE, lambda id: Paxos(id, THREE, single.Parameters(patience=patience, pause=pause))), write(1)),
        (
            Cluster(THREE, lambda id: keys.Synod(id, THREE, keys.Parameters(patience=patience, pause=pause))),
            Command("propose", "x", 1),
        ),
    ]
    for cluster, command in clusters:
        nack = keys.Nack if command.f == "propose" else single.Nack
        subject: str | int = "x" if command.f == "propose" else 1
        pauses = []
        cluster.deliver(cluster.ask("c1", 1, command, "n1"))
        for ballot in (10, 20, 30, 40, 50, 60):
            refusal = Packet("n2", "n1", nack(subject, 3, ballot))  # type: ignore[arg-type]
            cluster.wire = [refusal]
            pauses += waits(cluster.deliver(refusal))
            [timer] = cluster.timers["n1"]
            cluster.ring("n1", timer)
        assert pauses == [Span.exponential(20_000 * factor) for factor in (1, 2, 4, 8, 8, 8)]


@pytest.mark.parametrize("fresh", [paxos, synod])
def test_a_ballot_that_was_seen_to_campaign_is_never_used_again(fresh: type[Cluster]) -> None:
    """Whatever is left of the handler that takes the first ballot, the one after the restart is another."""
    cluster = fresh()  # type: ignore[call-arg]
    command = write(1) if fresh is paxos else Command("propose", "x", 1)
    asking = cluster.ask("c1", 1, command, "n1")
    terms = []
    for cut in cuts(cluster.fork().delivering(asking)):
        twin = cluster.fork()
        twin.wire.remove(asking)
        for effect in cut.done:
            twin.perform("n1", effect)
        for kept in cut.kept:
            twin.disks["n1"].write(kept)
        twin.start("n1")
        twin.deliver(twin.ask("c1", 1, command, "n1"))
        terms.append(Counter(each.term for each in twin.observations if each.what == "campaign"))
    assert all(most == 1 for counted in terms for most in counted.values()), terms
    assert {len(counted) for counted in terms} == {1, 2}
