"""A crash after every effect of a story of Paxos and of Multi-Paxos, on slow disks.

With every part of the writes that no sync has covered yet, of whatever handlers they are. Then the node starts again
from its disk, each of the others in turn is cut off (or nobody is), and those that are left serve a client: nobody may
have lost anything that was acknowledged, nor learn anything else, and in the end all have the same commands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from bench.node import Answer, Command, Effect, Message, NodeId, Outbox, Request, RequirementBroken
from bench.parts.machine import MachineState, StateMachine
from bench.protocols import multipaxos as multi
from bench.protocols import paxos as single
from bench.protocols.multipaxos import LeaseMultiPaxos, MultiPaxos
from bench.protocols.paxos import Paxos
from checkers import Outcome, agreement, leadership
from tests.bench.sansio import Cluster, Packet, cuts
from tests.protocols.paxos_story import THREE, multipaxos, packet, paxos

Step = Packet | tuple[NodeId, str] | NodeId  # what arrives, a timer that is due, or whose disk syncs
Script = Callable[[Cluster], Iterator[Step]]


SECOND = 1_000_000  # passes before any timer is due: a lease runs out in it


class Moment(NamedTuple):
    """A cluster in which ``id`` has handled something, or is about to sync; its ``effects`` have not taken place."""

    before: Cluster
    id: NodeId
    effects: list[Effect]


def moments(cluster: Cluster, script: Script) -> Iterator[Moment]:
    """The story, handler by handler and sync by sync."""
    for step in script(cluster):
        if isinstance(step, str):
            yield Moment(cluster.fork(), step, cluster.backlog[step])
            cluster.sync(step)
            continue
        if isinstance(step, Packet):
            id, effects = step.to, cluster.delivering(step)
        else:
            cluster.now += SECOND
            id, effects = step[0], cluster.ringing(*step)
        yield Moment(cluster.fork(), id, cluster.backlog[id] + effects)
        cluster.carry_out(id, effects)


def write(value: int) -> Command:
    return Command("write", "x", value)


def all_written(cluster: Cluster) -> Iterator[Step]:
    while cluster.behind:
        yield cluster.behind[0]


def all_under_way(cluster: Cluster, reaches: Callable[[Packet], bool] = lambda _: True) -> Iterator[Step]:
    """Disks sync when nothing else can happen."""
    while cluster.wire or cluster.behind:
        if not cluster.wire:
            yield cluster.behind[0]
        elif reaches(cluster.wire[0]):
            yield cluster.wire[0]
        else:
            del cluster.wire[0]


def said(cluster: Cluster, kind: type[Message], sender: NodeId, to: NodeId) -> Iterator[Step]:
    """A message, for which its sender's disk syncs if need be."""
    if not any(isinstance(p.message, kind) and (p.sender, p.to) == (sender, to) for p in cluster.wire):
        yield sender
    yield packet(cluster, kind, sender, to)


def leaders(cluster: Cluster) -> Iterator[Step]:
    """n1 leads and proposes; before n3 hears of it, n3 promises itself to n2, which leads then. n3 misses a write."""
    yield "n1", "election"
    yield from said(cluster, multi.Prepare, "n1", "n3")
    yield from said(cluster, multi.Promise, "n3", "n1")
    yield cluster.ask("c1", 1, write(1), "n1")
    yield "n2", "election"
    yield from all_written(cluster)
    cluster.wire = [p for p in cluster.wire if "n3" in (p.sender, p.to)]  # the two do not hear each other
    yield from said(cluster, multi.Prepare, "n2", "n3")
    yield from all_under_way(cluster)
    yield cluster.ask("c1", 1, write(1), "n2")
    yield from all_under_way(cluster)
    yield cluster.ask("c1", 2, write(2), "n2")
    yield from all_written(cluster)
    cluster.wire = [p for p in cluster.wire if p.to != "n3"]
    yield from all_under_way(cluster)
    yield "n2", "heartbeat"
    yield from all_under_way(cluster)


def duellists(cluster: Cluster) -> Iterator[Step]:
    """n1 and n2 have a command each, and spoil each other's first ballots; in the end n1 and n3 decide."""
    yield cluster.ask("c1", 1, write(1), "n1")
    yield from said(cluster, single.Prepare, "n1", "n3")
    yield cluster.ask("c2", 1, write(2), "n2")
    yield from said(cluster, single.Prepare, "n2", "n3")
    yield from said(cluster, single.Promise, "n3", "n1")
    yield from said(cluster, single.Accept, "n1", "n3")
    yield from said(cluster, single.Promise, "n3", "n2")
    yield from all_under_way(cluster)
    yield "n1", "round"
    yield from all_under_way(cluster, lambda p: not (isinstance(p.message, single.Accept) and p.to == "n2"))


def survive(cluster: Cluster, lost: NodeId | None, first: NodeId, late: bool) -> None:
    """Without ``lost`` the others serve a client, ``first`` before the other; then all hear of everything.

    What was under way at the crash is lost, or arrives ``late``, at ``lost`` too, which then falls silent.
    """
    cluster = cluster.fork()
    for id in cluster.behind:
        cluster.sync(id)
    for under_way in list(cluster.wire):
        if late:
            cluster.deliver(under_way)
        else:
            cluster.wire.remove(under_way)

    def settle(without: NodeId | None) -> None:
        cluster.drain(lambda packet: without not in (packet.sender, packet.to))

    settle(lost)
    others = [first, *(id for id in THREE if id not in (first, lost))]
    serve(cluster, "c8", others, lambda: settle(lost))
    for id in reversed(THREE):
        serve(cluster, f"c9{id}", [id, *(other for other in THREE if other != id)], lambda: settle(None))
    for id in THREE:
        if "heartbeat" in cluster.timers[id]:
            cluster.ring(id, "heartbeat")
    settle(None)
    judge(cluster)


def serve(cluster: Cluster, client: NodeId, nodes: list[NodeId], settle: Callable[[], None]) -> None:
    """A client asks these in turn until it is answered; whatever else is due at one of them is due before."""
    for node in nodes * 8:
        for timer in ("round", "heartbeat", "election"):
            if timer in cluster.timers[node] and not (timer == "election" and any_leader(cluster, nodes)):
                cluster.now += SECOND
                cluster.ring(node, timer)
                settle()
        cluster.ask(client, 1, Command("write", "y", 3), node)
        settle()
        if any(p.to == client and isinstance(p.message, Answer) for p in cluster.answers):
            return
    raise AssertionError(f"{' and '.join(nodes)} could not serve a client")


def any_leader(cluster: Cluster, nodes: list[NodeId]) -> bool:
    return any("heartbeat" in cluster.timers[id] for id in nodes)


def judge(cluster: Cluster) -> None:
    for checker in (agreement, leadership):
        verdict = checker.check(cluster.observations)
        assert verdict.outcome is not Outcome.INVALID, verdict
    machines = [machine(cluster, id) for id in THREE]
    assert machines[0] == machines[1] == machines[2]
    for answer in cluster.answers:
        if isinstance(answer.message, Answer):
            asked = Request(answer.to, answer.message.sequence, Command("read", "x"))
            known = machines[0].answer(asked) == answer.message or machines[0].is_stale(asked)
            assert known, f"{answer} was acknowledged, and is lost"


def machine(cluster: Cluster, id: NodeId) -> StateMachine:
    node = cluster.nodes[id]
    assert isinstance(node, MultiPaxos | Paxos)
    return node.machine


def explore(cluster: Cluster, script: Script) -> tuple[Counter[str], str | None]:
    """Every cut of every moment and what follows from it, until something breaks: how many there were, and what."""
    counted: Counter[str] = Counter()
    for number, (before, id, effects) in enumerate(moments(cluster, script), 1):
        counted["moments"] += 1
        for cut in cuts(effects):
            counted["cuts"] += 1
            died = before.fork()
            died.crash(id, cut)
            for lost in (None, *THREE):
                for first in THREE:
                    if id == lost or first == lost:
                        continue
                    counted["lives"] += 1
                    try:
                        survive(died, lost, first, late=lost is None or (counted["lives"] + number) % 2 == 0)
                    except (AssertionError, RequirementBroken) as error:
                        return counted, f"moment {number} of {id}, {cut}, without {lost}, {first} first: {error}"
    return counted, None


@pytest.mark.parametrize(
    ("cluster", "script"),
    [
        (multipaxos(), leaders),
        (multipaxos(snapshot_every=1), leaders),
        (multipaxos(snapshot_every=2), leaders),
        (multipaxos(node=LeaseMultiPaxos, snapshot_every=2), leaders),
        (paxos(), duellists),
    ],
    ids=["multipaxos", "a snapshot of every slot", "a snapshot of every other slot", "leases", "paxos"],
)
def test_every_cut_of_every_moment_is_survived(cluster: Cluster, script: Script) -> None:
    counted, broken = explore(cluster, script)
    assert broken is None, broken
    assert counted["moments"] > 20
    assert counted["cuts"] > 80
    assert counted["lives"] > 300


class ForgetfulMultiPaxos(MultiPaxos):
    """Keeps its promises in memory."""

    def _save_promise(self, out: Outbox) -> None: ...


class HurriedMultiPaxos(MultiPaxos):
    """Says that it has accepted what is not on disk yet."""

    def _on_accept(self, leader: NodeId, m: multi.Accept, out: Outbox) -> None:
        super()._on_accept(leader, m, out)
        out.effects.sort(key=lambda effect: type(effect).__name__ != "Send")


class CarelessMultiPaxos(MultiPaxos):
    """Keeps its state, and not what else its journal said."""

    def _keep_state(self, slot: int, state: MachineState, out: Outbox) -> None:
        super()._keep_state(slot, state, out)
        out.snapshot(multi.Checkpoint(slot, state, 0, ()), self.journal)


class HurriedPaxos(Paxos):
    """The same, of a single instance."""

    def _on_accept(self, proposer: NodeId, m: single.Accept, out: Outbox) -> None:
        super()._on_accept(proposer, m, out)
        out.effects.sort(key=lambda effect: type(effect).__name__ != "Send")


@pytest.mark.parametrize(
    ("cluster", "script"),
    [
        (multipaxos(node=ForgetfulMultiPaxos), leaders),
        (multipaxos(node=HurriedMultiPaxos), leaders),
        (multipaxos(node=CarelessMultiPaxos, snapshot_every=1), leaders),
        (paxos(node=HurriedPaxos), duellists),
    ],
    ids=["forgetful multipaxos", "hurried multipaxos", "careless multipaxos", "hurried paxos"],
)
def test_the_same_cuts_convict_who_promises_what_is_not_on_disk(cluster: Cluster, script: Script) -> None:
    _, broken = explore(cluster, script)
    assert broken is not None
